import struct
import time

import lab

from drivers.esp32 import modbus
from drivers.esp32.modbus import Bus, crc16, find_answer, request
from drivers.esp32.modbus_meter import PZEM004T, SDM120, SDM630, ModbusMeter, single

DE = 4
A_LITTLE = 100 + 1 / 512  # kWh that single precision holds exactly, and 1.95 Wh more than 100
A_LITTLE_MWH = 100_001_953


def framed(*content):
    frame = bytearray(content)
    crc = crc16(frame, 0, len(frame))
    return bytes(frame) + bytes((crc & 255, crc >> 8))


class FakeMeter:
    """The other side of the wire: registers by number, 16 bits each."""

    def __init__(self, address, delay_ms=20):
        self.address = address
        self.delay_ms = delay_ms
        self.registers = {}
        self.silent = False
        self.damage = None  # bytes -> bytes

    def put_single(self, register, value):
        high, low = struct.unpack(">HH", struct.pack(">f", value))
        self.registers[register] = high
        self.registers[register + 1] = low

    def __call__(self, frame):
        if self.silent or frame[0] != self.address or crc16(frame, 0, 6) != frame[6] | frame[7] << 8:
            return None
        start, count = frame[2] << 8 | frame[3], frame[4] << 8 | frame[5]
        if any(register not in self.registers for register in range(start, start + count)):
            return self.delay_ms, framed(self.address, 0x84, 2)
        words = [self.registers[register] for register in range(start, start + count)]
        content = b"".join([struct.pack(">H", word) for word in words])
        answer = framed(self.address, 4, 2 * count, *content)
        return self.delay_ms, self.damage(answer) if self.damage else answer


def sdm120(kwh=100.0, de=DE, delay_ms=20, baud=2400):
    bus = Bus(1, baud, tx=17, rx=18, de=de)
    lab.uarts[1].direction = de
    other = FakeMeter(1, delay_ms)
    other.put_single(0x48, kwh)
    other.put_single(0x0C, 2300.5)
    other.put_single(0x06, 10.25)
    lab.uarts[1].answer = other
    return ModbusMeter(bus, 1, SDM120, 11_000), other


def read(meter):
    """The register; None while it is invalid."""
    return meter.register_mwh if meter.poll() else None


def cycles(meter, count):
    register = None
    for _ in range(count):
        lab.advance(100)
        register = read(meter)
    return register


def bus_of(count, baud=2400, kind=SDM120):
    """(meters, the other sides) on one bus, with addresses from 1 on."""
    bus = Bus(1, baud, tx=17, rx=18)
    others = [FakeMeter(i + 1) for i in range(count)]
    for other in others:
        other.put_single(0x48, 100.0)
        other.put_single(0x0C, 0.0)
        other.put_single(0x06, 0.0)

    def answer(frame):
        for other in others:
            answer = other(frame)
            if answer:
                return answer
        return None

    lab.uarts[1].answer = answer
    return [ModbusMeter(bus, i + 1, kind, 11_000) for i in range(count)], others


def test_crc_of_a_published_example():
    # Modbus over Serial Line 1.02 and every manual: 01 04 00 00 00 02 -> 71 CB
    assert bytes(request(1, 0, 2)) == b"\x01\x04\x00\x00\x00\x02\x71\xcb"
    # PZEM-004T v3, the ten registers of its manual
    assert bytes(request(1, 0, 10)) == b"\x01\x04\x00\x00\x00\x0a\x70\x0d"


def test_single_is_exact_without_a_float():
    for value, scale, expected in (
        (0.0, 1000, 0),
        (1.0, 1000, 1000),
        (-2.5, 1000, -2500),
        (230.2, 1000, 230_200),
        (12.345, 1_000_000, 12_345_000),
        (16_777.215, 1_000_000, 16_777_214_844),  # what 24 bits can hold of it
        (0.001, 1_000_000, 1000),
        (1e-30, 1_000_000, 0),
        (99_999.0, 1_000_000, 99_999_000_000),
        (3e9, 1000, 3_000_000_000_000),
    ):
        got = single(struct.pack(">f", value), 0, scale)
        assert abs(got - expected) <= abs(expected) // 10_000_000 + (value == 12.345), (value, got)
    for text in ("nan", "inf", "-inf"):
        assert single(struct.pack(">f", float(text)), 0, 1000) is None


def test_single_never_falls_while_the_number_rises():
    last = -1
    bits = struct.unpack(">I", struct.pack(">f", 9.999))[0]
    for i in range(2000):
        value = single(struct.pack(">I", bits + i), 0, 1_000_000)
        assert value >= last
        last = value


