"""What survives a power cut: the running order, its readings, used ids, faults; and what damage does."""

from pile.checksum import framed
from pile.journal import CLOCK_BACK_S, USED_MAX, Journal
from pile.recovery import Reader
from pile_protocol import messages
from tests.portable.kit import AT, REGISTER_MWH, MemoryStore, order, raises, sealed

SEALED = sealed(order())


class Booted(Journal):
    """A journal as the start of a pile leaves it, with what the start can read."""

    def __init__(self, store):
        super().__init__(store)
        reader = Reader(store, self.lost)
        self.used_ids = reader.used_ids()
        self.load = reader.order
        self.faults = reader.faults
        self.register_mwh = reader.register_mwh


def opened(store=None):
    """A journal with order o1 on connector 1, and its store."""
    store = store or MemoryStore()
    journal = Booted(store)
    journal.open_order(1, "o1", SEALED, AT, REGISTER_MWH)
    return journal, store


def loaded(store, connector=1):
    return Booted(store).load(connector)


def test_nothing_is_nothing():
    journal = Booted(MemoryStore())
    assert journal.load(1) is None and journal.register_mwh(1) == 0
    assert journal.faults() == {} and not journal.is_used("o1") and journal.lost == []


def test_an_opened_order_comes_back_as_it_was_sent():
    kept = loaded(opened()[1])
    assert (kept.sealed, kept.started_at, kept.start_register_mwh) == (SEALED, AT, REGISTER_MWH)
    assert (kept.at, kept.register_mwh, kept.boundaries) == (AT, REGISTER_MWH, [])
    assert (kept.ran, kept.stop_reason, kept.recoveries) == (False, None, 0)


def test_the_newest_checkpoint_counts():
    journal, store = opened()
    for i in range(3):
        journal.keep_reading(1, "o1", AT + i, REGISTER_MWH + 100 * i)
    kept = loaded(store)
    assert (kept.at, kept.register_mwh) == (AT + 2, REGISTER_MWH + 200)


def test_a_checkpoint_of_another_order_says_nothing_of_this_one():
    journal, store = opened()
    for other in ("o", "o11", "r1", "pile-0001"):
        journal.keep_reading(1, other, AT + 500, REGISTER_MWH + 100)
        kept = loaded(store)
        assert (kept.at, kept.register_mwh) == (AT, REGISTER_MWH), other


def test_a_checkpoint_is_found_however_the_order_was_spelled():
    """The sender may put blanks into its JSON: the checkpoint was looked up by the text of the order, not
    found, and everything charged before the cut was lost."""
    store = MemoryStore()
    journal = Booted(store)
    journal.open_order(1, "o1", SEALED.replace(b'"order_id":"o1"', b'"order_id" : "o1"'), AT, REGISTER_MWH)
    journal.keep_reading(1, "o1", AT + 9, REGISTER_MWH + 900)
    assert loaded(store).register_mwh == REGISTER_MWH + 900


def test_a_checkpoint_fits_into_littlefs_metadata():
    journal, store = opened()
    journal.keep_reading(1, "x" * 40, 4_102_444_800, 10**12, "CostLimitReached")
    assert len(store.files["check-1"]) <= 128


def test_price_steps_come_back_and_carry_a_register_of_their_own():
    journal, store = opened()
    journal.keep_reading(1, "o1", AT + 5, REGISTER_MWH + 500)
    journal.keep_steps(1, [[0, REGISTER_MWH], [1, REGISTER_MWH + 700]])
    kept = loaded(store)
    assert kept.boundaries == [[0, REGISTER_MWH], [1, REGISTER_MWH + 700]]
    assert kept.register_mwh == REGISTER_MWH + 700


def test_the_price_steps_of_an_earlier_order_are_gone():
    journal, store = opened()
    journal.keep_steps(1, [[0, 1], [1, 2]])
    journal.open_order(1, "o2", sealed(order("o2")), AT, REGISTER_MWH)
    assert loaded(store).boundaries == []


