"""The serial line to a board: MicroPython's raw REPL, by the transport of mpremote.

mpremote is used as a library, not as a command: one connection serves the whole job, no process list shows a
secret, and each error has its own type. The board is not soft-reset first (mpremote: `resume`). Its program
is interrupted, and opens the relay as it ends.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from tools.board.deploy import DeployError
from tools.board.deploy import port as port_state

CHUNK_BYTES = 256
READ_S = 2  # the longest pause in the middle of an answer
ENTER_TRIES = 5
ENTER_S = 3  # a pile takes up to a cycle to end
PROMPT_S = 12  # all tries together, also where the board prints without end
SILENT_S = 10  # how long the board may work without output
# How a connection can fail: closed, port removed, or noise in place of an answer.
_BROKEN = (TransportError, OSError, ValueError, SyntaxError, struct.error)
_FULL = ("OSError: 28", "ENOSPC")  # MicroPython does not always know the name
_FOLDER = 0x4000
# What an ESP32 prints when it crashes, before pages of registers and a backtrace.
_CRASH = re.compile(
    r"Guru Meditation Error: [^\r\n\\]+|abort\(\) was called[^\r\n\\]*|assert failed: [^\r\n\\]+"
)
_SENTENCE_CHARS = 160

# Runs on the board: the sha256 of each file of a list, None for one that is not there.
_HASHES = """
import binascii, hashlib
def _hash(name):
    try:
        file = open(name, "rb")
    except OSError:
        return None
    digest = hashlib.sha256()
    block = bytearray(256)
    with file:
        while True:
            count = file.readinto(block)
            if not count:
                return binascii.hexlify(digest.digest()).decode()
            digest.update(memoryview(block)[:count])
"""


# Runs on the board: slots.state begins with ["a", or ["b", and during a trial the launcher has set the path.
# board.py needs relays.py, which is at the root.
_SLOT_IN_PATH = """
import sys
if sys.path[0] not in ("a", "b"):
    try:
        with open("slots.state") as _file:
            sys.path.insert(0, _file.read(3)[2:])
    except OSError:
        pass
if "" not in sys.path:
    sys.path.append("")
