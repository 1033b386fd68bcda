"""Chooses the system for the demo: the one that `make run` has started, else one of the demo's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloud_stub.base.os_errors import in_words
from tools.demo.running_system import NotUsable, RunningSystem
from tools.demo.screen import Screen
from tools.harness.api_client import ApiError
from tools.harness.broker import port_setting
from tools.harness.ports import is_port_taken
from tools.harness.processes import ProcessError
from tools.harness.system import PileIdentity, System
from tools.harness.tap import Tap
from tools.run import Run, data_folder, running


@dataclass(frozen=True)
class DemoSystem:
    system: System
    tap: Tap
    identity: PileIdentity  # registered, and not yet started
    hint: bool = False  # whether to say that `make run` would keep the receipt


@contextmanager
def choose(screen: Screen) -> Iterator[DemoSystem]:
    """Raises what the demo fails with: ApiError, ProcessError, TimeoutError, mosquitto.NoBroker."""
    with ExitStack() as held:
        data = data_folder().resolve()
        run = running(data)
        if run:
            yield _of_run(held, screen, data, run) or _own(held, screen)
        else:
            notice = _port_notice()
            if notice:
                screen.say("system", notice)
            yield _own(held, screen, hint=not notice)


def _of_run(held: ExitStack, screen: Screen, data: Path, run: Run) -> DemoSystem | None:
    """The demo on the system of `make run`. None if that system cannot be used; prints the reason."""
    with ExitStack() as tried:
        try:
            system = RunningSystem(data, run)
            tried.enter_context(system)
            up = f"mosquitto on {system.broker.url}, the cloud on {system.base_url}"
            screen.say("system", f"`make run` is up: {up}")
            identity = tried.enter_context(system.pile(screen))
            tap = Tap(system.broker)
        except (NotUsable, ApiError, ProcessError, TimeoutError, OSError) as error:
            reason = in_words(error).partition("\n")[0]
            screen.say("system", f"the `make run` that is up is not used: {reason}")
            return None
        tried.callback(tap.close)
        held.enter_context(tried.pop_all())
    return DemoSystem(system, tap, identity)


def _port_notice() -> str | None:
    """A notice for the case that another program has the port of `make run`; None if no program has it."""
    try:
        port = port_setting("RATELOCK_HTTP_PORT", 8080) or 0
    except ProcessError:  # it is not needed here
        return None
    if not is_port_taken(port):
        return None
    return f"what has port {port} is no `make run` over {data_folder()}: the demo leaves it alone"


def _own(held: ExitStack, screen: Screen, hint: bool = False) -> DemoSystem:
    system, tap = held.enter_context(own(screen, {"RATELOCK_PAYMENT": "test"}))
    return DemoSystem(system, tap, system.add_pile("PILE-1", name="Demo pile"), hint)


@contextmanager
def own(screen: Screen, env: dict[str, str] | None = None) -> Iterator[tuple[System, Tap]]:
    """A system with free ports over a temporary folder, and every message on its broker."""
    with (
        tempfile.TemporaryDirectory(prefix="ratelock-demo-") as data,
        System(data, env=env) as system,
        closing(Tap(system.broker)) as tap,
    ):
        screen.say("system", f"mosquitto on {system.broker.url}, the cloud on {system.base_url}")
        yield system, tap
