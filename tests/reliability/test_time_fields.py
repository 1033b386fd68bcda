"""Time as the wire and the time server tell it: leap seconds, 2036, 2038, and clocks that jump. Portable:
tests/portable/run.py runs this file on MicroPython, 64-bit and 32-bit.
"""

from net import ntp
from pile.admission import FUTURE_S
from pile_protocol import topics, wire
from tests.portable.kit import AT, DEVICE_ID, Pile, order, rate, sealed

Y2038_AT = 1 << 31  # where a signed 32-bit time_t ends
Y2036_AT = (1 << 32) - 2_208_988_800  # where NTP's 32 bits of seconds begin anew
LAST_AT = wire.AT.high
_NONCE = "0123456789abcdef"


def tell(pile, at):
    """The cloud's answer to a greeting."""
    pile.controller.hello(_NONCE)
    pile.receive(topics.TIME, {"kind": "time", "device_id": DEVICE_ID, "nonce": _NONCE, "at": at})


def order_at(at, order_id="o1", duration_s=3_600):
    locked = rate(steps=[[at - 10, 1_000_000, 800_000, "flat"]], until_at=at + 10_000)
    limits = {"duration_s": duration_s}
    return order(order_id, issued_at=at, expires_at=at + 60, rate=locked, limits=limits)


def charged_at(at, duration_s=5):
    """The settlement of an order that began at `at` and ran to its time limit."""
    pile = Pile(told_at=at)
    pile.receive_bytes(topics.ORDER, sealed(order_at(at, duration_s=duration_s)))
    pile.cycle(duration_s * 10 + 20)
    (settlement,) = pile.settlements()
    return settlement


def test_orders_run_over_the_ends_of_32_bit_time():
    for at in (Y2038_AT, Y2036_AT, (1 << 32) - 1 - 400_000_000):
        for early_s in (2, 0, -2):  # into it, with it, after it
            settlement = charged_at(at - early_s)
            assert settlement["stop_reason"] == "TimeLimitReached"
            assert settlement["started_at"] == at - early_s
            assert settlement["ended_at"] - settlement["started_at"] == 5
            assert settlement["energy_mwh"] > 0


def test_a_time_beyond_the_wires_bounds_is_refused():
    for at in (LAST_AT + 1, 1_599_999_999, 0, -1, 1 << 64):
        pile = Pile()
        tell(pile, at)
        assert pile.clock.at() == AT and pile.controller.dropped == 1
        pile.receive_bytes(topics.ORDER, sealed(order(issued_at=at, expires_at=at + 60)))
        pile.cycle()
        assert not pile.relays[1]


def test_a_leap_second_takes_nothing_from_an_order_and_gives_nothing():
    """Unix time says the second before midnight twice: in an order the clock is told back by one."""
    pile = Pile()
    pile.receive_bytes(topics.ORDER, sealed(order_at(AT, duration_s=10)))
    pile.cycle(50)
    tell(pile, AT + 4)
    pile.cycle(49)
    assert pile.relays[1], "the limit is reached in the order's own time"
    pile.cycle(10)
    (settlement,) = pile.settlements()
    assert settlement["ended_at"] - settlement["started_at"] == 10


def test_an_order_of_a_leap_second_expires_at_most_a_second_later():
    pile = Pile()
    tell(pile, AT + 59)  # the second that is said twice
    pile.cycle(10)
    tell(pile, AT + 59)
    pile.receive_bytes(topics.ORDER, sealed(order_at(AT, "in-time")))
    pile.cycle(1)
    assert pile.relays[1]
    pile.stop("in-time")
    pile.cycle(10)
    pile.receive_bytes(topics.ORDER, sealed(order_at(AT, "too-late")))
    pile.cycle()
    assert pile.said()[-1] == ("too-late", "Rejected", "Expired")


def test_without_a_clock_at_boot_nothing_starts_until_the_cloud_tells_it():
    pile = Pile(told_at=None)
    pile.order("early")
    pile.cycle()
    assert pile.said() == [("early", "Rejected", "NoClock")] and not pile.relays[1]
    tell(pile, AT)
    pile.order("later")
    pile.cycle()
    assert pile.relays[1]


def test_the_order_itself_moves_no_clock():
    pile = Pile()
    pile.receive_bytes(topics.ORDER, sealed(order_at(AT + FUTURE_S)))
    pile.cycle()
    assert pile.relays[1] and pile.clock.at() == AT


def answer(seconds, leap=0, stratum=1):
    nonce = b"12345678"
    packet = bytes((leap << 6 | 4 << 3 | 4, stratum)) + bytes(22) + nonce + bytes(8)
    return packet + seconds.to_bytes(4, "big") + bytes(4), nonce


def test_the_time_servers_leap_warning_is_no_reason_to_doubt_and_its_alarm_is():
    at = AT + 2_208_988_800
    for leap in (0, 1, 2):
        packet, nonce = answer(at & 0xFFFFFFFF, leap)
        assert ntp.parse(packet, nonce) == AT
    packet, nonce = answer(at & 0xFFFFFFFF, 3)
    assert ntp.parse(packet, nonce) is None


def test_the_time_servers_seconds_begin_anew_in_2036():
    for at in (Y2036_AT - 1, Y2036_AT + 1, Y2038_AT, LAST_AT):
        packet, nonce = answer((at + 2_208_988_800) & 0xFFFFFFFF)
        assert ntp.parse(packet, nonce) == at, at
