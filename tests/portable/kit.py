"""What the portable tests share: a store in memory, orders, and a pile whose clock is ticked by hand."""

import errno

from pile import recovery
from pile.clock import CLOUD, Clock
from pile.controller import Controller
from pile.faults import Latch
from pile.readings import VALID, MeterTraits, Readings
from pile.safety import Limits
from pile_protocol import messages, pricing, seal, topics, wire
from pile_protocol.errors import SealError

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
DEVICE_ID = "pile-0001"
NONCE = "0123456789abcdef"
AT = 1_800_000_000  # Unix seconds: the now of the tests
REGISTER_MWH = 5_000_000  # on the meter before anything flows
CYCLE_MS = 100

# (refresh ms, interval ms, step mWh, forgets): pulses of three kinds, SDM120 and SDM630 alone, with others on
# the bus, and past 32,768 kWh, an HLW8012.
KINDS = (
    (0, 100, 1, False),
    (0, 100, 313, True),
    (0, 100, 1_250, True),
    (500, 100, 1_000, False),
    (1_000, 100, 3_907, False),
    (500, 1_000, 1_000, False),
    (1_000, 4_000, 1_000, False),
    (1_000, 5_000, 3_907, False),
    (0, 4_000, 1, True),
)


def raises(kind, function, *arguments):
    """The error of `kind` that the call raises; fails where there is none. Any other error passes through."""
    try:
        result = function(*arguments)
    except kind as error:
        return error
    raise AssertionError("%s expected, but %r was returned" % (kind.__name__, result))


def with_changes(value, changes):
    """A copy of a dict with some members changed; a member of None is removed."""
    copy = dict(value)
    for name in changes:
        if changes[name] is None:
            copy.pop(name, None)
        else:
            copy[name] = changes[name]
    return copy


def rate(**changes):
    """A locked rate: one step of 1.00 + 0.80 CNY per kWh, no session fee."""
    return with_changes(
        {
            "rate_id": "r1",
            "currency": "CNY",
            "minor_digits": 2,
            "session_fee_minor": 0,
            "steps": [[AT - 3_600, 1_000_000, 800_000, "flat"]],
            "until_at": AT + 2 * 86_400,
        },
        changes,
    )


def order(order_id="o1", **changes):
    """An order without its mac, valid at AT: one hour at rate()."""
    return with_changes(
        {
            "kind": "order",
            "device_id": DEVICE_ID,
            "connector": 1,
            "order_id": order_id,
            "issued_at": AT,
            "expires_at": AT + 60,
            "limits": {"duration_s": 3_600},
            "rate": rate(),
        },
        changes,
    )


def sealed(message, key=KEY):
    return seal.seal(messages.encode(message), key)


def latched(fault=None):
    """A latch with this fault from before a restart, or without any."""
    latch = Latch()
    if fault:
        latch.restore(fault, AT)
    return latch


class MemoryStore:
    """The store of drivers/contracts.py in memory. `log` holds what was written, in order; with `refusing`
    every write raises OSError, as worn-out or full flash does; `refuse_after` lets so many through first.
    """

    def __init__(self):
        self.files = {}
        self.log = []
        self.refusing = False
        self.refuse_after = None
        self.unreadable = set()
        self.free = 1_000_000

    def read(self, name):
        if name in self.unreadable:
            raise OSError(errno.EIO)
        return self.files.get(name)

    def write(self, name, data):
        self._note("write", name)
        self.files[name] = bytes(data)

    def append(self, name, data):
        self._note("append", name)
        self.files[name] = self.files.get(name, b"") + data

    def lines(self, name):
        if name not in self.files or name in self.unreadable:
            raise OSError(errno.ENOENT)
        data = self.files[name]
        while data:
            end = data.find(b"\n") + 1 or len(data)
            yield data[:end]
            data = data[end:]

    def remove(self, name):
        self._note("remove", name)
        self.files.pop(name, None)

    def names(self):
        return list(self.files)

    def free_bytes(self):
        return self.free

    def _note(self, what, name):
        if self.refusing or self.refuse_after == 0:
            raise OSError(errno.EIO)
        if self.refuse_after is not None:
            self.refuse_after -= 1
        self.log.append((what, name))


