"""What the status light shows. The patterns differ in time, so one white LED is enough.

A pattern is (flashes, on_ms, off_ms, pause_ms, red, green, blue): flashes, then a pause; 0 flashes: steady.
docs/field-guide.md says what each means and what to do.
"""

STARTING = (1, 50, 0, 950, 20, 20, 20)
READY = (0, 0, 0, 0, 0, 40, 0)
CHARGING = (1, 1000, 0, 1000, 0, 0, 60)
FAULT = (1, 125, 0, 125, 80, 0, 0)
ESTOP = (1, 200, 0, 1500, 80, 0, 0)
STOP_PRESSED = (1, 50, 0, 50, 40, 40, 40)
NO_CONFIG = (2, 200, 250, 1500, 60, 30, 0)
NO_WIFI = (3, 200, 250, 1500, 60, 30, 0)
NO_BROKER = (4, 200, 250, 1500, 60, 30, 0)
UNTRUSTED = (5, 200, 250, 1500, 60, 30, 0)
NO_FLASH = (6, 200, 250, 1500, 60, 30, 0)
OUT_OF_SERVICE = (2, 50, 150, 2600, 40, 40, 40)
CRASHED = (7, 200, 250, 1500, 60, 30, 0)


def lit(pattern, since_ms):
    """Whether the light is on, since_ms after the pattern began."""
    flashes, on_ms, off_ms, pause_ms, _, _, _ = pattern
    if not flashes:
        return True
    flashing_ms = flashes * (on_ms + off_ms)
    at_ms = since_ms % (flashing_ms + pause_ms)
    return at_ms < flashing_ms and at_ms % (on_ms + off_ms) < on_ms
