"""A whole story of one pile, told again for every cut: lives under power until all orders are over, then
the verdict.
"""

import json

import vfs
from cloud import CLOCK_MS, Cloud, Order
from flash import CLEAN, Device, Flash, PowerCut
from world import (
    BUS,
    COARSE,
    CYCLE_MS,
    DEVICE_ID,
    KEY,
    LOW_POWER_W,
    MEMORY,
    MOUNT,
    POWER_W,
    PULSES,
    SAMPLED,
    Pile,
    World,
)

from drivers.files import FileStore
from pile.checksum import unframed
from pile.journal import Journal
from pile.session import RECOVERY_WAIT_MS, STAYING
from pile_protocol import components, messages, pricing, seal, wire

STORY_MAX_MS = 600_000
LOST_MAX_MS = 2_000  # of charging, at each cut
UNCOUNTED_MS = 500  # of each life: a relay is confirmed closed after it has closed
CLOCK_SLACK_MWH = POWER_W * 2_500 // 3_600  # whole seconds on both sides, and a cycle


# The components of the stories about them. A second costs 1 minor unit by time, 0.5 or 2 by power, 1 to stay.
COMPONENTS = {
    "time": [36_000_000, 72_000_000, 36_000_000, 18_000_000],
    "tiers": [[LOW_POWER_W * 1000, 18_000_000], [POWER_W * 500, 72_000_000]],
    "idle": {"price": 36_000_000, "after_s": 2, "max_minor": 4},
    "minimum": 58,
    "maximum": 75,
    "tax": 60,
}
COST_LIMIT_MINOR = 62


class Plot:
    """What distinguishes one story from another.

    connectors; kind: of its meters. After a cut: dark_ms, clock_ms until the cloud tells the time,
    unplug (the vehicles leave), rtc (the pile knows the time by itself). words: the components of the rate.
    """

    def __init__(
        self,
        connectors=1,
        kind=PULSES,
        dark_ms=20_000,
        clock_ms=CLOCK_MS,
        unplug=False,
        rtc=False,
        words=(),
    ):
        self.words = words
        self.connectors = connectors
        self.kind = kind
        self.dark_ms = dark_ms
        self.clock_ms = clock_ms
        self.unplug = unplug
        self.rtc = rtc

    @property
    def resumes(self):
        """Whether everything allows an order to go on after a cut."""
        return not self.unplug and self.clock_ms < RECOVERY_WAIT_MS

    def orders(self):
        if self.words:
            rate = {}
            for word in self.words:
                rate[pricing.MEMBERS[components.COMPONENTS.index(word)]] = COMPONENTS[word]
            first = Order("A-1", 1, {"duration_s": 3_600}, stop_ms=12_500, rate=rate)
            limits = {"duration_s": 3_600, "energy_mwh": 10_000, "cost_minor": COST_LIMIT_MINOR}
            return [first, Order("A-2", 1, limits, after=first, rate=rate)]
        first = Order("A-1", 1, {"duration_s": 3_600}, stop_ms=12_500)
        second = Order("A-2", 1, {"duration_s": 3_600, "energy_mwh": 10_000}, after=first)
        if self.connectors == 1:
            return [first, second]
        other = Order("B-1", 2, {"duration_s": 3_600, "cost_minor": 51}, delay_ms=2_000)
        return [first, other, second]


PLOTS = {
    "pulse": Plot(),
    "memory": Plot(kind=MEMORY),
    "two": Plot(connectors=2),
    "two-memory": Plot(connectors=2, kind=MEMORY),
    "no-clock": Plot(clock_ms=RECOVERY_WAIT_MS + 10_000),
    "no-clock-memory": Plot(clock_ms=RECOVERY_WAIT_MS + 10_000, kind=MEMORY),
    "unplugged": Plot(unplug=True),
    "bus": Plot(kind=BUS),
    "coarse": Plot(kind=COARSE),
    "two-sampled": Plot(connectors=2, kind=SAMPLED),
    "watchdog": Plot(dark_ms=1_500, rtc=True, kind=MEMORY),
}


def plot_of(name):
    """The plot of that name, or that of the price components in it: time+tiers. Where they end with maximum
    and tax, the pile gets no clock after a cut.
    """
    if name in PLOTS:
        return PLOTS[name]
    clock_ms = RECOVERY_WAIT_MS + 10_000 if name.endswith("maximum+tax") else CLOCK_MS
    return Plot(words=name.split("+"), kind=(PULSES, MEMORY)[len(name) % 2], clock_ms=clock_ms)


