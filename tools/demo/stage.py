"""Where the story is told: on the system that `make run` has up, else on one of the demo's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.demo.guest import Guest, NotForUs
from tools.demo.screen import Screen
from tools.harness.api_client import ApiError
from tools.harness.broker import port_setting
from tools.harness.processes import ProcessError, is_port_taken
from tools.harness.system import PileIdentity, System
from tools.harness.tap import Tap
from tools.run import Run, data_folder, running


@dataclass(frozen=True)
class Stage:
    system: System
    tap: Tap
    identity: PileIdentity  # registered, and not yet started
    hint: bool = False  # whether to tell that `make run` would have kept the receipt


@contextmanager
def stage(screen: Screen) -> Iterator[Stage]:
    """Raises what the demo fails with: ApiError, ProcessError, TimeoutError, mosquitto.NoBroker."""
    with ExitStack() as held:
        data = data_folder().resolve()
        run = running(data)
        if run:
            yield _of_run(held, screen, data, run) or _own(held, screen)
        else:
            stranger = _stranger()
            if stranger:
                screen.say("system", stranger)
            yield _own(held, screen, hint=not stranger)


def _of_run(held: ExitStack, screen: Screen, data: Path, run: Run) -> Stage | None:
    """The stage on the system that is up; None, and the reason in one line, where it cannot be there."""
    with ExitStack() as tried:
        try:
            guest = Guest(data, run)
            tried.enter_context(guest)
            up = f"mosquitto on {guest.broker.url}, the cloud on {guest.base_url}"
            screen.say("system", f"`make run` is up: {up}")
            identity = tried.enter_context(guest.pile(screen))
            tap = Tap(guest.broker)
        except (NotForUs, ApiError, ProcessError, TimeoutError, OSError) as error:
            reason = str(error).partition("\n")[0]
            screen.say("system", f"not told on the `make run` that is up: {reason}")
            return None
        tried.callback(tap.close)
        held.enter_context(tried.pop_all())
    return Stage(guest, tap, identity)


def _stranger() -> str | None:
    """What to say where something else has the port of `make run`; nothing of it is touched."""
    try:
        port = port_setting("RATELOCK_HTTP_PORT", 8080) or 0
    except ProcessError:  # it is not needed here
        return None
    if not is_port_taken(port):
        return None
    return f"what has port {port} is no `make run` over {data_folder()}: the demo leaves it alone"


def _own(held: ExitStack, screen: Screen, hint: bool = False) -> Stage:
    data = held.enter_context(tempfile.TemporaryDirectory(prefix="ratelock-demo-"))
    system = held.enter_context(System(data))
    screen.say("system", f"mosquitto on {system.broker.url}, the cloud on {system.base_url}")
    tap = Tap(system.broker)
    held.callback(tap.close)
    return Stage(system, tap, system.add_pile("PILE-1", name="Demo pile"), hint)
