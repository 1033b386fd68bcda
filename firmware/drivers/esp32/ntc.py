"""A temperature sensor: an NTC thermistor of 10 kohm at 25 degrees, B = 3950, on a pin of ADC1.

    3.3 V --[15 kohm]--+-- pin
                       +--[NTC]------ ground
                       +--[39 kohm]-- ground

The 39 kohm tell a broken wire from cold on every chip. Without them the pin would rise to 3.3 V, and an ADC
at 11 dB ends below that: between 2.50 and 2.99 V on an ESP32-C3, near 3.06 V on an ESP32 of low reference.
A broken wire would then read as a cold sensor. With them it gives OPEN_MV, within the range of each chip.

    reading                  is                    with supply and resistors at their worst (2.5 %, ADC 35 mV)
    BROKEN_MV and more       a broken wire         never from -20 degrees on
    SHORT_MV and less        a short               never below 85 degrees; an ESP32 reads up to 142 mV for 0 V
"""

import time

from machine import ADC, Pin

OPEN_MV = 2_383
BROKEN_MV = 2_285
SHORT_MV = 150
_SAMPLE_MS = 90

# Millivolts at -35, -30 ... 100 degrees.
_MILLIVOLTS = (
    2295, 2261, 2217, 2161, 2092, 2010, 1913, 1803, 1681, 1551, 1415, 1278, 1144, 1015,
    894, 783, 683, 593, 514, 445, 385, 333, 288, 250, 217, 189, 165, 144,
)  # fmt: skip
_FIRST_C = -35
_STEP_C = 5


class Ntc:
    """ADC2 does not work beside Wi-Fi: the pin must be one of ADC1."""

    def __init__(self, pin):
        self._adc = None
        self._microvolts = 0
        self._sampled_ms = time.ticks_ms()
        try:
            self._adc = ADC(Pin(pin), atten=ADC.ATTN_11DB)
            self._microvolts = self._adc.read_uv()
        except OSError as error:
            print("thermometer on GPIO%d: %r: a chip without ADC calibration cannot measure" % (pin, error))

    def read(self):
        """Whole degrees Celsius, smoothed over about a second; None: broken wire, short, or no ADC.

        Raises OSError where the ADC fails.
        """
        if self._adc is None:
            return None
        now_ms = time.ticks_ms()
        # Sampled once per cycle, however many connectors share the sensor.
        if not 0 <= time.ticks_diff(now_ms, self._sampled_ms) < _SAMPLE_MS:
            self._sampled_ms = now_ms
            self._microvolts += (self._adc.read_uv() - self._microvolts) // 8
        return celsius(self._microvolts // 1000)


def celsius(millivolts):
    """Whole degrees for the voltage at the pin; None outside SHORT_MV to BROKEN_MV."""
    if not SHORT_MV < millivolts < BROKEN_MV:
        return None
    at = 1
    while millivolts < _MILLIVOLTS[at]:
        at += 1
    span = _MILLIVOLTS[at - 1] - _MILLIVOLTS[at]
    return _FIRST_C + _STEP_C * at - (millivolts - _MILLIVOLTS[at]) * _STEP_C // span
