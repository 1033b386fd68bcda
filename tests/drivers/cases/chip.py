"""What all boards of an ESP32 share: watchdog, calendar, reset cause, memory."""

import sys
import time

import esp32
import lab
import machine

from drivers.esp32 import board, rtc
from drivers.esp32.watchdog import HAND_OVER_MS, Watchdog

SEALED_AT = 1_795_413_797  # 23 November 2026, 06:03:17


def reset(cause):
    """The chip starts again: modules and interrupts are gone, the calendar and the RTC memory are not."""
    lab.timers.clear()
    Watchdog.handed_over = None
    rtc.SinceReset.sealed = False
    lab.reset_cause = cause


# -- watchdog ----------------------------------------------------------------------------------------------


def test_watchdog_is_fed_only_when_told():
    reset(1)
    made = Watchdog()
    lab.advance(5_000)
    assert lab.watchdog.feeds == 0
    made.feed()
    assert lab.watchdog.feeds == 1
    assert lab.watchdog.timeout == 8_000


def test_watchdog_feeds_itself_once_a_person_has_the_console():
    reset(1)
    Watchdog().hand_over()
    lab.advance(10_000)
    assert lab.watchdog.feeds == 11


def test_a_pile_that_is_interrupted_and_left_alone_restarts():
    """A stray Ctrl-C on the serial line must not take it out of service until somebody comes."""
    reset(1)
    Watchdog().hand_over()
    for _ in range(HAND_OVER_MS // 1000 + 60):
        lab.advance(1_000)
    assert HAND_OVER_MS // 1000 - 1 <= lab.watchdog.feeds <= HAND_OVER_MS // 1000 + 1
    assert HAND_OVER_MS <= 600_000


def test_a_pile_that_is_started_again_from_the_repl_feeds_by_itself():
    """Else the old timer would feed the watchdog of a control loop that hangs."""
    reset(1)
    Watchdog().hand_over()
    lab.advance(3_000)
    again = Watchdog()
    feeds = lab.watchdog.feeds
    lab.advance(60_000)
    assert lab.watchdog.feeds == feeds
    again.feed()
    assert lab.watchdog.feeds == feeds + 1
    again.hand_over()  # and it can be interrupted again
    lab.advance(5_000)
    assert lab.watchdog.feeds == feeds + 7


def test_a_new_watchdog_leaves_the_timer_of_a_bus_alone():
    reset(1)
    called = []
    machine.Timer(0).init(mode=machine.Timer.ONE_SHOT, period=50, callback=called.append)
    Watchdog()
    lab.advance(100)
    assert called


# -- calendar ----------------------------------------------------------------------------------------------


def test_unix_time_becomes_the_chips_calendar():
    reset(1)
    rtc.set_utc(SEALED_AT)
    assert lab.rtc == (2026, 11, 23, 0, 6, 3, 17, 0), lab.rtc
    assert rtc.utc() == SEALED_AT
    lab.advance(5_000)
    assert rtc.utc() == SEALED_AT + 5
    rtc.set_utc(951_782_400)  # 29 February 2000
    assert lab.rtc[:3] == (2000, 2, 29)


def test_the_calendar_is_believed_after_every_reset_that_it_ran_through():
    """Watchdog, soft reset, and Hard, which is machine.reset() and a panic as well."""
    for cause, believed in ((1, False), (2, True), (3, True), (4, True), (5, True), (0, True)):
        reset(1)
        rtc.set_utc(SEALED_AT)
        reset(cause)
        lab.advance(1_000)
        assert rtc.utc() == (SEALED_AT + 1 if believed else None), cause


def test_power_on_forgets_the_calendar_for_good():
    """A brown-out counts as power-on, and may leave the RTC memory."""
    reset(1)
    rtc.set_utc(SEALED_AT)
    reset(1)
    assert rtc.utc() is None
    reset(3)
    assert rtc.utc() is None


def test_a_time_from_ntp_is_never_told_as_sealed():
    """Anybody can forge an NTP answer; a recovered order would be billed by it."""
    reset(1)
    assert rtc.utc() is None
    rtc.set_calendar(SEALED_AT)
    assert lab.rtc[0] == 2026  # certificates can be judged
    assert rtc.utc() is None
    reset(3)
    assert rtc.utc() is None


def test_ntp_does_not_move_a_sealed_calendar():
    reset(1)
    rtc.set_utc(SEALED_AT)
    rtc.set_calendar(SEALED_AT + 86_400)
    assert rtc.utc() == SEALED_AT
    reset(3)
    rtc.set_calendar(SEALED_AT + 86_400)
    assert rtc.utc() == SEALED_AT


def test_a_mark_of_another_program_or_a_damaged_one_is_none():
    reset(3)
    rtc.set_utc(SEALED_AT)
    good = lab.rtc_memory
    for i in range(len(good)):
        lab.rtc_memory = good[:i] + bytes((good[i] ^ 1,)) + good[i + 1 :]
        assert rtc.utc() is None, i
    for other in (b"", b" ", b"RateLock", b"RateLock 12", bytes(2_048)):
        lab.rtc_memory = other
        assert rtc.utc() is None, other


def test_a_calendar_that_is_behind_its_mark_is_none():
    reset(3)
    rtc.set_utc(SEALED_AT)
    time.set_calendar((2000, 1, 1, 0, 10, 0))
    assert rtc.utc() is None


# -- board -------------------------------------------------------------------------------------------------


def test_reset_causes_have_names():
    names = []
    for cause in (0, 1, 2, 3, 4, 5, 6, -1):
        lab.reset_cause = cause
        names.append(board.reset_cause())
    assert names == ["Unknown", "PowerOn", "Hard", "Watchdog", "DeepSleep", "Soft", "Unknown", "Unknown"]


def test_a_board_has_an_id_and_can_restart():
    assert board.chip() == "240ac4000102"
    before = lab.resets
    board.restart()
    assert lab.resets == before + 1


def test_heap_and_the_chips_own_ram_are_told_apart():
    """gc.mem_free() of an ESP32 adds the largest free block of the chip's RAM."""

    class Gc:
        free_bytes = 20_000 + 31_744

        def mem_free():
            return Gc.free_bytes

    own = sys.modules.get("gc")
    sys.modules["gc"] = Gc
    try:
        assert board.memory() == (20_000, 43_000, 23_000), board.memory()
        Gc.free_bytes = 20_000  # a build that counts the heap alone: a negative number is no measurement
        assert board.memory() == (None, 43_000, 23_000), board.memory()
    finally:
        if own:
            sys.modules["gc"] = own
        else:
            del sys.modules["gc"]
    assert len(esp32.idf_heap_info(esp32.HEAP_DATA)) == 2
