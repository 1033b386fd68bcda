"""Runs the tests of one file of cases/ on MicroPython and prints a JSON line for each: its name, and its
traceback where it failed. Each test begins with a fresh laboratory.
"""

import io
import json
import sys

import lab


def fresh():
    """Forgets every pin and wire of the test before."""
    for thing in (lab.pins, lab.counters, lab.uarts, lab.timers, lab.microvolts, lab.bits, lab.uses):
        thing.clear()
    lab.watchdog = lab.rtc = None
    lab.rtc_memory = b""
    lab.reset_cause = 1
    lab.adc_end_mv = 3_120
    lab.adc_calibrated = True
    lab.dropped = 0
    lab.busy(False)


def main(name):
    cases = __import__(name)
    for test in sorted(dir(cases)):
        if not test.startswith("test_"):
            continue
        fresh()
        error = None
        try:
            getattr(cases, test)()
        except Exception as raised:  # noqa: BLE001 - whatever a test raises is its failure
            text = io.StringIO()
            sys.print_exception(raised, text)
            error = text.getvalue()
        print(json.dumps({"test": test, "error": error}))


main(sys.argv[1])
