"""What the portable tests share: a store in memory, orders, and a pile whose clock is ticked by hand."""

import errno

from pile.clock import CLOUD, Clock
from pile.controller import Controller
from pile.readings import Readings
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


class Pile:
    """A controller with hardware made of plain attributes, cycled as the shell does it.

    Connector n (from 1) draws `power_mw[n]` through its closed relay; `welded` and `stuck_open` are sets of
    connectors; without `feedback` no relay has a feedback contact. The meter remembers its register.
    """

    def __init__(self, connectors=1, told_at=AT, ticks_ms=0, feedback=True):
        self.store = MemoryStore()
        self.ticks_ms = ticks_ms
        self.feedback = feedback
        self.welded = set()
        self.stuck_open = set()
        self.power_mw = {}
        self.limits = Limits()
        self._mw_ms = {}
        self._registers = {}
        self._count = connectors
        for n in range(1, connectors + 1):
            self.power_mw[n] = 7_200_000  # 200 mWh a cycle
            self._registers[n] = REGISTER_MWH
            self._mw_ms[n] = 0
        self.boot(told_at)

    # -- power ----------------------------------------------------------------------------------------------

    def boot(self, told_at=None):
        """Starts from what the store holds, as after a power cut; the clock is unset unless told."""
        self.clock = Clock(self.ticks_ms)
        parts = [(Readings(), self.limits) for _ in range(self._count)]
        self.controller = Controller(DEVICE_ID, KEY, self.store, self.clock, parts, "test")
        self.relays = {}
        for n in range(1, self._count + 1):
            self.relays[n] = False
            self.readings(n).register_mwh = self._registers[n]
        if told_at is not None:
            self.clock.tell(told_at, CLOUD)

    def connector(self, n=1):
        return self.controller.connectors[n - 1]

    def readings(self, n=1):
        return self.connector(n).readings

    def closed(self, n=1):
        """Whether current can flow."""
        return (self.relays[n] or n in self.welded) and n not in self.stuck_open

    # -- time -----------------------------------------------------------------------------------------------

    def cycle(self, count=1, passed_ms=CYCLE_MS):
        """`count` of the shell's cycles: energy flows, readings are taken, the controller decides."""
        for _ in range(count):
            self.ticks_ms = (self.ticks_ms + passed_ms) % (1 << 30)
            now_ms = self.clock.tick(self.ticks_ms)
            for n in range(1, self._count + 1):
                self._flow(n, passed_ms)
            self.controller.step(now_ms)
            for n in range(1, self._count + 1):
                self.relays[n] = self.connector(n).commanded
            self.controller.record(now_ms)

    def _flow(self, n, passed_ms):
        readings = self.readings(n)
        flowing = self.closed(n) and readings.plugged
        readings.power_mw = self.power_mw[n] if flowing else 0
        if flowing:
            self._mw_ms[n] += self.power_mw[n] * passed_ms
            self._registers[n] += self._mw_ms[n] // 3_600_000
            self._mw_ms[n] %= 3_600_000
        if readings.register_mwh is not None:
            readings.register_mwh = self._registers[n]
        readings.relay_closed = self.closed(n) if self.feedback else None

    def set_register(self, register_mwh, n=1):
        """Another meter, or one that forgot; None: no valid reading from now on."""
        if register_mwh is not None:
            self._registers[n] = register_mwh
        self.readings(n).register_mwh = register_mwh

    # -- messages -------------------------------------------------------------------------------------------

    def receive(self, name, message, key=KEY):
        self.controller.receive(name, sealed(message, key))

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
        """Stops from the phone and waits until it is settled."""
        self.command("stop", order_id=order_id)
        self.cycle(10)

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
