"""The threads of one process: each is known by its name, and none ends without a word."""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Threads:
    """Starts the lasting threads. One that ends without `expect_end` is dead.

    on_death: gets its name, on the dead thread, so it must not wait for it.
    """

    def __init__(self) -> None:
        self.on_death: Callable[[str], None] = lambda name: None
        self._threads: dict[str, threading.Thread] = {}
        self._may_end: set[str] = set()

    def start(self, name: str, run: Callable[[], None]) -> threading.Thread:
        """A thread that executes `run`; its owner ends and joins it."""
        thread = threading.Thread(target=self._run, args=(name, run), name=name, daemon=True)
        self._threads[name] = thread
        thread.start()
        return thread

    def expect_end(self, name: str) -> None:
        """Its owner ends this thread: when it returns, it is not dead."""
        self._may_end.add(name)

    def alive(self) -> dict[str, bool]:
        """Of each thread, by name, whether it runs."""
        return {name: thread.is_alive() for name, thread in self._threads.items()}

    def _run(self, name: str, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException:
            log.critical("thread_died", thread=name, exc_info=True)
        else:
            if name in self._may_end:
                return
            log.critical("thread_ended", thread=name)
        if name not in self._may_end:
            self.on_death(name)
