"""Settlements in flash: in order, none lost, none twice, whatever a power cut leaves behind."""

from pile import outbox as module
from pile.outbox import SEGMENT_BYTES, Outbox
from pile_protocol import seal
from tests.portable.kit import KEY, MemoryStore, raises


def settlement(seq, order_id=None, size=300):
    text = '{"kind":"settlement","order_id":"%s","seq":%d,"pad":"%s"}' % (
        order_id or "o%d" % seq,
        seq,
        "x" * size,
    )
    return seal.seal(text, KEY)


def mac(sealed):
    return sealed[-66:-2].decode()


def boot(store, open_order_ids=(), **options):
    """(outbox, settled ids) as after a restart."""
    outbox = Outbox(store, **options)
    return outbox, outbox.load(list(open_order_ids))


def filled(count, store=None, size=300):
    """An outbox with settlements 1 to count, and its store."""
    store = store or MemoryStore()
    outbox, _ = boot(store)
    for seq in range(outbox.last_seq + 1, count + 1):
        outbox.add(settlement(seq, size=size))
    return outbox, store


def drain(outbox):
    """Acknowledges everything; returns the sequence numbers in the order they were given."""
    seqs = []
    while outbox.head():
        seq, sealed = outbox.head()
        assert sealed == settlement(seq, size=len(sealed) - len(settlement(seq, size=0)))
        assert outbox.acknowledge(seq, mac(sealed))
        seqs.append(seq)
    return seqs


def segments(store):
    return sorted([name for name in store.names() if name.startswith("out-")])


def test_an_empty_outbox():
    outbox, settled = boot(MemoryStore())
    assert (outbox.last_seq, outbox.last_mac, outbox.depth, outbox.head(), settled) == (
        0,
        None,
        0,
        None,
        set(),
    )
    assert not outbox.full and not outbox.acknowledge(1, "0" * 64)


def test_settlements_leave_in_order():
    outbox, _ = filled(40)
    assert outbox.depth == 40 and outbox.last_seq == 40 and outbox.last_mac == mac(settlement(40))
    assert drain(outbox) == list(range(1, 41))
    assert outbox.depth == 0 and outbox.head() is None


def test_the_head_stays_until_it_is_acknowledged():
    outbox, store = filled(3)
    assert outbox.head() == outbox.head() == (1, settlement(1))
    outbox.acknowledge(1, mac(settlement(1)))
    assert boot(store)[0].head() == (2, settlement(2))


def test_only_the_heads_own_acknowledgement_counts():
    outbox, store = filled(3)
    for seq, its_mac in ((1, mac(settlement(2))), (2, mac(settlement(2))), (0, mac(settlement(1))), (1, "")):
        assert not outbox.acknowledge(seq, its_mac), seq
    assert outbox.head()[0] == 1 and "acked" not in store.files
    assert outbox.acknowledge(1, mac(settlement(1)))
    assert not outbox.acknowledge(1, mac(settlement(1))), "acknowledged twice"


def test_everything_is_there_after_a_restart():
    for acknowledged in range(0, 13):
        outbox, store = filled(12, size=900)
        for _ in range(acknowledged):
            seq, sealed = outbox.head()
            outbox.acknowledge(seq, mac(sealed))
        outbox, _ = boot(store)
        assert (outbox.depth, outbox.last_seq) == (12 - acknowledged, 12)
        assert outbox.last_mac == mac(settlement(12, size=900))
        assert drain(outbox) == list(range(acknowledged + 1, 13))


def test_restarts_between_all_steps_lose_and_double_nothing():
    store = MemoryStore()
    seen = []
    for seq in range(1, 30):
        outbox, _ = boot(store)
        outbox.add(settlement(seq, size=700))
        outbox, _ = boot(store)
        if seq % 3 == 0:
            for _ in range(2):
                head_seq, sealed = outbox.head()
                outbox.acknowledge(head_seq, mac(sealed))
                seen.append(head_seq)
                outbox, _ = boot(store)
    assert seen + drain(outbox) == list(range(1, 30))


def test_segments_are_bounded_and_leave_flash_when_acknowledged():
    outbox, store = filled(40)
    for name in segments(store)[:-1]:
        assert SEGMENT_BYTES <= len(store.files[name]) < SEGMENT_BYTES + 500, name
    assert len(segments(store)) > 3
    drain(outbox)
    assert len(segments(store)) == 1, "the newest stays: it holds the end of the chain"
    assert boot(store)[0].last_seq == 40


def test_sequence_numbers_go_on_after_all_is_acknowledged():
    outbox, store = filled(5)
    drain(outbox)
    outbox, _ = boot(store)
    assert (outbox.last_seq, outbox.last_mac, outbox.depth) == (5, mac(settlement(5)), 0)
    outbox.add(settlement(6))
    assert drain(outbox) == [6]


def test_it_tells_which_open_orders_are_settled_already():
    _, store = filled(5)
    assert sorted(boot(store, ["o2", "o9", "o5", "o"])[1]) == ["o2", "o5"]


def test_capacity():
    outbox, _ = boot(MemoryStore(), capacity=3)
    for seq in (1, 2, 3):
        assert not outbox.full
        outbox.add(settlement(seq))
    assert outbox.full
    outbox.acknowledge(1, mac(settlement(1)))
    assert not outbox.full