class Cut:
    """operation: the how many-th of this life; tear: what it leaves (flash.TEARS); seed: of the noise."""

    def __init__(self, operation, tear=CLEAN, seed=0):
        self.operation = operation
        self.tear = tear
        self.seed = seed


class Verdict:
    """operations: of each life. Of the worst order: lost_mwh was in the pile's RAM at a cut and is not
    billed; unbilled_mwh was delivered and is not billed, whether the meter had shown it or not.
    """

    def __init__(self):
        self.operations = []
        self.cuts = 0
        self.violations = []
        self.lost_mwh = 0
        self.lost_use_ms = 0  # of time, tiers or staying: was in the pile's RAM at a cut and is not billed
        self.unbilled_mwh = 0


def used_flash(age):
    """Formatted flash that has seen `age` checkpoints of an earlier order, so that littlefs erases
    elsewhere.
    """
    flash = Flash()
    vfs.VfsLfs2.mkfs(Device(flash))
    if age:
        vfs.mount(vfs.VfsLfs2(Device(flash)), MOUNT)
        journal = Journal(FileStore(MOUNT + "/flash"))
        for i in range(age):
            journal.keep_reading(1, "A-0", 1_749_000_000 + i, 0)
        vfs.umount(MOUNT)
    return flash


def tell(plot, flash, cuts):
    """Runs the story on a copy of `flash`, one life for each of `cuts` and a last one. Returns its
    Verdict.
    """
    verdict = Verdict()
    flash = flash.copy()
    world = World(plot.connectors, plot.kind, bool(plot.words))
    cloud = Cloud(world, plot.orders(), CLOCK_MS)
    world.durable_order = lambda number: _durable_order(flash, cloud.plan, number)
    cloud.settled_claims = lambda order_id: _expect_settlement(world, flash, order_id)
    known = {}  # order id: the most energy that the pile knew of at a cut, mWh
    known_ms = {}  # order id: as that, of each component that is time (_use_ms)
    for cut in cuts + [None]:
        rtc = plot.rtc and verdict.cuts > 0
        if cut is None:
            pile = Pile(world, flash, rtc=rtc)
        else:
            pile = Pile(world, flash, cut.operation, cut.tear, cut.seed, rtc)
        try:
            _live(pile, cloud)
            _check_end(world, pile.controller)
            pile.end()
            verdict.operations.append(pile.device.operations)
            break
        except PowerCut:
            verdict.cuts += 1
            _note_known(pile.controller, known, known_ms)
        pile.end()
        verdict.operations.append(pile.device.operations)
        world.cut(plot.dark_ms, plot.unplug)
        cloud.clock_ms = plot.clock_ms
    _check_books(world, cloud, known, verdict)
    if plot.words:
        _check_use(world, cloud, known_ms, verdict)
    _check_reasons(world, plot, cloud.stored)
    verdict.violations = world.violations
    return verdict


def _note_known(controller, known, known_ms):
    """controller: None where the power failed during the start."""
    for connector in controller.connectors if controller else ():
        if connector.order is not None:
            order_id = connector.order.order_id
            session = connector.order.session
            known[order_id] = max(known.get(order_id, 0), session.metering.energy_mwh)
            if session.usage:
                before = known_ms.get(order_id, (0, 0, 0))
                known_ms[order_id] = [max(pair) for pair in zip(before, _use_ms(session.usage.usage()))]


def _use_ms(usage):
    """Time in all steps, time in all tiers, staying."""
    return sum([ms for _, ms in usage.times]), sum(usage.tiers_ms), usage.idle_ms


def _live(pile, cloud):
    """One life: until the power goes (PowerCut), or all is done."""
    world = pile.world
    pile.boot()
    cloud.connected()
    while not cloud.finished(pile.controller):
        if world.now_ms > STORY_MAX_MS:
            world.violated("the story does not end")
            return
        pile.cycle()
        cloud.cycle(pile)
        for connector in pile.controller.connectors:
            order = connector.order
            wire_ = world.wires[connector.number - 1]
            if order is not None and order.session.phase == STAYING and wire_.plant.contact:
                world.violated("relay %d is closed while the vehicle stays on" % connector.number)


# -- what is durable, seen through a second mount of the same flash ------------------------------------------


def _files(flash):
    return vfs.VfsLfs2(Device(flash))