"""


def brief(error: object) -> str:
    """What went wrong in one sentence: an error of the line can carry all that the board has printed."""
    text = str(error)
    if crash := _CRASH.search(text):
        return f"the board has crashed ({crash[0].strip()}): reset it, and try again"
    first = text.strip().partition("\n")[0]
    return first if len(first) <= _SENTENCE_CHARS else first[:_SENTENCE_CHARS] + "..."


@dataclass(frozen=True)
class About:
    """sys.implementation and sys.platform of the board."""

    version: tuple[int, ...]
    machine: str
    mpy_version: int
    mpy_sub_version: int
    platform: str
    name: str = "micropython"

    @property
    def chip(self) -> str:
        """As `mcu` in board.json: esp32, esp32s3, esp32c3; "unix" on a PC."""
        if self.platform in ("linux", "darwin"):
            return "unix"
        return self.machine.rpartition(" with ")[2].lower().replace("-", "")


class Line:
    """Open for as long as the `with` block. port: a serial port, or a pty with a MicroPython behind it."""

    def __init__(self, port: str):
        self._port = port
        self._transport: Any = None  # a SerialTransport while it is open; mpremote has no types

    def __enter__(self) -> Line:
        try:
            self._transport = SerialTransport(self._port, timeout=READ_S)
        except _BROKEN as error:
            raise DeployError(port_state.why_closed(self._port)) from error
        serial, heard = self._transport.serial, port_state.Heard(self._transport.serial, PROMPT_S)
        try:
            self._transport.serial = heard
            self._enter()
            self._transport.serial = serial
        except _BROKEN as error:
            self._transport.serial = serial
            self.close()
            why = brief(heard.text) if _CRASH.search(heard.text) else port_state.why_no_prompt(heard.text)
            raise DeployError(f"{self._port}: {why}") from error
        except BaseException:  # Ctrl-C
            self.close()
            raise
        return self

    def _enter(self) -> None:
        for attempt in range(ENTER_TRIES):
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # mpremote prints what it did not expect
                    self._transport.enter_raw_repl(soft_reset=False, timeout_overall=ENTER_S)
                return
            except TransportError:
                if attempt == ENTER_TRIES - 1:
                    raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._transport is not None and self._transport.in_raw_repl:
            with contextlib.suppress(*_BROKEN):
                self._transport.serial.write(b"\r\x03")  # Ctrl-C: what still runs there ends, as it does here
        self.close()

    def close(self) -> None:
        if self._transport is None:
            return
        try:
            if self._transport.in_raw_repl:
                self._transport.exit_raw_repl()
            self._transport.close()
        except OSError:
            pass  # the port is gone with the board
        self._transport = None

    # -- what runs on the board

    def exec(self, code: str, silent_s: float = SILENT_S) -> str:
        """Runs `code` on the board; returns its output. silent_s: the longest time without output. Raises
        DeployError.
        """
        try:
            output, failed = self._transport.exec_raw(code, timeout=silent_s)
            text, why = output.decode(), failed.decode().strip()
        except _BROKEN as error:
            raise DeployError(f"{self._port}: {brief(error)}") from error
        if _CRASH.search(text + why):
            raise DeployError(f"{self._port}: {brief(text + why)}")
        if why:
            raise DeployError(f"on the board: {brief(why.splitlines()[-1])}")
        return text

    def eval(self, expression: str) -> Any:
        """The value of an expression there, where it is a plain one."""
        output = self.exec(f"print(repr({expression}))")
        try:
            return ast.literal_eval(output.strip())
        except _BROKEN as error:
            raise DeployError(f"{self._port}: {brief(error)}") from error

    def about(self) -> About:
        self.exec("import sys")
        name, version, platform, machine, mpy = self.eval(
            "(sys.implementation[0], tuple(sys.implementation[1]), sys.platform,"
            " getattr(sys.implementation, '_machine', ''), getattr(sys.implementation, '_mpy', 0))"
        )
        numbers = tuple(part for part in version if isinstance(part, int))
        return About(numbers, machine, mpy & 0xFF, mpy >> 8 & 3, platform, name)

    # -- files; paths are relative to the board's working folder, which is its root

    def hashes(self, names: list[str]) -> dict[str, str | None]:
        """sha256 in hex of each file; None where there is none."""
        self.exec(_HASHES)
        return {name: self.eval(f"_hash({name!r})") for name in names}

    def read(self, name: str) -> bytes | None:
        if not self.exists(name):
            return None
        self.exec(f"_file = open({name!r}, 'rb')")
        content = b""
        while chunk := self.eval(f"_file.read({CHUNK_BYTES})"):
            content += chunk
        self.exec("_file.close()")
        return content

    def exists(self, name: str) -> bool:
        folder, _, base = name.rpartition("/")
        return base in self.listdir(folder or ".")

    def listdir(self, folder: str) -> list[str]:
        """[] where there is no such folder."""
        self.exec(
            "import os\ndef _list(folder):\n try:\n  return os.listdir(folder)\n except OSError:\n  return []"
        )
        return list(self.eval(f"_list({folder!r})"))

    def make_folders(self, names: list[str]) -> None:
        """The folders that the files of these names need."""
        wanted = set()
        for name in names:
            parts = name.split("/")[:-1]
            wanted.update("/".join(parts[: i + 1]) for i in range(len(parts)))
        self.exec("import os")
        for folder in sorted(wanted):
            if not self.exists(folder):
                self.exec(f"os.mkdir({folder!r})")

    def write(self, name: str, content: bytes, on_progress: Callable[[int], None] = lambda _: None) -> None:
        """Replaces a file by a rename. on_progress: is called with the number of bytes written so far."""
        part = name + ".new"
        try:
            self.exec(f"import os\n_file = open({part!r}, 'wb')")
            for start in range(0, len(content), CHUNK_BYTES):
                chunk = content[start : start + CHUNK_BYTES]
                self.exec(f"_file.write({chunk!r})")
                on_progress(start + len(chunk))
            self.exec(f"_file.close()\nos.rename({part!r}, {name!r})")
        except DeployError as error:
            with contextlib.suppress(DeployError):  # the board may be gone
                self.exec(f"_file.close()\nos.remove({part!r})")
            if any(word in str(error) for word in _FULL):
                raise DeployError(
                    f"the board's flash has no room for {name}: remove files of yours from it,"
                    " or begin with an empty one (`make flash`, ARGS=--erase)"
                ) from error
            raise DeployError(f"{name}: {error}") from error

    def remove(self, name: str) -> None:
        self.exec(f"import os\nos.remove({name!r})")

    def use_firmware(self) -> None:
        """Lets the board import the modules of its slot, as the launcher does. Without slots, those at its
        root.
        """
        self.exec(_SLOT_IN_PATH)

    # -- the end

    def restart(self) -> None:
        """Resets the board. On a PC its process ends."""
        has_reset = self.exec("import machine\nprint(hasattr(machine, 'reset'))").strip() == "True"
        try:
            if has_reset:
                self._transport.exec_raw_no_follow("machine.reset()")
            else:
                self._transport.exit_raw_repl()
                self._transport.serial.write(b"\x04")
        except _BROKEN as error:
            raise DeployError(f"{self._port}: {brief(error)}") from error
        self._transport.in_raw_repl = False

    def lines(self, quiet_s: float, most_s: float) -> list[str]:
        """What the board prints until it has been quiet for quiet_s, or at the latest after most_s.

        The port of a chip with its own USB disappears at the reset, and is opened again when it is back.
        """
        text = b""
        began = last = time.monotonic()
        while time.monotonic() - began < most_s and time.monotonic() - last < quiet_s:
            try:
                waiting = self._transport.serial.inWaiting()
                if waiting:
                    text += self._transport.serial.read(waiting)
                    last = time.monotonic()
                else:
                    time.sleep(0.02)
            except OSError:  # pyserial's own is one
                self._reopen()
        return text.decode(errors="replace").splitlines()

    def _reopen(self) -> None:
        time.sleep(0.2)
        try:
            self._transport.serial.close()
            self._transport.serial.open()
        except OSError:  # pyserial's own is one
            pass  # not back yet