def test_five_hundred_wait_and_all_leave_in_order():
    outbox, store = filled(500, size=0)
    assert outbox.full
    assert drain(boot(store)[0]) == list(range(1, 501))


# -- power cuts and decay ------------------------------------------------------------------------------------


def test_a_cut_at_every_byte_of_an_append():
    """The half line that a cut leaves behind is neither sent, nor counted, nor joined to the next one."""
    _, before = filled(3)
    name = segments(before)[-1]
    whole = len(before.files[name])
    _, after = filled(4, before)
    for kept in range(whole, len(after.files[name]) + 1):
        store = MemoryStore()
        store.files = dict(after.files)
        store.files[name] = after.files[name][:kept]
        outbox, _ = boot(store)
        last = 4 if kept == len(after.files[name]) else 3
        assert outbox.last_seq == last and outbox.last_mac == mac(settlement(last)), kept
        outbox.add(settlement(last + 1))
        assert drain(boot(store)[0]) == list(range(1, last + 2)), kept


def test_the_first_append_of_all_torn():
    _, full = filled(1)
    for kept in range(len(full.files["out-00000001"])):
        store = MemoryStore()
        store.files["out-00000001"] = full.files["out-00000001"][:kept]
        outbox, _ = boot(store)
        assert (outbox.last_seq, outbox.head()) == (0, None), kept
        outbox.add(settlement(1))
        outbox.add(settlement(2))
        assert drain(boot(store)[0]) == [1, 2], kept


def test_a_refused_append_can_be_tried_again():
    for torn in (0, 1, 50):
        outbox, store = filled(11)
        name = segments(store)[-1]
        store.refusing = True
        raises(OSError, outbox.add, settlement(12))
        raises(OSError, outbox.add, settlement(12))
        assert outbox.last_seq == 11
        store.refusing = False
        store.files[name] += (b"\n00000000 " + settlement(12))[:torn]
        outbox.add(settlement(12))
        assert drain(boot(store)[0]) == list(range(1, 13)), torn


def test_what_is_durable_is_counted_though_the_heap_is_full_by_then():
    class Full(MemoryStore):
        def append(self, name, data):
            super().append(name, data)
            module._mac = exhausted

    def exhausted(_):
        raise MemoryError

    whole = module._mac
    outbox, _ = boot(Full())
    try:
        outbox.add(settlement(1))
    finally:
        module._mac = whole
    assert (outbox.last_seq, outbox.last_mac) == (1, mac(settlement(1)))
    assert outbox.head() == (1, settlement(1))


def test_a_damaged_line_is_counted_once_and_passed_over():
    """It was counted at every look into its segment: the status showed flash decaying that did not."""
    _, store = filled(5)
    name = segments(store)[0]
    store.files[name] = store.files[name].replace(b'"seq":3', b'"seq":4')
    outbox, _ = boot(store)
    assert drain(outbox) == [1, 2, 4, 5]
    assert outbox.damaged == 1 and outbox.depth == 0


def test_a_damaged_head_is_passed_over():
    _, store = filled(3)
    name = segments(store)[0]
    store.files[name] = store.files[name].replace(b'"seq":1', b'"seq":9')
    assert drain(boot(store)[0]) == [2, 3]


def test_a_lost_or_damaged_acked_sends_again_and_loses_nothing():
    """The cloud knows a settlement that it stored: sending it again is safe, forgetting one is not."""
    for damage in (None, b"", b"foreign", b"\x00" * 90, OSError):
        outbox, store = filled(6)
        for _ in range(4):
            seq, sealed = outbox.head()
            outbox.acknowledge(seq, mac(sealed))
        if damage is None:
            del store.files["acked"]
        elif damage is OSError:
            store.unreadable.add("acked")
        else:
            store.files["acked"] = damage
        outbox, _ = boot(store)
        assert outbox.last_seq == 6 and outbox.last_mac == mac(settlement(6)), damage
        assert drain(outbox) == [1, 2, 3, 4, 5, 6], damage
        assert outbox.damaged == (1 if damage else 0), damage


def test_a_refused_write_of_acked_leaves_the_head_unacknowledged():
    outbox, store = filled(2)
    store.refusing = True
    raises(OSError, outbox.acknowledge, 1, mac(settlement(1)))
    assert outbox.head()[0] == 1 and outbox.depth == 2
    store.refusing = False
    assert outbox.acknowledge(1, mac(settlement(1)))


def test_a_segment_that_cannot_be_read_is_damage_and_no_end():
    """The error of the file system went up into the network's task and ended the firmware."""
    _, store = filled(20)
    names = segments(store)
    store.unreadable.add(names[0])
    outbox, _ = boot(store)
    assert outbox.damaged == 1 and outbox.last_seq == 20
    assert drain(outbox) == list(range(int(names[1][4:]), 21))


def test_foreign_files_are_no_segments():
    outbox, store = filled(2)
    for name in ("out-", "out-x", "out-0000000x", "output", "check-1"):
        store.files[name] = b"\n00000000 {}\n"
    assert drain(boot(store)[0]) == [1, 2]