def test_connectors_do_not_share_files():
    journal, store = opened()
    journal.open_order(2, "o2", sealed(order("o2")), AT + 1, 77)
    journal.keep_reading(2, "o2", AT + 9, 99)
    assert loaded(store).register_mwh == REGISTER_MWH
    assert loaded(store, 2).register_mwh == 99
    journal.close_order(1)
    assert loaded(store) is None and loaded(store, 2) is not None


def test_the_register_outlives_its_order():
    journal, store = opened()
    journal.keep_reading(1, "o1", AT + 9, REGISTER_MWH + 900)
    journal.close_order(1)
    assert Booted(store).register_mwh(1) == REGISTER_MWH + 900


def test_a_started_order_has_a_register_before_its_first_checkpoint():
    assert Booted(opened()[1]).register_mwh(1) == REGISTER_MWH


def test_damaged_files_read_as_absent_and_are_counted():
    for name, expected in (
        ("order-1", None),
        ("check-1", (AT, REGISTER_MWH)),
        ("steps-1", (AT + 5, REGISTER_MWH + 500)),
    ):
        for damage in (
            b"\x00" * 64,
            b"foreign",
            b"\xff" * 200,
            framed(b"foreign"),
            framed(b""),
            framed(b"1 2"),
        ):
            journal, store = opened()
            journal.keep_reading(1, "o1", AT + 5, REGISTER_MWH + 500)
            journal.keep_steps(1, [[0, REGISTER_MWH]])
            store.files[name] = damage
            journal = Booted(store)
            kept = journal.load(1)
            assert journal.lost == [name], (name, damage)
            if expected is None:
                assert kept is None, (name, damage)
            else:
                assert (kept.at, kept.register_mwh) == expected, (name, damage)


def test_ids_are_remembered_until_no_clock_set_back_makes_them_valid_again():
    store = MemoryStore()
    journal = Booted(store)
    assert journal.consume_id("o1", AT + 60, AT) and journal.is_used("o1")
    journal.keep_ids()
    assert Booted(store).is_used("o1")
    assert journal.consume_id("o2", AT + 460, AT + 59 + CLOCK_BACK_S)
    assert journal.is_used("o1"), "forgotten while it could still be valid"
    assert journal.consume_id("o3", AT + 560, AT + 60 + CLOCK_BACK_S)
    journal.keep_ids()
    assert not journal.is_used("o1") and journal.is_used("o2") and Booted(store).is_used("o3")


def test_without_a_clock_no_id_is_forgotten():
    journal = Booted(MemoryStore())
    journal.consume_id("o1", AT, None)
    journal.consume_id("o2", AT + 9, None)
    assert journal.is_used("o1") and journal.is_used("o2")


def test_ids_beyond_the_bound_are_refused_rather_than_forgotten():
    store = MemoryStore()
    journal = Booted(store)
    for i in range(USED_MAX):
        assert journal.consume_id("o%d" % i, AT + 60, AT)
    assert not journal.consume_id("one more", AT + 60, AT)
    journal.keep_ids()
    assert not journal.is_used("one more") and Booted(store).is_used("o0")
    assert journal.consume_id("one more", AT + 120, AT + 60)


def test_a_refused_write_of_ids_is_tried_again():
    store = MemoryStore()
    journal = Booted(store)
    journal.consume_id("o1", AT + 60, AT)
    store.refusing = True
    raises(OSError, journal.keep_ids)
    assert journal.is_used("o1")
    store.refusing = False
    journal.keep_ids()
    assert Booted(store).is_used("o1")
    store.log = []
    journal.keep_ids()
    assert store.log == [], "nothing new to keep"


def test_ids_that_running_orders_stood_for_are_no_damage():
    store = MemoryStore()
    journal = Booted(store)
    for i in range(USED_MAX):
        journal.consume_id("o%d" % i, AT + 60, AT)
    for i in range(messages.MAX_CONNECTORS):
        journal.consume_id_of_kept("running-%d" % i, AT + 60)
    journal.keep_ids()
    journal = Booted(store)
    assert journal.lost == [] and journal.is_used("o0") and journal.is_used("running-7")


