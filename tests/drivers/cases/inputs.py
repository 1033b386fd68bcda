import gc
import math

import lab

from drivers.esp32.inputs import Contact, estop, ground_fault, plug, stop_button
from drivers.esp32.ntc import BROKEN_MV, OPEN_MV, Ntc, celsius


def cycles(contact, count):
    for _ in range(count):
        lab.advance(100)
        state = contact.read()
    return state


def test_plug_closes_to_ground():
    contact = plug(25)
    assert contact.read() is False
    lab.drive(25, 0)
    assert contact.read() is False
    assert cycles(contact, 1) is True
    lab.drive(25, None)
    contact.read()
    assert cycles(contact, 1) is False


def test_plugged_at_power_up_counts_at_once():
    """Else an order that a power cut ended would be settled as unplugged."""
    plug(25)
    lab.drive(25, 0)
    assert plug(25).read() is True


def test_bouncing_changes_nothing():
    contact = plug(25)
    for i in range(50):
        lab.drive(25, 0 if i % 2 else None)
        assert cycles(contact, 1) is False


def test_cycles_in_quick_succession_do_not_shorten_the_hold():
    """A message makes the control loop cycle at once."""
    contact = plug(25)
    lab.drive(25, 0)
    for _ in range(20):
        assert contact.read() is False
        lab.advance(1)


def test_emergency_stop_is_normally_closed():
    contact = estop(33)
    lab.drive(33, 0)
    cycles(contact, 2)
    assert contact.read() is False
    lab.drive(33, None)  # pressed, or the wire broke
    contact.read()
    assert cycles(contact, 1) is True


def test_residual_current_contact_is_normally_closed():
    contact = ground_fault(13)
    lab.drive(13, 0)
    cycles(contact, 2)
    assert contact.read() is False
    lab.drive(13, None)
    contact.read()
    assert cycles(contact, 1) is True


def test_a_spike_is_no_emergency():
    contact = estop(33)
    lab.drive(33, 0)
    cycles(contact, 2)
    lab.drive(33, 1)
    contact.read()
    lab.drive(33, 0)
    assert cycles(contact, 3) is False


def test_active_level():
    contact = Contact(25, 1, pull=None)
    lab.drive(25, 1)
    contact.read()
    assert cycles(contact, 1) is True


def test_the_stop_button_closes_while_it_is_pressed():
    button = stop_button(22)
    assert button.read() is False  # a broken wire, too
    lab.drive(22, 0)
    button.read()
    assert cycles(button, 1) is True
    lab.drive(22, None)
    button.read()
    assert cycles(button, 1) is False


def ntc_mv(celsius, supply_mv=3300):
    """The voltage at the pin: 15 kohm to the supply, the sensor and 39 kohm to ground."""
    ohm = 10_000 * math.exp(3950 * (1 / (celsius + 273.15) - 1 / 298.15))
    both = ohm * 39_000 / (ohm + 39_000)
    return supply_mv * both / (both + 15_000)


def test_ntc_table_is_the_formula():
    for tenths in range(-320, 970, 7):
        got = celsius(round(ntc_mv(tenths / 10)))
        assert abs(got - tenths / 10) <= 1.5, (tenths, got)


# (chip, where its ADC ends at 11 dB: the lowest and the highest that its calibration gives)
CHIPS = (("esp32c3", 2_498, 2_991), ("esp32", 3_050, 3_300), ("esp32s3", 2_900, 3_300))


def worst_mv(millivolts):
    """What the ADC may read for a voltage: supply and resistors 2.5 % off, the converter 35 mV."""
    return [int(millivolts * 0.975) - 35, int(millivolts), int(millivolts * 1.025) + 35]


def reading(millivolts, end_mv):
    """What a sensor reads at that voltage, on a chip whose ADC ends at end_mv."""
    lab.adc_end_mv = end_mv
    lab.microvolts[34] = millivolts * 1000
    ntc = Ntc(34)
    lab.advance(100)
    return ntc.read()


def test_a_broken_wire_is_none_on_every_chip():
    for chip, lowest_mv, highest_mv in CHIPS:
        for end_mv in range(lowest_mv, highest_mv + 1, 50):
            for millivolts in worst_mv(OPEN_MV) + [3_300]:  # 3,300: built without the 39 kohm
                assert reading(millivolts, end_mv) is None, (chip, end_mv, millivolts)


def test_the_coldest_documented_temperature_is_no_broken_wire_on_any_chip():
    for chip, lowest_mv, highest_mv in CHIPS:
        for end_mv in (lowest_mv, highest_mv):
            for millivolts in worst_mv(ntc_mv(-20)):
                got = reading(millivolts, end_mv)
                assert got is not None and got < 0, (chip, end_mv, millivolts, got)


def test_a_short_is_none_and_the_hottest_documented_temperature_is_not():
    for millivolts in (0, 142):  # an ESP32 reads 142 mV for 0 V
        assert reading(millivolts, 3_120) is None
    for millivolts in worst_mv(ntc_mv(85)):
        assert reading(millivolts, 3_120) > 75


def test_celsius_answers_for_every_voltage():
    for millivolts in range(-50, 3_400):
        got = celsius(millivolts)
        assert got is None or -36 < got < 100, (millivolts, got)
    assert celsius(BROKEN_MV) is None and celsius(BROKEN_MV - 1) < -30


def test_a_chip_without_calibration_has_no_temperature_and_still_starts():
    lab.adc_calibrated = False
    ntc = Ntc(34)
    assert ntc.read() is None


def test_ntc_smooths_a_spike():
    lab.microvolts[34] = 1_144_000
    ntc = Ntc(34)
    for _ in range(20):
        lab.advance(100)
        assert ntc.read() == 25, ntc.read()
    lab.microvolts[34] = 250_000
    lab.advance(100)
    assert ntc.read() < 40
    lab.microvolts[34] = 1_144_000
    for _ in range(60):
        lab.advance(100)
        ntc.read()
    assert 24 <= ntc.read() <= 26


def test_ntc_follows_heat():
    lab.microvolts[34] = 1_144_000
    ntc = Ntc(34)
    lab.microvolts[34] = 250_000
    for _ in range(100):
        lab.advance(100)
        ntc.read()
    assert 79 <= ntc.read() <= 81, ntc.read()


def test_sockets_that_share_a_sensor_smooth_it_no_less():
    lab.microvolts[34] = 1_144_000
    ntc = Ntc(34)
    lab.microvolts[34] = 250_000
    lab.advance(100)
    for _ in range(4):
        assert ntc.read() < 40


def test_reading_allocates_nothing():
    lab.microvolts[34] = 1_144_000
    inputs = (plug(25), estop(33), ground_fault(13), stop_button(22), Ntc(34))

    def cycles(count):
        for _ in range(count):
            for one in inputs:
                one.read()

    cycles(100)
    gc.collect()
    before = gc.mem_alloc()
    cycles(1000)
    assert gc.mem_alloc() == before, gc.mem_alloc() - before
