import gc
import math

import lab

from drivers.esp32.inputs import BROKEN_C, Contact, Inputs, Ntc, celsius, estop, ground_fault, plug


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


def test_ntc_table_is_the_formula():
    for tenths in range(-240, 1240, 7):
        kelvin = tenths / 10 + 273.15
        ohm = 10_000 * math.exp(3950 * (1 / kelvin - 1 / 298.15))
        millivolts = round(3300 * ohm / (ohm + 10_000))
        assert abs(celsius(millivolts) - tenths / 10) <= 1.5, (tenths, celsius(millivolts))


def test_a_broken_sensor_is_too_hot():
    assert celsius(3300) == BROKEN_C  # the wire is off
    assert celsius(0) == BROKEN_C  # shorted
    assert celsius(114) == BROKEN_C


def test_ntc_smooths_a_spike():
    lab.microvolts[34] = 1_650_000
    ntc = Ntc(34)
    for _ in range(20):
        assert ntc.read() == 25
    lab.microvolts[34] = 300_000
    assert ntc.read() < 40
    lab.microvolts[34] = 1_650_000
    for _ in range(60):
        ntc.read()
    assert 24 <= ntc.read() <= 26


def test_ntc_follows_heat():
    lab.microvolts[34] = 1_650_000
    ntc = Ntc(34)
    lab.microvolts[34] = 372_000
    for _ in range(100):
        ntc.read()
    assert 79 <= ntc.read() <= 81, ntc.read()


def test_what_is_not_wired():
    nothing = Inputs()
    assert nothing.plugged() is None
    assert nothing.estop() is False
    assert nothing.ground_fault() is False
    assert nothing.temperature_c() is None


def test_reading_allocates_nothing():
    lab.microvolts[34] = 1_650_000
    inputs = Inputs(plug(25), estop(33), ground_fault(13), Ntc(34))

    def cycles(count):
        for _ in range(count):
            inputs.plugged()
            inputs.estop()
            inputs.ground_fault()
            inputs.temperature_c()

    cycles(100)
    gc.collect()
    before = gc.mem_alloc()
    cycles(1000)
    assert gc.mem_alloc() == before, gc.mem_alloc() - before
