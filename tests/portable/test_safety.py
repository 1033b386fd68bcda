"""The latch: each fault with its grace period, latched until it is reset."""

from pile.readings import Readings
from pile.safety import (
    FEEDBACK_GRACE_MS,
    METER_GRACE_MS,
    OVERCURRENT_MS,
    WELD_ENERGY_MWH,
    WELD_WINDOW_MS,
    Limits,
    SafetyLatch,
)
from tests.portable.kit import REGISTER_MWH


class Bench:
    """A latch and its readings; the relay was commanded `commanded` and its contact obeys."""

    def __init__(self, commanded=True, fault=None):
        self.latch = SafetyLatch(Limits(), fault)
        self.readings = Readings()
        self.readings.register_mwh = REGISTER_MWH
        self.readings.relay_closed = commanded
        self.commanded = commanded
        self.now_ms = 0
        self.check(0)
        self.check(0)

    def check(self, passed_ms):
        self.now_ms += passed_ms
        return self.latch.check(self.now_ms, self.readings, self.commanded)


def set_reading(name, value):
    def change(bench):
        setattr(bench.readings, name, value)

    return change


# (what goes wrong, relay commanded, how long it is borne, the fault)
FAULTS = (
    (set_reading("ground_fault", True), True, 0, "GroundFailure"),
    (set_reading("ground_fault", True), False, 0, "GroundFailure"),
    (set_reading("temperature_c", 81), True, 0, "HighTemperature"),
    (set_reading("temperature_c", 81), False, 0, "HighTemperature"),
    (set_reading("current_ma", 35_001), True, OVERCURRENT_MS + 1, "OverCurrentFailure"),
    (set_reading("relay_closed", False), True, FEEDBACK_GRACE_MS + 1, "PowerSwitchFailure"),
    (set_reading("relay_closed", True), False, FEEDBACK_GRACE_MS + 1, "PowerSwitchFailure"),
    (set_reading("register_mwh", None), True, METER_GRACE_MS + 1, "PowerMeterFailure"),
    (set_reading("register_mwh", REGISTER_MWH + WELD_ENERGY_MWH + 1), False, 0, "PowerSwitchFailure"),
)

HARMLESS = (
    (set_reading("temperature_c", 80), True),
    (set_reading("temperature_c", -40), True),
    (set_reading("temperature_c", None), True),
    (set_reading("current_ma", 35_000), True),
    (set_reading("current_ma", None), True),
    (set_reading("relay_closed", None), True),
    (set_reading("relay_closed", None), False),
    (set_reading("register_mwh", None), False),
    (set_reading("register_mwh", REGISTER_MWH + WELD_ENERGY_MWH), False),
    (set_reading("register_mwh", 0), False),
    (set_reading("register_mwh", REGISTER_MWH * 100), True),
    (set_reading("estop", True), True),
    (set_reading("plugged", False), True),
)


def test_each_fault_latches_after_its_grace_period():
    for i, (change, commanded, borne_ms, fault) in enumerate(FAULTS):
        bench = Bench(commanded)
        change(bench)
        if borne_ms:
            assert bench.check(borne_ms - 1) is None, (i, fault)
            assert bench.check(1) == fault, (i, fault)
        else:
            assert bench.check(100) == fault, (i, fault)


def test_what_lasts_less_than_its_grace_period_never_adds_up():
    for i, (change, commanded, borne_ms, fault) in enumerate(FAULTS):
        if not borne_ms:
            continue
        bench = Bench(commanded)
        sound = Bench(commanded).readings
        for _ in range(10):
            faulty = Readings()
            faulty.register_mwh = REGISTER_MWH
            faulty.relay_closed = commanded
            bench.readings = faulty
            change(bench)
            assert bench.check(borne_ms - 1) is None, (i, fault)
            bench.readings = sound
            assert bench.check(100) is None, (i, fault)


def test_what_a_board_cannot_tell_or_bears_is_no_fault():
    for i, (change, commanded) in enumerate(HARMLESS):
        bench = Bench(commanded)
        change(bench)
        for _ in range(200):
            assert bench.check(100) is None, i


def test_a_fault_stays_when_its_cause_is_gone():
    bench = Bench()
    bench.readings.ground_fault = True
    bench.check(100)
    bench.readings.ground_fault = False
    for _ in range(100):
        assert bench.check(100) == "GroundFailure"


def test_the_first_fault_is_the_one_that_is_told():
    bench = Bench()
    bench.readings.temperature_c = 99
    bench.check(100)
    bench.readings.ground_fault = True
    assert bench.check(100) == "HighTemperature"


def test_ground_comes_first_among_faults_of_one_moment():
    bench = Bench()
    bench.readings.temperature_c = 99
    bench.readings.ground_fault = True
    assert bench.check(100) == "GroundFailure"


def test_a_reset_clears_and_a_cause_that_is_still_there_latches_again():
    bench = Bench()
    bench.readings.ground_fault = True
    bench.check(100)
    bench.latch.reset()
    assert bench.latch.fault is None
    assert bench.check(100) == "GroundFailure"
    bench.readings.ground_fault = False
    bench.latch.reset()
    assert bench.check(100) is None


def test_a_reset_grants_the_grace_periods_anew():
    for i, (change, commanded, borne_ms, fault) in enumerate(FAULTS):
        if not borne_ms:
            continue
        bench = Bench(commanded)
        change(bench)
        assert bench.check(borne_ms) == fault, (i, fault)
        bench.latch.reset()
        assert bench.check(borne_ms - 1) is None, (i, fault)
        assert bench.check(1) == fault, (i, fault)


def test_a_weld_that_drips_is_found_by_its_energy():
    bench = Bench(commanded=False)
    bench.readings.relay_closed = None
    for _ in range(30):
        bench.readings.register_mwh += 100
        assert bench.check(100) is None
    bench.readings.register_mwh += 1
    assert bench.check(100) == "PowerSwitchFailure"


def test_energy_is_counted_from_the_opening():
    bench = Bench(commanded=True)
    bench.readings.register_mwh += 10_000_000
    bench.check(100)
    bench.commanded = bench.readings.relay_closed = False
    assert bench.check(100) is None, "energy of the order taken for a weld"
    bench.readings.register_mwh += WELD_ENERGY_MWH + 1
    assert bench.check(100) == "PowerSwitchFailure"


def test_the_contact_gets_its_grace_at_every_command():
    bench = Bench(commanded=False)
    for commanded in (True, False, True, False):
        bench.commanded = commanded
        bench.check(100)
        assert bench.check(FEEDBACK_GRACE_MS - 100) is None
        bench.readings.relay_closed = commanded
        assert bench.check(100) is None


def test_a_fault_from_before_a_restart_is_there_from_the_start():
    bench = Bench(commanded=False, fault="PowerSwitchFailure")
    assert bench.check(100) == "PowerSwitchFailure"


def test_stray_pulses_over_weeks_are_no_weld():
    """Four of them in 22 days had latched PowerSwitchFailure until somebody came to reset it."""
    bench = Bench(commanded=False)
    bench.readings.relay_closed = None
    for _ in range(10):
        bench.readings.register_mwh += 1_000
        assert bench.check(WELD_WINDOW_MS + 100) is None
