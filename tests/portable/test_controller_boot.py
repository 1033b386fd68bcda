"""The whole pile boots whatever its files say: those of the last release, damaged, swapped or doubled
ones.
"""

from pile.checksum import framed, unframed
from pile.open_order import RECOVERIES_MAX
from pile_protocol import messages, wire
from tests.portable.kit import AT, NONCE, REGISTER_MWH, MemoryStore, Pile, rate, totals_agree
from tests.portable.last_release import FILES
from tests.portable.test_meters import Random

LOCKED = rate(steps=[[AT - 60, 1_000_000, 0, "valley"], [AT + 5, 9_000_000, 0, "peak"]])


def with_files(files, register_mwh, told_at, connectors=2):
    """A pile that starts from these files; its meters show register_mwh."""
    pile = Pile(connectors=connectors, told_at=None)
    pile.store = MemoryStore()
    pile.store.files = dict(files)
    for n in range(1, connectors + 1):
        pile.set_register(register_mwh, n)
    pile.boot(told_at)
    return pile


# -- the last release -----------------------------------------------------------------------------------


def test_an_order_of_the_last_release_goes_on_and_is_settled():
    pile = with_files(FILES, 5_027_100, AT + 20)
    pile.cycle(5)
    assert pile.controller.status({})["damaged"] == 0
    assert pile.closed(1) and pile.connector(2).fault == "GroundFailure"
    assert pile.controller.outbox.head()[0] == 2
    pile.cycle(50)
    pile.stop("o2")
    waiting, settlement = pile.settlements()[1:]
    totals_agree(settlement, LOCKED)
    assert (waiting["order_id"], settlement["order_id"], settlement["seq"]) == ("o1", "o2", 3)
    assert settlement["prev_mac"] == waiting["mac"] and settlement["recovered"]
    assert settlement["start_register_mwh"] == 5_005_000
    assert settlement["energy_mwh"] == 22_100 + pile.delivered_mwh()
    assert settlement["periods"][0][4] == 1_800
    for order_id in ("o0", "o1", "o2"):
        pile.said()
        pile.order(order_id)
        assert pile.said() == [(order_id, "Rejected", "UsedOrder")]


def test_a_fault_of_the_last_release_is_reset_by_a_person():
    pile = with_files(FILES, 5_027_000, AT + 20)
    pile.command("reset", connector=2, issued_at=AT + 20, expires_at=AT + 80)
    assert pile.connector(2).fault is None and pile.kept_faults() == {}


# -- one order again and again --------------------------------------------------------------------------


def test_a_contactor_whose_inrush_resets_the_chip_closes_so_many_times_and_no_more():
    """60 resets closed the relay 60 times for one order, and settled nothing."""
    pile = Pile()
    pile.charge(cycles=20)
    closings = 0
    for n in range(60):
        pile.boot(AT + 3 + n)
        pile.cycle(2)
        closings += pile.closed()
    assert closings == RECOVERIES_MAX
    (settlement,) = pile.settlements()
    totals_agree(settlement)
    assert settlement["stop_reason"] == "PowerQuality" and settlement["energy_mwh"] <= pile.delivered_mwh()
    assert pile.connector().fault == "UnderVoltage"
    assert pile.controller.journal.recoveries == RECOVERIES_MAX + 1 and pile.controller.journal.boots == 61
    pile.command("reset", connector=1, issued_at=AT + 100, expires_at=AT + 160)
    pile.charge("o2", issued_at=AT + 62, expires_at=AT + 122)
    assert pile.closed()


def test_a_recovery_is_durable_before_the_relay_closes_for_it():
    pile = Pile()
    pile.charge(cycles=20)
    pile.boot()
    pile.store.refusing = True
    pile.controller.hello(NONCE)
    pile.tell_time(AT + 5)
    for _ in range(30):
        pile.cycle()
        assert not pile.closed()


# -- the outbox -----------------------------------------------------------------------------------------


class RaisesAfterAppend(MemoryStore):
    """An append that is durable although it raises: the flash answered too late."""

    def __init__(self):
        super().__init__()
        self.raising = False

    def append(self, name, data):
        super().append(name, data)
        if self.raising:
            self.raising = False
            raise OSError(5)


def pile_that_raises(connectors=1):
    pile = Pile(connectors=connectors)
    pile.store = RaisesAfterAppend()
    pile.boot(AT)
    return pile


def test_a_settlement_whose_append_raised_but_is_durable_is_made_once():
    pile = pile_that_raises()
    pile.charge(cycles=25)
    pile.store.raising = True
    pile.stop()
    pile.cycle(30)
    assert [s["seq"] for s in pile.settlements()] == [1]
    assert pile.connector().order is None and pile.controller.outbox.depth == 1
    pile.acknowledge(pile.settlements()[0])
    assert pile.controller.outbox.head() is None


