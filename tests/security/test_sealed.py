"""Sealed messages, every byte of each: what is not exactly what the cloud sealed, for this pile and now, does
nothing at all. Portable: tests/portable/run.py runs this file on MicroPython too.
"""

from pile.clock import UNSET
from pile_protocol import seal, topics
from tests.portable.kit import AT, DEVICE_ID, KEY, OTHER_KEY, Pile, order, raises, sealed, with_changes

_NONCE = "0123456789abcdef"


def attacks(data):
    """What one change can make of sealed bytes: each byte altered, each cut, each byte gone, additions."""
    for at in range(len(data)):
        for mask in (0x01, 0x20, 0x80):
            yield data[:at] + bytes((data[at] ^ mask,)) + data[at + 1 :]
        yield data[:at]
        yield data[:at] + data[at + 1 :]
    yield data + b" "
    yield data + data
    yield b" " + data


def command(action, **changes):
    message = {
        "kind": "command",
        "device_id": DEVICE_ID,
        "action": action,
        "issued_at": AT,
        "expires_at": AT + 60,
    }
    return with_changes(message, changes)


def refused(pile, name, attempts, untouched):
    """Each attempt is dropped, and `untouched()` holds after it. Returns how many there were."""
    count = 0
    for data in attempts:
        before = pile.controller.dropped
        pile.receive_bytes(name, data)
        assert pile.controller.dropped == before + 1, data
        assert untouched(), data
        count += 1
    return count


def test_an_order_altered_or_cut_anywhere_is_rejected_with_its_reason():
    pile = Pile()
    pile.store.log = []
    good = sealed(order())
    count = 0
    for data in attacks(good):
        pile.receive_bytes(topics.ORDER, data)
        pile.cycle(1, 0)  # in no time: the order itself is still valid after all that
        ((_, state, reason),) = pile.said()
        assert state == "Rejected" and reason in ("BadSeal", "Malformed"), (reason, data)
        assert not pile.relays[1] and pile.connector().order is None, data
        count += 1
    assert count > 5 * len(good)
    assert not pile.store.log, "a message that nobody sealed reached the flash"
    pile.receive_bytes(topics.ORDER, good)
    pile.cycle()
    assert pile.relays[1], "the order itself would have been taken"


def test_a_stop_altered_or_cut_anywhere_stops_nothing():
    pile = Pile()
    pile.charge(cycles=3)
    good = sealed(command("stop", order_id="o1"))

    def charging():
        return pile.session()._stop_asked is None

    assert refused(pile, topics.COMMAND, attacks(good), charging) > 5 * len(good)
    pile.cycle()
    assert pile.relays[1]
    pile.receive_bytes(topics.COMMAND, good)
    pile.cycle()
    assert not pile.relays[1]


def test_a_reset_altered_or_cut_anywhere_clears_nothing():
    pile = Pile()
    pile.readings().ground_fault = True
    pile.cycle()
    pile.readings().ground_fault = False
    good = sealed(command("reset", connector=1, issued_at=AT + 1))

    def faulted():
        return pile.connector().fault == "GroundFailure"

    assert refused(pile, topics.COMMAND, attacks(good), faulted) > 5 * len(good)
    pile.receive_bytes(topics.COMMAND, good)
    assert not faulted()


def test_a_time_altered_or_cut_anywhere_sets_no_clock():
    pile = Pile(told_at=None)
    pile.controller.hello(_NONCE)
    good = sealed({"kind": "time", "device_id": DEVICE_ID, "nonce": _NONCE, "at": AT})

    def unset():
        return pile.clock.source == UNSET and pile.clock.at() is None

    assert refused(pile, topics.TIME, attacks(good), unset) > 5 * len(good)
    pile.receive_bytes(topics.TIME, good)
    assert pile.clock.at() == AT