def test_sdm120():
    meter, other = sdm120()
    assert read(meter) is None
    assert cycles(meter, 30) == 100_000_000
    assert meter.power_mw() == 2_300_500
    assert meter.current_ma() == 10_250


def test_the_first_reading_alone_is_not_believed():
    meter, other = sdm120()
    while len(lab.uarts[1].requests) < 2:
        assert cycles(meter, 1) is None
    cycles(meter, 10)
    assert read(meter) == 100_000_000


def test_sdm630_tells_the_highest_phase():
    bus = Bus(1, 9600, tx=17, rx=18)
    other = lab.uarts[1].answer = FakeMeter(3)
    other.put_single(0x48, 7.5)
    other.put_single(0x34, 11_000.0)
    for i, ampere in enumerate((15.0, 16.5, 14.0)):
        other.put_single(6 + 2 * i, ampere)
    meter = ModbusMeter(bus, 3, SDM630, 22_000)
    assert cycles(meter, 30) == 7_500_000
    assert meter.power_mw() == 11_000_000
    assert meter.current_ma() == 16_500


def test_pzem004t():
    bus = Bus(1, 9600, tx=17, rx=18)
    other = lab.uarts[1].answer = FakeMeter(1)
    words = (2301, 0x1234, 0x0001, 0x5678, 0x0000, 0xE240, 0x0001, 500, 98, 0)
    other.registers = {i: word for i, word in enumerate(words)}
    meter = ModbusMeter(bus, 1, PZEM004T, 23_000)
    assert cycles(meter, 10) == 123_456_000  # 0x1E240 Wh
    assert meter.current_ma() == 0x11234
    assert meter.power_mw() == 0x5678 * 100


def test_the_direction_is_taken_back_before_the_answer():
    meter, other = sdm120(delay_ms=10)
    cycles(meter, 20)
    assert len(lab.uarts[1].requests) >= 4
    assert all([whole for _, whole in lab.uarts[1].requests])
    assert read(meter) == 100_000_000
    lab.advance(50)
    assert lab.pins[DE].value() == 0


def test_an_answer_lost_to_a_late_release_is_asked_for_again():
    """The interpreter was busy while the transceiver should have turned round."""
    meter, other = sdm120(delay_ms=10)
    assert cycles(meter, 20) == 100_000_000
    other.put_single(0x48, A_LITTLE)
    lab.busy(True)
    cycles(meter, 4)
    lab.busy(False)
    assert cycles(meter, 25) == A_LITTLE_MWH


def test_it_never_waits():
    meter, other = sdm120()
    other.silent = True
    for _ in range(50):
        before = time.now_us()
        read(meter)
        assert time.now_us() == before
        lab.advance(100)


