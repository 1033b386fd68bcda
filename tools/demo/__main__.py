"""`python -m tools.demo`: on the system that `make run` has started, else on a system of its own, with free
ports and a temporary folder. The exit code is 0 only if every statement was true."""

from __future__ import annotations

import sys
import time
import traceback

from tools.demo.demo_system import choose
from tools.demo.running_system import RunningSystem
from tools.demo.screen import Screen
from tools.demo.story import ClaimFailed, Story
from tools.harness import mosquitto
from tools.harness.api_client import ApiError
from tools.harness.processes import ProcessError, exit_on_signals


def main() -> int:
    exit_on_signals()
    screen = Screen()
    started = time.monotonic()
    try:
        with choose(screen) as place:
            told = Story(place.system, screen, place.tap, place.identity).tell()
            address = None
            if isinstance(place.system, RunningSystem):
                place.system.wait_until_offline(place.identity.device_id)
                address = place.system.base_url + told.receipt_path
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
    screen.say("system", f"everything the demo started has ended; {time.monotonic() - started:.0f} s")
    if address:
        screen.say("receipt", f"to look at: {address}")
    elif place.hint:
        screen.say("receipt", "with `make run` up in another terminal, the demo leaves it there to look at")
    screen.plain(told.last_line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
