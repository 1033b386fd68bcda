"""The full screen in a test's hands, through Textual's own pilot: no broker, a source of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from textual.pilot import Pilot

from tests.console import kit
from tools.console.app import ConsoleApp
from tools.console.capture import Event, Recorder
from tools.console.event_queue import EventQueue
from tools.console.keys import Keys
from tools.console.logview import LogView
from tools.console.piletable import PileTable

TIMEOUT_S = 60
KEYS = Keys(lambda: {kit.DEVICE: kit.KEY}, "test")


class FakeSource:
    """Keeps what is published; `connected` says whether it can be."""

    name = "mqtt://test:1883"
    can_command = True

    def __init__(self) -> None:
        self.connected = True
        self.published: list[tuple[str, bytes]] = []

    def now_ms(self) -> int:
        return kit.AT_MS + 1_000

    def publish(self, topic: str, payload: bytes) -> bool:
        if self.connected:
            self.published.append((topic, payload))
        return self.connected


class TalkativeApp(ConsoleApp):
    """Keeps what pops up."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.notices: list[str] = []

    def notify(self, message: str, **options: Any) -> None:
        self.notices.append(message)
        super().notify(message, **options)


class Screen:
    """The running app with what a person does and sees."""

    def __init__(self, app: TalkativeApp, pilot: Pilot[None], event_queue: EventQueue, source: FakeSource):
        self.app = app
        self.pilot = pilot
        self.event_queue = event_queue
        self.source = source
        self.log = app.query_one(LogView)
        self.table = app.query_one(PileTable)

    async def feed(self, events: list[Event]) -> None:
        """Gives events and waits until they are on the screen."""
        before = self.app.model.entry_count
        for event in events:
            self.event_queue.put(event)
        await self.until(lambda: self.app.model.entry_count == before + len(events))
        await self.shown()

    async def shown(self) -> None:
        """Waits until the screen has caught up with the model."""
        await self.until(lambda: not self.app.model.changed and (self.log.paused or not self.log.waiting))
        await self.pilot.pause()

    async def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not holds():
            assert time.monotonic() < deadline, f"never came true:\n{self.text()}"
            await self.pilot.pause(0.01)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def edit(self, key: str, text: str) -> None:
        """Opens the input with `key` and types `text` into it."""
        await self.press(key)
        await self.until(lambda: self.app.focused is self.app.query_one("#filter"))
        await self.press(*text)

    async def leave(self, key: str) -> None:
        """Leaves the input with `key`."""
        await self.press(key)
        await self.until(lambda: self.app.focused is not self.app.query_one("#filter"))

    def text(self) -> str:
        """What is on the screen."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips[:height])[: (width + 1) * height]

    def notices(self) -> list[str]:
        """Everything that popped up, though it may be gone again."""
        return self.app.notices


def run(
    what: Callable[[Screen], Coroutine[Any, Any, None]],
    *,
    keys: Keys | None = None,
    size: tuple[int, int] = (160, 48),
    recorder: Recorder | None = None,
) -> None:
    """Runs `what` against a fresh app."""

    async def go() -> None:
        event_queue, source = EventQueue(), FakeSource()
        app = TalkativeApp(source, event_queue, KEYS if keys is None else keys, recorder)
        async with app.run_test(size=size) as pilot:
            await what(Screen(app, pilot, event_queue, source))

    asyncio.run(go())


def scenario(**options: Any) -> Callable[[Callable[[Screen], Awaitable[None]]], Callable[[], None]]:
    """Makes a coroutine about a Screen a test."""

    def decorate(what: Callable[[Screen], Any]) -> Callable[[], None]:
        def test() -> None:
            run(what, **options)

        test.__name__, test.__doc__ = what.__name__, what.__doc__
        return test

    return decorate