def test_silence_is_no_reading_and_ends():
    meter, other = sdm120()
    assert cycles(meter, 20) == 100_000_000
    other.silent = True
    assert cycles(meter, meter.settle_ms // 100 - 10) == 100_000_000
    assert cycles(meter, 20) is None
    assert meter.power_mw() is None
    assert meter.current_ma() is None
    other.silent = False
    assert cycles(meter, 30) == 100_000_000


def test_damaged_answers_do_not_count():
    meter, other = sdm120()
    assert cycles(meter, 20) == 100_000_000
    other.put_single(0x48, A_LITTLE)
    for at in range(9):
        other.damage = lambda answer: answer[:at] + bytes((answer[at] ^ 0x10,)) + answer[at + 1 :]  # noqa: B023
        assert cycles(meter, 12) == 100_000_000, at
        other.damage = None
        other.put_single(0x48, 100.0)
        cycles(meter, 12)
        other.put_single(0x48, A_LITTLE)
    other.damage = lambda answer: answer[:-1]
    assert cycles(meter, 12) == 100_000_000
    other.damage = None
    assert cycles(meter, 12) == A_LITTLE_MWH


def test_noise_before_an_answer_is_passed_over():
    meter, other = sdm120(de=None)
    lab.uarts[1].direction = None
    other.damage = lambda answer: b"\x00\xff" + answer
    assert cycles(meter, 30) == 100_000_000


def test_an_exception_answer_is_no_reading():
    meter, other = sdm120()
    other.registers.clear()
    assert cycles(meter, 30) is None


def test_another_meters_answer_is_not_taken():
    data = framed(2, 4, 4, 0, 0, 0, 0)
    assert find_answer(data, len(data), 1, 2) == -1
    assert find_answer(data, len(data), 2, 2) == 3


def test_a_meter_set_back_is_no_reading():
    meter, other = sdm120()
    assert cycles(meter, 20) == 100_000_000
    other.put_single(0x48, 3.0)
    assert cycles(meter, 100) is None


def test_a_leap_beyond_full_power_is_not_believed():
    """A damaged answer passes a 16-bit checksum once in 65,536."""
    meter, other = sdm120()
    assert cycles(meter, 20) == 100_000_000
    other.put_single(0x48, 1100.0)
    assert cycles(meter, 10) == 100_000_000
    other.put_single(0x48, A_LITTLE)
    assert cycles(meter, 20) == A_LITTLE_MWH


def test_a_wrong_first_reading_is_replaced():
    meter, other = sdm120(kwh=5000.0)
    while not meter._fresh:
        cycles(meter, 1)
    other.put_single(0x48, 100.0)
    assert cycles(meter, 30) == 100_000_000


def test_energy_of_a_long_silence_is_believed_within_full_power():
    meter, other = sdm120()
    assert cycles(meter, 20) == 100_000_000
    other.silent = True
    cycles(meter, 600)  # a minute: 183 Wh at 11 kW
    other.silent = False
    other.put_single(0x48, 100.125)
    assert cycles(meter, 20) == 100_125_000


def test_two_meters_share_a_bus():
    bus = Bus(1, 9600, tx=17, rx=18, de=DE)
    lab.uarts[1].direction = DE
    first, second = FakeMeter(1), FakeMeter(2)
    for other, kwh in ((first, 1.0), (second, 2.0)):
        other.put_single(0x48, kwh)
        other.put_single(0x0C, 0.0)
        other.put_single(0x06, 0.0)
    lab.uarts[1].answer = lambda frame: first(frame) or second(frame)
    meters = [ModbusMeter(bus, 1, SDM120, 11_000), ModbusMeter(bus, 2, SDM120, 11_000)]
    for _ in range(60):
        lab.advance(100)
        registers = [read(meter) for meter in meters]
    assert registers == [1_000_000, 2_000_000]
    first.silent = True  # one that is gone must not take the other along
    for _ in range(150):
        lab.advance(100)
        registers = [read(meter) for meter in meters]
    assert registers == [None, 2_000_000]


def test_late_remains_of_an_answer_do_not_spoil_the_next():
    """Energy and power answers look alike: one that comes too late must not be taken for the other."""
    meter, other = sdm120(delay_ms=modbus.ANSWER_MS + 50)
    cycles(meter, 8)  # the answer to the first question, which asks for energy, lies in the buffer
    assert lab.uarts[1].any()
    other.delay_ms = 20
    for _ in range(40):
        cycles(meter, 1)
        assert meter.power_mw() in (None, 2_300_500), meter.power_mw()
    assert read(meter) == 100_000_000


def test_an_answer_that_is_found_late_is_not_used():
    """The loop was held up by a TLS handshake: nobody knows when the meter gave that register."""
    meter, other = sdm120()
    assert cycles(meter, 20) == 100_000_000
    while meter._bus._asked is None or meter.answer_words != 2 or meter._turn & 1:
        cycles(meter, 1)
    other.put_single(0x48, A_LITTLE)
    lab.advance(4_000)
    before_ms = meter.sampled_ms
    meter.poll()
    assert meter.sampled_ms == before_ms
    assert cycles(meter, 20) == A_LITTLE_MWH


def test_the_interval_follows_baud_rate_and_number_of_meters():
    for count, baud, most_ms in ((1, 2400, 800), (1, 9600, 600), (2, 9600, 3_100), (8, 2400, 7_000)):
        meters, _ = bus_of(count, baud)
        assert meters[0].interval_ms <= most_ms, (count, baud, meters[0].interval_ms)
        last_ms = [0] * count
        for _ in range(300):
            lab.advance(100)
            for i, meter in enumerate(meters):
                meter.poll()
                if last_ms[i] and meter.sampled_ms != last_ms[i]:
                    assert meter.sampled_ms - last_ms[i] <= meter.interval_ms, (count, baud)
                last_ms[i] = meter.sampled_ms
        assert all(last_ms)


def test_silent_meters_do_not_stretch_the_interval_of_the_others():
    for silent in (1, 4, 7):
        meters, others = bus_of(8)
        for other in others[8 - silent :]:
            other.silent = True
        for _ in range(200):
            lab.advance(100)
            for meter in meters:
                meter.poll()
        for _ in range(300):
            lab.advance(100)
            for i, meter in enumerate(meters):
                assert meter.poll() is (i < 8 - silent), (silent, i)
                if i < 8 - silent:
                    assert time.ticks_diff(time.ticks_ms(), meter.sampled_ms) <= meter.interval_ms


def test_a_whole_bus_that_was_disturbed_is_valid_again_in_time():
    meters, others = bus_of(8)
    for disturbed in (10, 35, 300):
        for step in range(disturbed + meters[0].settle_ms // 100):
            for other in others:
                other.silent = step < disturbed
            lab.advance(100)
            valid = [meter.poll() for meter in meters]
        assert all(valid), (disturbed, valid)


def test_a_sample_is_as_old_as_the_refresh_and_an_exchange():
    """Eastron: the registers are renewed every 0.5 to 1 s, whatever the bus does."""
    meter, other = sdm120()
    assert meter.refresh_ms == 1_000 + modbus.EXCHANGE_MS


def test_the_step_grows_with_the_register():
    for kwh, step_mwh in (
        (0.0, 1_000),
        (100.0, 1_000),
        (16_383.0, 1_000),
        (16_385.0, 1_954),
        (32_767.0, 1_954),
        (32_769.0, 3_907),
        (70_000.0, 7_813),
    ):
        meter, other = sdm120(kwh=kwh)
        cycles(meter, 20)
        assert meter.step_mwh() == step_mwh, (kwh, meter.step_mwh())
        number = struct.unpack(">I", struct.pack(">f", kwh))[0]
        other.put_single(0x48, struct.unpack(">f", struct.pack(">I", number + 1))[0])
        was_mwh = meter.register_mwh
        assert cycles(meter, 20) - was_mwh <= step_mwh


def pzem(wh, bus=None):
    bus = bus or Bus(1, 9600, tx=17, rx=18)
    other = lab.uarts[1].answer = FakeMeter(1)
    other.registers = dict.fromkeys(range(10), 0)
    set_wh(other, wh)
    return ModbusMeter(bus, 1, PZEM004T, 23_000), other


def set_wh(other, wh):
    other.registers[5] = wh & 0xFFFF
    other.registers[6] = wh >> 16


def test_a_pzem_goes_on_after_its_register_has_begun_again():
    meter, other = pzem(9_999_985)
    assert cycles(meter, 10) == 9_999_985_000
    set_wh(other, 9_999_989)
    assert cycles(meter, 10) == 9_999_989_000
    set_wh(other, 3)
    assert cycles(meter, 10) == 9_999_993_000
    set_wh(other, 63)
    assert cycles(meter, 150) == 10_000_053_000
    assert meter.step_mwh() == 1_000


def test_a_pzem_that_has_begun_again_goes_on_from_the_durable_register():
    for restored_mwh, wh, expected_mwh in (
        (0, 5, 5_000),
        (5_000_000_000, 5_000_001, 5_000_001_000),
        (10_000_990_000, 1_002, 10_000_992_000),  # it began again before the pile was off
        (9_999_980_000, 15, 10_000_005_000),  # and while it was off
        (30_000_000_000, 40, 30_000_010_000),
        (9_999_995_000, 9_999_996, 9_999_996_000),  # one that counts to 9,999,999 Wh
    ):
        meter, other = pzem(wh)
        meter.restore(restored_mwh)
        assert cycles(meter, 10) == expected_mwh, (restored_mwh, wh, meter.register_mwh)


def test_another_pzem_is_no_rollover():
    """Else thousands of kWh that nobody has drawn would be billed."""
    meter, other = pzem(7)
    meter.restore(6_000_000_000)
    assert cycles(meter, 10) == 7_000
    set_wh(other, 3)
    assert cycles(meter, 100) is None


def test_an_sdm_never_begins_again():
    meter, other = sdm120(kwh=5.0)
    meter.restore(9_999_990_000)
    assert cycles(meter, 20) == 5_000_000


def test_a_lost_energy_answer_is_asked_for_again_before_anything_else():
    meter, other = sdm120()
    assert cycles(meter, 20) == 100_000_000
    asked = []

    def lose_energy(frame):
        asked.append(frame[3])
        return None if frame[3] == 0x48 else other(frame)

    lab.uarts[1].answer = lose_energy
    cycles(meter, 60)
    first = asked.index(0x48)
    assert set(asked[first:]) == {0x48}, asked
