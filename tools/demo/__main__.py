"""`python -m tools.demo`: free ports, a temporary data folder, exit code 0 only where every claim held."""

from __future__ import annotations

import sys
import tempfile
import time
import traceback

from tools import mosquitto
from tools.api_client import ApiError
from tools.demo.screen import Screen
from tools.demo.story import ClaimFailed, Story
from tools.processes import ProcessError, exit_on_signals
from tools.system import System
from tools.tap import Tap


def main() -> int:
    exit_on_signals()
    screen = Screen()
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="ratelock-demo-") as data, System(data) as system:
            screen.say("system", f"mosquitto on {system.broker.url}, the cloud on {system.base_url}")
            tap = Tap(system.broker)
            try:
                last_line = Story(system, screen, tap).tell()
            finally:
                tap.close()
    except ClaimFailed as error:
        screen.fail(f"DEMO FAILED, this does not hold: {error}")
        return 1
    except (ApiError, ProcessError, TimeoutError, mosquitto.NoBroker) as error:
        screen.fail(f"DEMO FAILED: {error}")
        return 1
    except Exception as error:  # noqa: BLE001 a mistake of the demo itself is told with its place
        traceback.print_exc()
        screen.fail(f"DEMO FAILED: {type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        screen.fail("DEMO INTERRUPTED; everything it started has ended")
        return 130
    screen.say("system", f"everything has ended; {time.monotonic() - started:.0f} s")
    screen.plain(last_line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