def _durable_order(flash, plan, number):
    """The order of the plan that the flash holds for a connector, or None."""
    try:
        with _files(flash).open("/flash/order-%d" % number, "rb") as file:
            content = unframed(file.read())
    except OSError:
        return None
    for order in plan:
        if content is not None and order.sealed is not None and content.endswith(b"\n" + order.sealed):
            return order
    return None


def _expect_settlement(world, flash, order_id):
    files = _files(flash)
    for entry in files.ilistdir("/flash"):
        if entry[0].startswith("out-"):
            with files.open("/flash/" + entry[0], "rb") as file:
                if b'"order_id":"%s"' % order_id.encode() in file.read():
                    return
    world.violated("%s was told as settled before that was durable" % order_id)


# -- the verdict -------------------------------------------------------------------------------------------


def _check_end(world, controller):
    status = controller.status({})
    if status["damaged"]:
        world.violated("%d records counted as damaged by a mere cut" % status["damaged"])
    for connector in status["connectors"]:
        if connector["status"] != "Available" and connector["plugged"]:
            world.violated("connector %(connector)d ends as %(status)s" % connector)


def _check_books(world, cloud, known, verdict):
    """Every promise, held against what truly flowed."""
    cuts = verdict.cuts
    settlements = [_settlement(world, sealed) for sealed in cloud.stored]
    _check_chain(world, settlements)
    refused = 0
    in_all_mwh = [0] * len(world.wires)  # delivered and not billed
    for order in cloud.plan:
        flowed = world.wires[order.connector - 1].flowed.get(order.order_id)
        mine = [settlement for settlement in settlements if settlement["order_id"] == order.order_id]
        if len(mine) > 1 or (flowed and not mine):
            world.violated("%s has %d settlements" % (order.order_id, len(mine)))
        elif order.state in ("Rejected", "Expired"):
            refused += not mine
        elif not mine:
            world.violated("%s was neither settled nor refused" % order.order_id)
        if mine:
            unbilled_mwh = _check_bill(world, order, mine[0], flowed or {}, cuts)
            verdict.unbilled_mwh = max(verdict.unbilled_mwh, unbilled_mwh)
            lost_mwh = known.get(order.order_id, 0) - mine[0]["energy_mwh"]
            verdict.lost_mwh = max(verdict.lost_mwh, lost_mwh)
            if lost_mwh * 3_600 // POWER_W > cuts * LOST_MAX_MS:
                world.violated("%s lost %d mWh that the pile knew of" % (order.order_id, lost_mwh))
            in_all_mwh[order.connector - 1] += unbilled_mwh
            if in_all_mwh[order.connector - 1] < 0:
                world.violated("%s: more billed in all than flowed" % order.order_id)
    if refused > cuts:  # a cut may use up the id of the order that it hit, and of no other
        world.violated("%d orders were refused" % refused)


def _hidden_mwh(world):
    """What the last reading before a cut may not show, because the meter is not read in each cycle."""
    return world.kind.hides_mwh if world.kind.interval_ms > CYCLE_MS else 0


def _settlement(world, sealed):
    seal.check(sealed, KEY)
    settlement = json.loads(sealed)
    messages.validate(wire.SETTLEMENT, settlement)
    if settlement["device_id"] != DEVICE_ID:
        world.violated("a settlement of " + settlement["device_id"])
    return settlement


def _check_reasons(world, plot, stored):
    """An order that could go on went on; and what a cut had no part in does not say so."""
    for sealed in stored:
        settlement = json.loads(sealed)
        if plot.resumes and settlement["stop_reason"] == "PowerLoss":
            world.violated(settlement["order_id"] + " was ended by the cut, and could have gone on")
        if settlement["stop_reason"] == "PowerLoss" and not settlement["recovered"]:
            world.violated(settlement["order_id"] + " knows of no power cut")


def _check_chain(world, settlements):
    mac = None
    registers = {}
    for i, settlement in enumerate(settlements):
        if settlement["seq"] != i + 1 or settlement["prev_mac"] != mac:
            world.violated("the chain is broken at number %d" % (i + 1))
        mac = settlement["mac"]
        number = settlement["connector"]
        if settlement["start_register_mwh"] < registers.get(number, 0):
            world.violated("register %d ran backwards between two settlements" % number)
        registers[number] = settlement["end_register_mwh"]