def test_two_connectors_that_settle_around_such_an_append_get_two_numbers():
    """Both got number 1, and the cloud's acknowledgement of one of them forgot the other."""
    pile = pile_that_raises(connectors=2)
    pile.charge("o1", 20)
    pile.charge("o2", 20, connector=2)
    pile.store.raising = True
    pile.command("stop", order_id="o2")
    pile.cycle(3)
    pile.command("stop", order_id="o1")
    pile.cycle(40)
    assert sorted([(s["seq"], s["order_id"]) for s in pile.settlements()]) == [(1, "o2"), (2, "o1")]
    first, second = pile.settlements()
    assert second["prev_mac"] == first["mac"]


def test_one_order_twice_in_the_outbox_does_not_end_every_boot():
    """Such an append, and a cut before the order was closed: each boot ended with KeyError."""
    pile = Pile()
    pile.charge(cycles=25)
    order_file = pile.store.files["order-1"]
    pile.stop()
    pile.store.files["order-1"] = order_file
    pile.store.files["out-00000001"] *= 2
    pile.boot(AT + 60)
    pile.cycle(5)
    assert pile.kept_order() is None and pile.connector().order is None
    assert pile.controller.outbox.depth == 1
    pile.acknowledge(pile.settlements()[0])
    assert pile.controller.outbox.head() is None


# -- files that are damaged, swapped and doubled --------------------------------------------------------


def damage(random, files, names):
    """One file changed in one of many ways."""
    name = names[random.below(len(names))]
    data = files.get(name, b"")
    how = random.below(8)
    if how == 0:
        files[name] = data[: random.below(len(data) + 1)]
    elif how == 1:
        at = random.below(len(data) + 1)
        files[name] = data[:at] + bytes((random.below(256),)) + data[at + 1 :]
    elif how == 2:
        files.pop(name, None)
    elif how == 3:
        files[name] = files.get(names[random.below(len(names))], b"")
    elif how == 4:
        files[name] = data * 2
    elif how == 5:
        content = unframed(data) or b"x"
        at = random.below(len(content))
        files[name] = framed(content[:at] + bytes((48 + random.below(10),)) + content[at + 1 :])
    elif how == 6:
        content = unframed(data) or b"5 5"
        files[name] = framed(content.replace(b"5", b"9%d" % random.below(1_000)))
    else:
        files[name] = framed(
            b"[" * random.below(300) if random.below(2) else b"\xff\x00 -1 99999999999999999999 x"
        )


def test_it_boots_whatever_its_files_say_and_bills_nothing_that_did_not_flow():
    names = sorted(FILES) + [
        "check-2",
        "order-2",
        "steps-2",
        "boots",
        "service",
        "out-00000003",
        "out-00000009",
    ]
    for seed in range(300):
        random = Random(seed + 1)
        files = dict(FILES)
        for _ in range(1 + random.below(4)):
            damage(random, files, names)
        kept = dict(files)
        try:
            check_boot(files, AT + 20 + 5 * random.below(3) if random.below(3) else None)
        except Exception:
            print("seed", seed, [name for name in kept if kept[name] != FILES.get(name)])
            raise


def check_boot(files, told_at):
    pile = with_files(files, 5_027_000, told_at)
    pile.cycle(15)
    messages.validate(wire.STATUS, pile.controller.status({}))
    messages.validate(wire.HELLO, pile.controller.hello(NONCE))
    pile.tell_time(AT + 40)
    pile.cycle(15)
    pile.stop("o2")
    pile.cycle(15)
    for settlement in pile.settlements():
        messages.validate(wire.SETTLEMENT, settlement)
        if settlement["order_id"] == "o2":
            # At most what the meter shows: it shows 27 Wh more than the order began with.
            assert settlement["energy_mwh"] <= 22_000 + pile.delivered_mwh() or is_checksum_right(files), (
                settlement
            )
            assert settlement["start_register_mwh"] >= REGISTER_MWH or is_checksum_right(files)
    sent = []
    while pile.controller.outbox.head():
        waiting = messages.parse_json(pile.controller.outbox.head()[1])
        sent.append(waiting["order_id"])
        pile.acknowledge(waiting)
    assert len(sent) == len(set(sent)), sent
    for n in (1, 2):
        if pile.connector(n).fault:
            pile.command("reset", connector=n, issued_at=AT + 1_000_000, expires_at=AT + 1_000_060)
    pile.boot(AT + 50)
    pile.cycle(20)


def is_checksum_right(files):
    """Whether a file that is not as it was has a right checksum: then nothing can show that it is wrong."""
    for name in ("order-1", "check-1", "steps-1"):
        if files.get(name) != FILES[name] and unframed(files.get(name, b"")) is not None:
            return True
    return False