def test_an_acknowledgement_altered_or_cut_anywhere_deletes_nothing():
    pile = Pile()
    pile.charge(cycles=3)
    pile.stop()
    (settlement,) = pile.settlements()
    good = sealed(
        {
            "kind": "ack",
            "device_id": DEVICE_ID,
            "order_id": "o1",
            "seq": 1,
            "settlement_mac": settlement["mac"],
            "status": "Stored",
        }
    )

    def kept():
        return pile.controller.outbox.depth == 1

    assert refused(pile, topics.SETTLEMENT_ACK, attacks(good), kept) > 5 * len(good)
    pile.receive_bytes(topics.SETTLEMENT_ACK, good)
    assert pile.controller.outbox.depth == 0


def test_each_message_for_another_pile_or_of_another_key_does_nothing():
    pile = Pile()
    pile.charge(cycles=3)
    pile.controller.hello(_NONCE)
    messages = {
        topics.COMMAND: command("stop", order_id="o1"),
        topics.TIME: {"kind": "time", "device_id": DEVICE_ID, "nonce": _NONCE, "at": AT - 7_200},
        topics.SETTLEMENT_ACK: {
            "kind": "ack",
            "device_id": DEVICE_ID,
            "order_id": "o1",
            "seq": 1,
            "settlement_mac": "0" * 64,
            "status": "Stored",
        },
    }

    def untouched():
        return pile.session()._stop_asked is None and pile.clock.at() >= AT

    for name in messages:
        message = messages[name]
        attempts = [sealed(message, OTHER_KEY), sealed(with_changes(message, {"device_id": "SOMEONE-ELSE"}))]
        assert refused(pile, name, attempts, untouched) == 2


def test_a_message_is_no_message_of_another_topic():
    """Each says its own kind: what was sealed as one thing cannot be delivered as another."""
    pile = Pile()
    pile.controller.hello(_NONCE)
    kinds = {
        topics.ORDER: sealed(order()),
        topics.COMMAND: sealed(command("report")),
        topics.TIME: sealed({"kind": "time", "device_id": DEVICE_ID, "nonce": _NONCE, "at": AT + 99}),
    }
    for name in (topics.ORDER, topics.COMMAND, topics.TIME, topics.SETTLEMENT_ACK):
        for kind in kinds:
            if kind != name:
                assert refused(pile, name, [kinds[kind]], lambda: not pile.relays[1]) == 1, (name, kind)
    pile.cycle()
    assert not pile.relays[1] and pile.clock.at() < AT + 99


def test_each_reason_of_an_order_leaves_the_relay_alone():
    pile = Pile()
    for reason, changes, key in (
        ("BadSeal", {}, OTHER_KEY),
        ("WrongDevice", {"device_id": "SOMEONE-ELSE"}, KEY),
        ("UnknownConnector", {"connector": 2}, KEY),
        ("Expired", {"issued_at": AT - 61, "expires_at": AT - 1}, KEY),
        ("Expired", {"issued_at": AT - 60, "expires_at": AT}, KEY),
        ("NotYetValid", {"issued_at": AT + 31, "expires_at": AT + 91}, KEY),
    ):
        order_id = reason + str(changes.get("expires_at", ""))
        pile.receive_bytes(topics.ORDER, sealed(order(order_id, **changes), key))
        pile.cycle()
        assert pile.said() == [(order_id, "Rejected", reason)]
        assert not pile.relays[1]


def test_a_replayed_stop_ends_no_other_order():
    pile = Pile()
    pile.charge("o1", cycles=3)
    stop = sealed(command("stop", order_id="o1"))
    pile.receive_bytes(topics.COMMAND, stop)
    pile.cycle(12)
    pile.charge("o2", cycles=3)
    pile.receive_bytes(topics.COMMAND, stop)
    pile.cycle()
    assert pile.relays[1] and pile.connector().order.order_id == "o2"


def test_a_member_before_the_seal_counts_and_one_after_it_is_none():
    data = sealed(order())
    late = data[:-1] + b',"x":1}'
    raises(seal.SealError, seal.check, late, KEY)