def test_faults_come_back():
    store = MemoryStore()
    Booted(store).save_faults({1: ["GroundFailure", AT], 3: ["InternalError", None]})
    assert Booted(store).faults() == {1: ["GroundFailure", AT], 3: ["InternalError", None]}


def test_damaged_ids_and_faults_do_not_stop_the_pile():
    for damage in (b"[", framed(b"["), framed(b""), framed(b'{"a":1}'), framed(b"[1]"), b"\xff" * 300):
        store = MemoryStore()
        store.files["used"] = store.files["faults"] = damage
        journal = Booted(store)
        assert journal.faults() == {} and not journal.is_used("o1"), damage
        assert sorted(journal.lost) == ["faults", "used"], damage


def test_files_that_cannot_be_read_are_no_absent_ones():
    """Read as absent and named by nobody, a latched weld was forgotten, and ids that were used were not."""
    journal, store = opened()
    journal.save_faults({1: ["PowerSwitchFailure", AT]})
    journal.consume_id("o1", AT + 60, AT)
    journal.keep_ids()
    store.unreadable.update(("faults", "used", "order-1", "check-1"))
    journal, _ = opened(store)
    assert journal.faults() == {} and journal.load(1) is None and journal.register_mwh(1) == 0
    assert sorted(journal.lost) == ["check-1", "faults", "order-1", "used"]


def test_an_empty_file_is_what_a_cut_leaves_of_a_new_one_and_no_damage():
    """littlefs makes a file before it fills it: each cut in between was counted as damage."""
    journal, store = opened()
    for name in ("order-1", "check-1", "steps-1", "used", "faults"):
        store.files[name] = b""
    journal = Booted(store)
    assert journal.load(1) is None and journal.faults() == {} and journal.register_mwh(1) == 0
    assert journal.lost == []


def test_lost_price_steps_and_readings_are_told_apart_from_none():
    journal, store = opened()
    assert loaded(store).boundaries == [] and not loaded(store).ran
    for damage in (b"foreign", framed(b'[["a", 1]]'), framed(b"[[100, 1]]"), framed(b"[]")):
        store.files["steps-1"] = store.files["check-1"] = damage
        assert loaded(store).boundaries is None and loaded(store).ran, damage


def test_a_stop_reason_is_kept_with_the_last_reading():
    journal, store = opened()
    journal.keep_reading(1, "o1", AT + 5, REGISTER_MWH + 500, "Remote")
    assert loaded(store).stop_reason == "Remote"
    journal.keep_reading(1, "o1", AT + 5, REGISTER_MWH + 500)
    assert loaded(store).stop_reason is None


def test_counts_come_back_and_a_refused_count_is_no_error():
    store = MemoryStore()
    journal = Booted(store)
    journal.count_boot(2)
    assert Reader(store, []).counts() == (1, 2)
    store.refusing = True
    journal.count_boot(1)
    assert Reader(store, []).counts() == (1, 2)
    for damage in (b"x", framed(b"1"), framed(b"-1 5"), framed(b"1 5 5")):
        store.files["boots"] = damage
        lost = []
        assert Reader(store, lost).counts() == (0, 0) and lost == ["boots"], damage


def test_how_often_an_order_went_on_is_kept_and_missing_in_files_of_the_last_release():
    journal, store = opened()
    journal.keep_reading(1, "o1", AT + 5, REGISTER_MWH + 500, None, 3)
    assert loaded(store).recoveries == 3
    journal.keep_reading(1, "o1", AT + 5, REGISTER_MWH + 500)
    assert loaded(store).recoveries == 0 and store.files["check-1"].startswith(
        b"o1 %d %d -\n" % (AT + 5, 5_000_500)
    )


def test_price_steps_of_another_order_count_as_lost():
    """Their registers are another meter's: the order was billed up to them."""
    for boundaries in (
        [[0, 7], [1, 90_000_000]],
        [[1, REGISTER_MWH], [0, REGISTER_MWH + 5]],
        [[0, REGISTER_MWH + 1]],
    ):
        journal, store = opened()
        journal.keep_steps(1, boundaries)
        kept = loaded(store)
        assert kept.boundaries is None and kept.register_mwh == REGISTER_MWH, boundaries
