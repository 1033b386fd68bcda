"""Latched faults: which heal by themselves, when, how often; which need a person; and what flash keeps of
them.
"""

from pile.clock import CLOUD, Clock
from pile.faults import COOLED_C, HEALINGS_MAX, HEALINGS_WITHIN_MS, SELF_HEALING, Faults, Latch
from pile.journal import Journal
from pile.readings import Readings
from pile.recovery import Reader
from pile.safety import Limits
from pile_protocol import words
from pile_protocol.errors import ProtocolError
from tests.portable.kit import AT, MemoryStore, raises

CYCLE_MS = 100


def clock():
    made = Clock(0)
    made.tell(AT, CLOUD)
    return made


def faults_of(store, count):
    """As the start of a pile makes them."""
    faults = Faults(Journal(store), count)
    faults.load(Reader(store, []).faults())
    return faults


def sound():
    readings = Readings()
    readings.register_mwh.take(0, 0)
    readings.temperature_c.take(25, 0)
    readings.plugged.take(True, 0)
    return readings


def set_hot(readings):
    readings.temperature_c.take(Limits().max_temperature_c - COOLED_C + 1, 0)


def set_silent(readings):
    readings.register_mwh.lose()


def set_blind(readings):
    readings.temperature_c.lose()


def set_plug_blind(readings):
    readings.plugged.lose()


def set_driver_error(readings):
    readings.driver_error = True


CAUSES = (
    ("HighTemperature", set_hot),
    ("PowerMeterFailure", set_silent),
    ("SensorFailure", set_blind),
    ("SensorFailure", set_plug_blind),
    ("InternalError", set_driver_error),
)


def healed_after_ms(latch, readings, for_ms, now_ms=0):
    for passed_ms in range(0, for_ms, CYCLE_MS):
        if latch.heal(now_ms + passed_ms, readings, Limits()):
            return passed_ms
    return None


def test_each_cause_that_is_gone_for_long_enough_takes_its_fault_back():
    for code, cause in CAUSES:
        latch = Latch()
        assert latch.set(code, clock()) and latch.code == code
        readings = sound()
        cause(readings)
        assert healed_after_ms(latch, readings, 600_000) is None, code
        assert healed_after_ms(latch, sound(), 600_000) == SELF_HEALING[code], code
        assert latch.code is None


def test_a_cause_that_comes_back_starts_the_wait_anew():
    for code, cause in CAUSES:
        latch = Latch()
        latch.set(code, clock())
        assert healed_after_ms(latch, sound(), SELF_HEALING[code]) is None
        readings = sound()
        cause(readings)
        latch.heal(SELF_HEALING[code], readings, Limits())
        assert healed_after_ms(latch, sound(), 600_000, 100_000) == SELF_HEALING[code], code


def test_all_other_faults_need_a_person():
    for code in words.FAULT_CODES:
        if code not in SELF_HEALING:
            latch = Latch()
            latch.set(code, clock())
            assert healed_after_ms(latch, sound(), 3_700_000) is None, code


def test_an_internal_error_that_flash_caused_needs_a_person():
    found = Latch()
    found.restore("InternalError", AT)
    for latch in (found, Latch()):
        latch.set("InternalError", clock(), needs_person=True)
        assert healed_after_ms(latch, sound(), 3_700_000) is None and latch.is_durable


def test_a_fault_that_comes_back_too_often_needs_a_person():
    latch = Latch()
    now_ms = 0
    for _ in range(HEALINGS_MAX):
        latch.set("PowerMeterFailure", clock())
        now_ms += healed_after_ms(latch, sound(), 60_000, now_ms) + 1_000
    latch.set("PowerMeterFailure", clock())
    assert healed_after_ms(latch, sound(), HEALINGS_WITHIN_MS * 2, now_ms) is None
    latch.clear()
    now_ms += HEALINGS_WITHIN_MS * 2
    latch.heal(now_ms, sound(), Limits())
    latch.set("PowerMeterFailure", clock())
    assert healed_after_ms(latch, sound(), 60_000, now_ms) is not None, "an hour later it may again"


def test_the_first_fault_stays_unless_the_next_one_is_worse():
    latch = Latch()
    latch.set("PowerSwitchFailure", clock())
    assert not latch.set("GroundFailure", clock()) and latch.code == "PowerSwitchFailure"
    assert not latch.set("PowerMeterFailure", clock()) and latch.code == "PowerSwitchFailure"
    latch = Latch()
    latch.set("PowerMeterFailure", clock())
    assert not latch.set("HighTemperature", clock()) and latch.code == "PowerMeterFailure"
    assert latch.set("PowerSwitchFailure", clock()), "a weld was hidden behind a fault that heals"
    assert healed_after_ms(latch, sound(), 600_000) is None


# -- in flash -------------------------------------------------------------------------------------------


def test_faults_come_back_after_a_restart_and_a_drivers_error_does_not():
    store = MemoryStore()
    faults = faults_of(store, 3)
    faults.latches[0].set("GroundFailure", clock())
    faults.latches[1].set("InternalError", clock())
    faults.latches[2].set("InternalError", clock(), needs_person=True)
    faults.save()
    latches = faults_of(store, 3).latches
    assert [latch.code for latch in latches] == ["GroundFailure", None, "InternalError"]
    assert latches[0].at == AT


def test_a_fault_that_healed_leaves_flash():
    store = MemoryStore()
    faults = faults_of(store, 1)
    faults.latches[0].set("HighTemperature", clock())
    faults.save()
    assert healed_after_ms(faults.latches[0], sound(), 60_000)
    faults.save()
    assert Reader(store, []).faults() == {}


def test_a_reset_that_the_flash_refuses_leaves_the_fault():
    store = MemoryStore()
    faults = faults_of(store, 1)
    faults.latches[0].set("GroundFailure", clock())
    faults.save()
    store.refusing = True
    raises(OSError, faults.reset, 1, AT)
    assert faults.latches[0].code == "GroundFailure"
    store.refusing = False
    faults.reset(1, AT)
    assert faults.latches[0].code is None and Reader(store, []).faults() == {}


def test_a_reset_of_nothing_or_of_a_later_fault_is_refused():
    faults = Faults(Journal(MemoryStore()), 1)
    for number in (0, 1, 2, 8):
        raises(ProtocolError, faults.reset, number, AT)
    faults.latches[0].set("GroundFailure", clock())
    raises(ProtocolError, faults.reset, 1, AT - 1)
    assert faults.latches[0].code == "GroundFailure"


def test_faults_of_connectors_that_the_board_does_not_have_stay_in_flash():
    store = MemoryStore()
    Journal(store).save_faults({2: ["PowerSwitchFailure", AT]})
    faults = faults_of(store, 1)
    faults.latches[0].set("GroundFailure", clock())
    faults.save()
    assert Reader(store, []).faults() == {1: ["GroundFailure", AT], 2: ["PowerSwitchFailure", AT]}


def test_faults_that_do_not_change_are_not_written():
    store = MemoryStore()
    faults = faults_of(store, 1)
    faults.save()
    faults.latches[0].set("GroundFailure", clock())
    faults.save()
    faults.save()
    assert store.log == [("write", "faults")]
