"""`python -m tools.demo`: on the system that `make run` has started, else on a system of its own, with free
ports and a temporary folder. The exit code is 0 only if every statement was true."""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from tools.demo import ebike_story, update_story
from tools.demo.demo_system import choose
from tools.demo.running_system import RunningSystem
from tools.demo.screen import Screen
from tools.demo.story import ClaimFailed, Story
from tools.harness import mosquitto
from tools.harness.api_client import ApiError
from tools.harness.processes import ProcessError, exit_on_signals

OWN_SYSTEM = {"update": update_story.run, "ebike": ebike_story.run}  # stories on a system of their own


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "story",
        nargs="?",
        choices=("charge", *OWN_SYSTEM),
        default="charge",
        help="update: releases over the air; ebike: a socket sold by the hour in power tiers",
    )
    options = parser.parse_args(arguments)
    exit_on_signals()
    screen = Screen()
    started = time.monotonic()
    try:
        if options.story in OWN_SYSTEM:
            last_line = OWN_SYSTEM[options.story](screen)
            screen.say("system", f"everything the demo started has ended; {time.monotonic() - started:.0f} s")
            screen.plain(last_line)
            return 0
        with choose(screen) as chosen:
            outcome = Story(chosen.system, screen, chosen.tap, chosen.identity).run()
            address = None
            if isinstance(chosen.system, RunningSystem):
                chosen.system.wait_until_offline(chosen.identity.device_id)
                address = chosen.system.base_url + outcome.receipt_path
    except ClaimFailed as error:
        screen.fail(f"DEMO FAILED, this does not hold: {error}")
        return 1
    except (ApiError, ProcessError, TimeoutError, mosquitto.NoBroker) as error:
        screen.fail(f"DEMO FAILED: {error}")
        return 1
    except Exception as error:  # noqa: BLE001 an error in the demo itself is shown with its traceback
        traceback.print_exc()
        screen.fail(f"DEMO FAILED: {type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        screen.fail("DEMO INTERRUPTED; everything it started has ended")
        return 130
    screen.say("system", f"everything the demo started has ended; {time.monotonic() - started:.0f} s")
    if address:
        screen.say("receipt", f"to look at: {address}")
    elif chosen.hint:
        screen.say("receipt", "with `make run` up in another terminal, the demo leaves it there to look at")
    screen.plain(outcome.last_line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