class Meter:
    """A meter over one wire: `delivered_mwh` is what truly flowed, in mWh and its rest in mW x ms.

    It renews its register every refresh_ms, in steps of step_mwh, and is read every interval_ms. `forgets`:
    it begins at 0 after a power cut, and goes on from what it is told. `silent`: nothing is read from it.
    """

    def __init__(self, register_mwh=REGISTER_MWH, traits=None, forgets=False, phase_ms=0):
        self.traits = traits or MeterTraits(step_mwh=1, remembers=True)
        self.forgets = forgets
        self.silent = False
        self.delivered_mwh = 0
        self.power_mw = 0
        self._base_mwh = register_mwh
        self._begun_mwh = 0  # delivered before the register began
        self._rest = 0
        self._renewed_ms = -phase_ms
        self._read_ms = -phase_ms
        self._shown_mwh = self._counted()

    def flow(self, power_mw, ms, now_ms):
        """So much power for the `ms` until now_ms."""
        self.power_mw = power_mw
        self._rest += power_mw * ms
        self.delivered_mwh += self._rest // 3_600_000
        self._rest %= 3_600_000
        refresh_ms = self.traits.refresh_ms
        if refresh_ms == 0 or now_ms - self._renewed_ms >= refresh_ms:
            self._renewed_ms = (
                now_ms if refresh_ms == 0 else now_ms - (now_ms - self._renewed_ms) % refresh_ms
            )
            self._shown_mwh = self._counted()

    def _counted(self):
        register_mwh = self._base_mwh + self.delivered_mwh - self._begun_mwh
        return register_mwh - register_mwh % self.traits.step_mwh

    def read_into(self, readings, now_ms):
        readings.meter = self.traits
        if self.silent:
            readings.register_mwh.lose()
            readings.power_mw.lose()
        elif readings.register_mwh.state != VALID or now_ms - self._read_ms >= self.traits.interval_ms:
            self._read_ms = now_ms
            readings.register_mwh.take(self._shown_mwh, now_ms)
            readings.power_mw.take(self.power_mw, now_ms)

    def set_register(self, register_mwh):
        """Another meter, or one whose register was set."""
        self._base_mwh = register_mwh
        self._begun_mwh = self.delivered_mwh
        self._shown_mwh = self._counted()

    def cut(self):
        """The power was gone, and the pile's clock begins at 0. A meter that forgets waits for restore()."""
        self._renewed_ms = self._read_ms = 0
        if self.forgets:
            self.set_register(0)

    def restore(self, register_mwh):
        if self.forgets:
            self.set_register(register_mwh)


