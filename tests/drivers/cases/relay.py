import time

import lab
from machine import Pin

from drivers.esp32.relay import Relay


def level(number=26):
    return lab.pins[number].value()


def test_constructing_opens_whatever_the_pin_was():
    Pin(26, Pin.OUT, value=1)
    Relay(26)
    assert level() == 0


def test_constructing_sets_the_level_before_the_direction():
    """Else the pin would show the other level for a moment, and an active-low relay would click."""
    Relay(26, closed_level=0)
    assert lab.uses[:2] == [(26, "level 1"), (26, "output")], lab.uses


def test_active_low():
    relay = Relay(26, closed_level=0, min_off_ms=0)
    relay.set(True)
    assert level() == 0
    relay.set(False)
    assert level() == 1


def test_opening_never_waits():
    relay = Relay(26, min_off_ms=0)
    relay.set(True)
    relay.set(False)  # in the very same millisecond
    assert level() == 0


def test_closing_waits_for_the_minimum_off_time():
    relay = Relay(26, min_off_ms=1000)
    lab.advance(999)
    relay.set(True)
    assert level() == 0
    lab.advance(1)
    relay.set(True)
    assert level() == 1
    relay.set(False)
    lab.advance(500)
    relay.set(True)
    assert level() == 0


def test_the_off_time_counts_from_the_opening_not_from_repeated_commands():
    relay = Relay(26, min_off_ms=1000)
    for _ in range(10):
        relay.set(False)
        lab.advance(100)
    relay.set(True)
    assert level() == 1


def test_a_relay_open_for_a_week_closes_at_once():
    """Ticks wrap after 12.4 days: a difference of more than half of that looks like the future."""
    relay = Relay(26, min_off_ms=1000)
    relay.set(False)
    for _ in range(7 * 24):
        time.advance_ms(3_600_000)
        relay.set(False)
    relay.set(True)
    assert level() == 1


def test_the_pin_is_written_in_every_cycle():
    """A glitch that turned the output on lasts one cycle at most."""
    relay = Relay(26)
    lab.pins[26].level = 1
    relay.set(False)
    assert level() == 0


def test_feedback_reads_the_contact_not_the_command():
    relay = Relay(26, feedback=27, min_off_ms=0)
    assert relay.is_closed() is False
    relay.set(True)
    assert relay.is_closed() is False  # stuck open
    lab.drive(27, 0)
    assert relay.is_closed() is True
    relay.set(False)
    assert relay.is_closed() is True  # welded


def test_no_feedback_wired():
    relay = Relay(26, min_off_ms=0)
    relay.set(True)
    assert relay.is_closed() is None


def test_while_closing_waits_an_open_contact_is_no_failure():
    relay = Relay(26, feedback=27, min_off_ms=5000)
    relay.set(True)
    assert relay.is_closed() is None
    relay.set(False)
    assert relay.is_closed() is False
