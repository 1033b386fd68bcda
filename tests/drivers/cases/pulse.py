import gc
import time

import lab

from drivers.esp32.counters import IrqCounter, counter
from drivers.esp32.pulse import QUIET_MS, PulseMeter, s0

PIN = 32


def meter_at(imp_per_kwh=1000, max_power_w=11_000):
    return s0(counter(0, PIN), imp_per_kwh, max_power_w)


def flow(meter, pulses, every_ms):
    """Energy flows: so many pulses, read as the control loop does; returns the last register."""
    for _ in range(pulses):
        for _ in range(every_ms // 100):
            lab.advance(100)
            meter.register_mwh()
        lab.pulse(PIN)
    lab.advance(100)
    return meter.register_mwh()


def test_register_from_the_total_so_rounding_never_adds_up():
    meter = meter_at(imp_per_kwh=3200)
    assert flow(meter, 3200, 200) == 1_000_000
    assert flow(meter, 1, 200) == 1_000_312  # 312.5 a pulse


def test_goes_on_from_the_restored_register():
    meter = meter_at()
    flow(meter, 3, 500)
    meter.restore(5_000_123)
    assert meter.register_mwh() == 5_000_123
    assert flow(meter, 2, 500) == 5_002_123


def test_every_ratio_of_din_43864():
    for imp_per_kwh in (800, 1000, 1600, 3200, 10_000, 12_800):
        meter = s0(counter(0, PIN), imp_per_kwh, 11_000)
        assert flow(meter, 100, 500) == 100 * 1_000_000 // imp_per_kwh


def test_hardware_counts_through_its_overflow():
    meter = PulseMeter(counter(0, PIN), 100, 287, 50_000)  # as an HLW8012: hundreds of pulses a second
    register = 0
    for _ in range(700):
        for _ in range(100):
            lab.pulse(PIN, 1_000_000)
        lab.advance(100)
        seen = meter.register_mwh()
        assert seen >= register
        register = seen
    assert register == 70_000 * 287 // 100


def test_hardware_counts_while_the_interpreter_is_busy():
    meter = meter_at()
    lab.busy(True)
    for _ in range(9):
        lab.advance(400)
        lab.pulse(PIN)
    lab.busy(False)
    assert meter.register_mwh() == 9_000


def test_glitches_shorter_than_the_filter_do_not_count():
    meter = meter_at()
    for _ in range(1000):
        lab.pulse(PIN, 5_000)  # 5 us
    lab.advance(100)
    assert meter.register_mwh() == 0


def test_power_from_the_spacing_of_pulses():
    meter = meter_at()  # 1 Wh a pulse
    flow(meter, 10, 500)  # 1 Wh in 0.5 s: 7.2 kW
    assert 7_000_000 <= meter.power_mw() <= 7_400_000, meter.power_mw()


def test_power_decays_when_no_pulse_comes():
    meter = meter_at()
    flow(meter, 10, 500)
    for seconds, most_mw in ((1, 3_600_000), (10, 360_000), (300, 12_000)):
        lab.advance(100)
        while lab.time.ticks_diff(lab.time.ticks_ms(), meter._pulse_ms) < seconds * 1000:
            time.advance_ms(100)
            meter.register_mwh()
        assert meter.power_mw() <= most_mw


def test_the_first_pulse_after_a_pause_tells_no_power():
    meter = meter_at()
    flow(meter, 10, 500)
    for _ in range(2 * 3600 * 10):
        time.advance_ms(100)
        meter.register_mwh()
        meter.power_mw()
    lab.pulse(PIN)
    meter.register_mwh()
    assert meter.power_mw() == 0


def test_noise_is_never_billed():
    """50 Hz hum on an open wire: 50 pulses a second on a connector that can carry three."""
    meter = meter_at()
    before = flow(meter, 5, 400)
    for _ in range(100):
        for _ in range(5):
            lab.pulse(PIN)
        lab.advance(100)
        register = meter.register_mwh()
    assert register is None
    for _ in range(QUIET_MS // 100):
        lab.advance(100)
        register = meter.register_mwh()
    # What passed before the noise was known is at most what full power would have given, and a burst.
    assert before <= register <= before + 5_000, register - before


def test_noise_is_none_until_it_has_been_quiet():
    meter = meter_at()
    for _ in range(100):
        lab.pulse(PIN)
    lab.advance(100)
    assert meter.register_mwh() is None
    lab.advance(QUIET_MS - 1)
    assert meter.register_mwh() is None
    lab.advance(1)
    assert meter.register_mwh() == 0


def test_a_long_rest_saves_up_no_credit_for_noise():
    meter = meter_at()
    for _ in range(36_000):
        time.advance_ms(100)
        meter.register_mwh()
    for _ in range(100):
        lab.pulse(PIN)
    lab.advance(100)
    assert meter.register_mwh() is None


def test_what_comes_before_it_has_been_quiet_does_not_count():
    meter = meter_at()
    for _ in range(100):
        lab.pulse(PIN)
    assert flow(meter, 5, 800) is None
    lab.advance(QUIET_MS)
    assert meter.register_mwh() == 0


def test_full_power_with_jitter_is_no_noise():
    meter = meter_at(max_power_w=7_200)  # a pulse every 500 ms at full power
    register = 0
    for i in range(200):
        lab.advance(480 + (i % 2) * 40)
        lab.pulse(PIN)
        register = meter.register_mwh()
        assert register is not None, i
    assert register == 200_000


def test_a_late_cycle_is_no_noise():
    """Seconds of pulses read at once, because a TLS handshake held the loop up."""
    meter = meter_at()
    for _ in range(12):
        lab.advance(400)
        lab.pulse(PIN)
    assert meter.register_mwh() == 12_000


def test_across_the_wrap_of_the_ticks():
    time.set_ms(time.TICKS_PERIOD - 3_000)
    meter = meter_at()
    assert flow(meter, 20, 500) == 20_000
    assert 7_000_000 <= meter.power_mw() <= 7_400_000


def test_a_cycle_without_a_pulse_allocates_nothing():
    meter = meter_at()
    flow(meter, 10, 500)

    def cycles(count):
        for _ in range(count):
            meter.register_mwh()
            meter.power_mw()

    cycles(10)
    gc.collect()
    before = gc.mem_alloc()
    cycles(1000)
    assert gc.mem_alloc() == before, gc.mem_alloc() - before


def test_irq_counts_pulses_and_not_bounces():
    irq = IrqCounter(PIN)
    for _ in range(10):
        lab.advance(100)
        lab.pulse(PIN)
        lab.advance(3)
        lab.pulse(PIN)  # the contact bounces
    assert irq.value() == 10


def test_irq_counts_too_little_never_too_much_while_the_interpreter_is_busy():
    irq = IrqCounter(PIN)
    lab.advance(100)
    lab.busy(True)
    for _ in range(20):
        lab.advance(100)
        lab.pulse(PIN)
    lab.busy(False)
    assert lab.dropped == 12
    assert irq.value() == 1
    lab.advance(100)
    lab.pulse(PIN)
    assert irq.value() == 2


def test_irq_counts_a_pulse_after_a_week_of_none():
    irq = IrqCounter(PIN)
    time.advance_ms(7 * 24 * 3_600_000)
    lab.pulse(PIN)
    assert irq.value() == 1