class Pile:
    """A controller with hardware made of plain attributes, cycled as the shell does it.

    Connector n (from 1) draws `power_mw[n]` through its closed relay; `welded` and `stuck_open` are sets of
    connectors; without `feedback` no relay has a feedback contact, without `plug_switch` no plug is seen.
    """

    def __init__(
        self,
        connectors=1,
        told_at=AT,
        ticks_ms=0,
        feedback=True,
        plug_switch=True,
        limits=None,
        meter=Meter,
        feed=None,
    ):
        self.store = MemoryStore()
        self.ticks_ms = ticks_ms
        self.feedback = feedback
        self.plug_switch = plug_switch
        self.feed = feed
        self.welded = set()
        self.stuck_open = set()
        self.plugged = {}
        self.power_mw = {}
        self.limits = limits or Limits()
        self.meters = {}
        self.on_cycle = None  # called after each cycle
        self._count = connectors
        for n in range(1, connectors + 1):
            self.power_mw[n] = 7_200_000  # 200 mWh a cycle
            self.plugged[n] = True
            self.meters[n] = meter()
        self.boot(told_at)

    # -- power ----------------------------------------------------------------------------------------------

    def boot(self, told_at=None, ready=True):
        """Starts from what the store holds, as after a power cut; the clock is unset unless told. ready:
        waits until every relay is confirmed open and every meter has been read.
        """
        self.clock = Clock(self.ticks_ms)
        parts = [(Readings(self.meters[n].traits), self.limits) for n in range(1, self._count + 1)]
        self.controller = Controller(DEVICE_ID, KEY, self.store, self.clock, parts, "test", self.feed)
        recovery.take_up(self.controller, self.store, KEY)
        self.relays = {}
        for n in range(1, self._count + 1):
            self.relays[n] = False
            self.meters[n].cut()
            self.meters[n].restore(self.kept_register_mwh(n))
            if self.plug_switch:
                self.readings(n).plugged.take(True, 0)
        if told_at is not None:
            self.clock.tell(told_at, CLOUD)
        if ready:
            self.be_ready()

    def be_ready(self):
        """Cycles, in which no time passes for the clock's seconds, until an idle connector could take an
        order.
        """
        self.cycle(4, 1)
        for _ in range(100):
            if not [
                c
                for c in self.controller.connectors
                if c.order is None and not c.is_resting(self.clock.now_ms)
            ]:
                return
            self.cycle()

    def kept_order(self, n=1):
        """The order of connector n in flash, or None."""
        return recovery.Reader(self.store, []).order(n)

    def kept_faults(self):
        return recovery.Reader(self.store, []).faults()

    def kept_register_mwh(self, n=1):
        return recovery.register_mwh(self.store, n)

    def connector(self, n=1):
        return self.controller.connectors[n - 1]

    def session(self, n=1):
        return self.connector(n).order.session

    def readings(self, n=1):
        return self.connector(n).readings

    def closed(self, n=1):
        """Whether current can flow."""
        return (self.relays[n] or n in self.welded) and n not in self.stuck_open

    def delivered_mwh(self, n=1):
        """What truly flowed since the beginning."""
        return self.meters[n].delivered_mwh

    # -- time -----------------------------------------------------------------------------------------------

    def cycle(self, count=1, passed_ms=CYCLE_MS):
        """`count` of the shell's cycles, each after passed_ms: energy flows, readings are taken, the
        controller decides and works. A cycle that handled a message is followed by another at once.
        """
        for _ in range(count):
            self._cycle(passed_ms)
            while self.again:
                self._cycle(0)

    def _cycle(self, passed_ms):
        self.ticks_ms = (self.ticks_ms + passed_ms) % (1 << 30)
        now_ms = self.clock.tick(self.ticks_ms)
        for n in range(1, self._count + 1):
            self._read(n, passed_ms, now_ms)
        self.controller.step(now_ms)
        for n in range(1, self._count + 1):
            self.relays[n] = self.connector(n).commanded
        self.again = self.controller.work(now_ms)
        if self.on_cycle:
            self.on_cycle()

    def _read(self, n, passed_ms, now_ms):
        readings = self.readings(n)
        flowing = self.closed(n) and self.plugged[n]
        self.meters[n].flow(self.power_mw[n] if flowing else 0, passed_ms, now_ms)
        self.meters[n].read_into(readings, now_ms)
        if self.plug_switch:
            readings.plugged.take(self.plugged[n], now_ms)
        if self.feedback:
            readings.relay_closed.take(self.closed(n), now_ms)

    def silence_meter(self, n=1):
        """No valid reading from now on."""
        self.meters[n].silent = True

    def set_register(self, register_mwh, n=1):
        """Another meter, or one that forgot."""
        self.meters[n].forgets = False
        self.meters[n].set_register(register_mwh)

    # -- messages -------------------------------------------------------------------------------------------

    def receive(self, name, message, key=KEY):
        self.receive_bytes(name, sealed(message, key))

    def receive_bytes(self, name, data):
        """A message arrives, and the shell's cycles follow at once."""
        assert self.controller.receive(name, data), "the queue is full"
        self.again = True
        while self.again:
            self._cycle(0)

    def order(self, order_id="o1", **changes):
        self.receive(topics.ORDER, order(order_id, **changes))

    def command(self, action, **changes):
        message = {
            "kind": "command",
            "device_id": DEVICE_ID,
            "action": action,
            "issued_at": self.clock.at() or AT,
            "expires_at": (self.clock.at() or AT) + 60,
        }
        self.receive(topics.COMMAND, with_changes(message, changes))

    def tell_time(self, at, nonce=NONCE, **changes):
        """The cloud's answer to a hello; returns what the clock says then."""
        message = {"kind": "time", "device_id": DEVICE_ID, "nonce": nonce, "at": at}
        message.update(changes)
        self.receive(topics.TIME, message)
        return self.clock.at()

    def acknowledge(self, settlement):
        self.receive(
            topics.SETTLEMENT_ACK,
            {
                "kind": "ack",
                "device_id": DEVICE_ID,
                "order_id": settlement["order_id"],
                "seq": settlement["seq"],
                "settlement_mac": settlement["mac"],
                "status": "Stored",
            },
        )

    def charge(self, order_id="o1", cycles=20, **changes):
        """An order, and so many cycles of charging."""
        self.order(order_id, **changes)
        self.cycle(cycles)

    def stop(self, order_id="o1"):
        """Stops from the phone and waits until it is settled, and the pause before the next order is over."""
        self.command("stop", order_id=order_id)
        self.cycle(12)

    def settle(self, n=1):
        """Cycles until connector n has no order."""
        for _ in range(1_000):
            if self.connector(n).order is None:
                return
            self.cycle()
        raise AssertionError("the order never ends: " + self.session(n).phase)

    def said(self):
        """The order statuses since the last call, as (order_id, state, reason)."""
        said = []
        mailbox = self.controller.mailbox
        while True:
            item = mailbox.peek()
            if item is None:
                return said
            mailbox.done(*item)
            if item[0] == topics.ORDER_STATUS:
                said.append((item[1]["order_id"], item[1]["state"], item[1]["reason"]))

    def settlements(self):
        """Every settlement in the store that is not acknowledged, in order; only sound ones."""
        found = []
        for name in sorted([name for name in self.store.names() if name.startswith("out-")]):
            for line in self.store.lines(name):
                if line != b"\n":
                    data = line[9:-1]
                    try:
                        seal.check(data, KEY)
                    except SealError:
                        continue  # damaged on purpose
                    found.append(messages.parse_json(data))
        return found


def rejected(pile, reason, order_id="o1"):
    """The one thing the pile said, and that no relay moved for it."""
    pile.cycle()
    said = pile.said()
    assert said == [(order_id, "Rejected", reason)], (reason, said)
    assert not pile.connector().commanded


def totals_agree(settlement, locked=None):
    """A settlement keeps its table, and prices like the cloud would."""
    messages.validate(wire.SETTLEMENT, settlement)
    locked = locked or rate()
    begins = [step[0] for step in locked["steps"]]
    energies = [(begins.index(row[0]), row[4]) for row in settlement["periods"]]
    total, fee, periods = pricing.bill(locked, energies)
    assert (settlement["total_minor"], settlement["session_fee_minor"], settlement["periods"]) == (
        total,
        fee,
        periods,
    ), settlement
    delivered_mwh = settlement["end_register_mwh"] - settlement["start_register_mwh"]
    assert sum([row[4] for row in periods]) == delivered_mwh == settlement["energy_mwh"], settlement
    assert settlement["rate_digest"] == pricing.digest(locked), settlement
