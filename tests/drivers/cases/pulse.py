import gc
import time

import lab

from drivers.esp32.counters import IrqCounter, counter
from drivers.esp32.pulse import PulseMeter, s0

PIN = 32


def meter_at(imp_per_kwh=1000, max_power_w=11_000):
    return s0(counter(0, PIN), imp_per_kwh, max_power_w)


def read(meter):
    """The register; None while it is invalid."""
    return meter.register_mwh if meter.poll() else None


def flow(meter, pulses, every_ms):
    """Energy flows: so many pulses, read as the control loop does; returns the last register."""
    for _ in range(pulses):
        for _ in range(every_ms // 100):
            lab.advance(100)
            read(meter)
        lab.pulse(PIN)
    lab.advance(100)
    return read(meter)


def test_register_from_the_total_so_rounding_never_adds_up():
    meter = meter_at(imp_per_kwh=3200)
    assert flow(meter, 3200, 200) == 1_000_000
    assert flow(meter, 1, 200) == 1_000_312  # 312.5 a pulse


def test_goes_on_from_the_restored_register():
    meter = meter_at()
    flow(meter, 3, 500)
    meter.restore(5_000_123)
    assert read(meter) == 5_000_123
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
        seen = read(meter)
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
    assert read(meter) == 9_000


def test_glitches_shorter_than_the_filter_do_not_count():
    meter = meter_at()
    for _ in range(1000):
        lab.pulse(PIN, 5_000)  # 5 us
    lab.advance(100)
    assert read(meter) == 0


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
            read(meter)
        assert meter.power_mw() <= most_mw


def test_the_first_pulse_after_a_pause_tells_no_power():
    meter = meter_at()
    flow(meter, 10, 500)
    for _ in range(2 * 3600 * 10):
        time.advance_ms(100)
        read(meter)
        meter.power_mw()
    lab.pulse(PIN)
    read(meter)
    assert meter.power_mw() == 0


def test_noise_is_never_billed():
    """50 Hz hum on an open wire: 50 pulses a second on a connector that can carry three."""
    meter = meter_at()
    before = flow(meter, 5, 400)
    for _ in range(100):
        for _ in range(5):
            lab.pulse(PIN)
        lab.advance(100)
        assert read(meter) is None
    lab.advance(meter.settle_ms)
    # What passed before the noise was known is at most what full power would have given, and a burst.
    assert before <= read(meter) <= before + 5_000, read(meter) - before


def test_noise_that_comes_and_goes_bills_no_more_than_full_power():
    """The worst case: each burst ends as soon as it is known, and comes again after the quiet time."""
    for imp_per_kwh, max_power_w in ((1000, 11_000), (1000, 2_000), (800, 2_000), (10_000, 22_000)):
        meter = meter_at(imp_per_kwh, max_power_w)
        began_ms = time.now_us() // 1000
        for burst in (4, 5, 7, 40):
            for _ in range(12):
                for _ in range(burst):
                    lab.pulse(PIN)
                    lab.advance(30)
                    read(meter)
                while read(meter) is None:
                    lab.advance(100)
        most_mwh = max_power_w * (time.now_us() // 1000 - began_ms) // 3_600
        assert meter.register_mwh <= most_mwh + 5 * meter.step_mwh(), (meter.register_mwh, most_mwh)


def test_six_short_edges_make_the_register_invalid_no_longer_than_it_says():
    """20 us pass the chip's filter of 12.7 us. The grace of the order follows settle_ms."""
    for max_power_w in (3_600, 9_000, 11_000, 22_000):
        meter = meter_at(max_power_w=max_power_w)
        flow(meter, 5, 1_100)
        for _ in range(6):
            lab.pulse(PIN, 20_000)
        invalid_ms = 0
        lab.advance(100)
        while read(meter) is None:
            invalid_ms += 100
            lab.advance(100)
        assert 0 < invalid_ms <= meter.settle_ms <= 3_600_000 * 3 // max_power_w + 500, (
            max_power_w,
            invalid_ms,
            meter.settle_ms,
        )


def test_a_house_socket_is_valid_again_within_the_time_that_an_order_waits_for_a_meter():
    assert meter_at(max_power_w=9_000).settle_ms < 2_000


def test_a_long_rest_saves_up_no_credit_for_noise():
    meter = meter_at()
    for _ in range(36_000):
        time.advance_ms(100)
        read(meter)
    for _ in range(100):
        lab.pulse(PIN)
    lab.advance(100)
    assert read(meter) is None


def test_what_comes_before_it_has_been_quiet_does_not_count():
    meter = meter_at()
    for _ in range(100):
        lab.pulse(PIN)
    assert flow(meter, 1, 300) is None
    lab.advance(meter.settle_ms)
    assert read(meter) == 0


def test_full_power_with_jitter_is_no_noise():
    meter = meter_at(max_power_w=7_200)  # a pulse every 500 ms at full power
    register = 0
    for i in range(200):
        lab.advance(480 + (i % 2) * 40)
        lab.pulse(PIN)
        register = read(meter)
        assert register is not None, i
    assert register == 200_000


def test_a_late_cycle_is_no_noise():
    """Seconds of pulses read at once, because a TLS handshake held the loop up."""
    meter = meter_at()
    for _ in range(12):
        lab.advance(400)
        lab.pulse(PIN)
    assert read(meter) == 12_000


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
            read(meter)
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


def test_the_step_is_a_pulse_rounded_up():
    for imp_per_kwh, step_mwh in ((800, 1_250), (1000, 1_000), (3200, 313), (12_800, 79)):
        assert meter_at(imp_per_kwh).step_mwh() == step_mwh


def test_noise_says_nothing_of_the_power():
    meter = meter_at()
    flow(meter, 10, 500)
    for _ in range(100):
        lab.pulse(PIN)
    assert read(meter) is None and meter.power_mw() is None


def test_a_counter_turns_the_output_of_its_pin_off():
    """As the chip's driver does: a pin that is to be pulsed by the program must be made an output again."""
    from machine import Counter, Pin

    pin = Pin(PIN, Pin.OUT, value=1)
    made = Counter(0, pin, edge=Counter.FALLING)
    pin.value(0)
    assert made.value() == 0 and pin.mode == Pin.IN