def _check_bill(world, order, settlement, flowed, cuts):
    """One settlement against the energy of its order. Returns what was delivered and not billed."""
    name = order.order_id
    delivered_mwh = sum(flowed.values())
    lost_mwh = delivered_mwh - settlement["energy_mwh"]
    step_mwh = world.kind.step_mwh
    if lost_mwh < -step_mwh:  # a step that an earlier order began
        world.violated("%s bills %d mWh more than flowed" % (name, -lost_mwh))
    # At a cut: what flowed after the last durable reading, and what that reading did not show yet.
    if lost_mwh > cuts * (LOST_MAX_MS * POWER_W // 3_600 + _hidden_mwh(world)) + (0 if cuts else step_mwh):
        world.violated("%s lost %d mWh" % (name, lost_mwh))
    if settlement["end_register_mwh"] - settlement["start_register_mwh"] != settlement["energy_mwh"]:
        world.violated("%s: the registers do not give the energy" % name)
    for period in settlement["periods"]:
        index = order.step_index(period[0])
        if order.rate["steps"][index] != period[:4]:
            world.violated("%s: period %d is not of the locked rate" % (name, index))
        if period[4] > flowed.get(index, 0) + CLOCK_SLACK_MWH + world.kind.hides_mwh:
            world.violated("%s: more energy at price %d than flowed while it held" % (name, index))
    usage = components.usage_of(order.rate, settlement)
    bill = components.bill(order.rate, usage, order.limits.get("cost_minor"))
    idle_minor = bill.pop("idle_minor", None)
    for member in bill:
        if bill[member] != settlement[member]:
            world.violated("%s: %s is not that of its lines" % (name, member))
    if idle_minor is not None and settlement["idle"]["idle_minor"] != idle_minor:
        world.violated("%s: another amount for staying on" % name)
    if usage.energy_mwh != settlement["energy_mwh"]:
        world.violated("%s: the periods do not add up" % name)
    return lost_mwh


def _check_use(world, cloud, known_ms, verdict):
    """Time, tiers and staying of each settlement, against how long that truly was."""
    for sealed in cloud.stored:
        settlement = json.loads(sealed)
        order = [order for order in cloud.plan if order.order_id == settlement["order_id"]][0]
        name = order.order_id
        spent = world.wires[order.connector - 1].spent.get(name)
        usage = components.usage_of(order.rate, settlement)
        billed = _use_ms(usage)
        for known, mine in zip(known_ms.get(name, ()), billed):
            verdict.lost_use_ms = max(verdict.lost_use_ms, known - mine)
            if known - mine > verdict.cuts * LOST_MAX_MS:
                world.violated("%s lost %d ms that the pile knew of" % (name, known - mine))
        if spent is None:
            if sum(billed):
                world.violated("%s bills time, and its relay never closed" % name)
            continue
        _check_closed(world, order, billed, spent, verdict.cuts)
        high_ms = sum(usage.tiers_ms[1:])
        if high_ms > spent.by_power_ms.get(POWER_W, 0):
            world.violated("%s bills %d ms of the higher tier" % (name, high_ms))
        if "idle" in order.rate:
            _check_stay(world, order, settlement, spent)


def _check_closed(world, order, billed, spent, cuts):
    """Time in steps and in tiers: that while the contacts were closed."""
    for name, ms in (("time_prices", billed[0]), ("tiers", billed[1])):
        if name in order.rate:
            if ms > spent.closed_ms:
                world.violated("%s bills %d ms more of %s" % (order.order_id, ms - spent.closed_ms, name))
            lost_ms = spent.closed_ms - ms
            if lost_ms > cuts * LOST_MAX_MS + (cuts + 1) * UNCOUNTED_MS:
                world.violated("%s lost %d ms of %s" % (order.order_id, lost_ms, name))


def _check_stay(world, order, settlement, spent):
    """Staying on ends at the cap or at the money limit, because these vehicles do not leave."""
    idle = settlement["idle"]
    after_ms = order.rate["idle"]["after_s"] * 1000
    if idle["time_ms"] > max(0, spent.stayed_ms - after_ms):
        world.violated("%s bills more staying than there was" % order.order_id)
    if idle["time_ms"] > 1000 * (idle["until_at"] - idle["since_at"] + 1):
        world.violated("%s bills more staying than its own times give" % order.order_id)
    limit_minor = order.limits.get("cost_minor")
    is_cheap = settlement["total_minor"] < order.rate.get("maximum_minor", 1_000_000)
    is_open = (
        idle["idle_minor"] < order.rate["idle"]["max_minor"] and settlement["total_minor"] != limit_minor
    )
    if is_open and is_cheap and settlement["energy_mwh"] and settlement["stop_reason"] != "PowerLoss":
        world.violated(
            "%s bills %d of staying on, and the vehicle was there" % (order.order_id, idle["idle_minor"])
        )
