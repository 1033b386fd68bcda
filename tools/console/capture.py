"""The events of a source, and the file that records them.

A capture is JSON lines: a heading, then `{"at_ms","topic","text" or "base64"}` for a message and
`{"at_ms","link","text"}` for a connection that was made or lost. A payload is stored byte for byte.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from pile_protocol import messages
from tools.console.errors import CaptureError

# One byte more than the longest message of the wire, so that a larger one can be recognised.
KEPT_BYTES = messages.MESSAGE_MAX_BYTES + 1
HEADER = {"capture": "ratelock", "version": 1}


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message. `payload` ends after KEPT_BYTES; `size_bytes` is what it was."""

    at_ms: int  # Unix time of arrival
    topic: str
    payload: bytes
    retained: bool
    size_bytes: int

    @classmethod
    def arrived(cls, at_ms: int, topic: str, payload: bytes | bytearray, retained: bool) -> Message:
        return cls(at_ms, topic, bytes(payload[:KEPT_BYTES]), retained, len(payload))


@dataclass(frozen=True, slots=True)
class LinkChange:
    """The connection to the broker came up or went down, or an attempt failed; `text` describes it."""

    at_ms: int
    up: bool
    text: str


Event = Message | LinkChange


def to_line(event: Event) -> str:
    """One line of a capture, with its end."""
    value: dict[str, Any] = {"at_ms": event.at_ms}
    if isinstance(event, LinkChange):
        value |= {"link": "up" if event.up else "down", "text": event.text}
    else:
        value["topic"] = event.topic
        if event.retained:
            value["retained"] = True
        if event.size_bytes != len(event.payload):
            value["size_bytes"] = event.size_bytes
        try:
            value["text"] = event.payload.decode()
        except UnicodeDecodeError:
            value["base64"] = base64.b64encode(event.payload).decode()
    return json.dumps(value) + "\n"


def from_line(line: str) -> Event:
    """Raises CaptureError for a line that is damaged."""
    try:
        value = json.loads(line)
        at_ms = value["at_ms"]
        if type(at_ms) is not int or at_ms < 0:
            raise CaptureError("at_ms must be a whole number")
        if "link" in value:
            return LinkChange(at_ms, value["link"] == "up", str(value["text"]))
        payload = (
            base64.b64decode(value["base64"], validate=True) if "base64" in value else value["text"].encode()
        )
        size_bytes = int(value.get("size_bytes", len(payload)))
        return Message(
            at_ms, str(value["topic"]), payload[:KEPT_BYTES], bool(value.get("retained")), size_bytes
        )
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise CaptureError(f"not a line of a capture ({type(error).__name__})") from error


class Recorder:
    """Writes a capture; an existing file is left alone. Raises CaptureError."""

    def __init__(self, path: Path):
        self.count = 0
        try:
            self._file: TextIO = open(path, "x", encoding="utf-8")  # noqa: SIM115 closed by close()
        except FileExistsError:
            raise CaptureError(f"{path} exists already; a capture never overwrites one") from None
        except OSError as error:
            raise CaptureError(f"{path} cannot be written: {error.strerror}") from error
        self._file.write(json.dumps(HEADER) + "\n")
        self._file.flush()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, events: list[Event]) -> None:
        """Raises CaptureError where the disk takes no more."""
        try:
            self._file.writelines(to_line(event) for event in events)
            self._file.flush()  # flushed, so that the capture has what was shown if the console is killed
        except OSError as error:
            raise CaptureError(f"the capture cannot be written any more: {error.strerror}") from error
        self.count += sum(isinstance(event, Message) for event in events)

    def close(self) -> None:
        self._file.close()


class Reader:
    """Reads a capture line by line; `damaged` counts the lines that were passed over. Raises CaptureError."""

    def __init__(self, path: Path):
        self.damaged = 0
        try:
            self._file: TextIO = open(path, encoding="utf-8", errors="replace")  # noqa: SIM115 closed by events()
            first = self._file.readline(1000)
        except OSError as error:
            raise CaptureError(f"{path} cannot be read: {error.strerror}") from error
        try:
            header = json.loads(first)
        except ValueError:
            header = None
        if not isinstance(header, dict) or header.get("capture") != "ratelock":
            self._file.close()
            raise CaptureError(f"{path} is not a capture of this console")
        if header.get("version") != HEADER["version"]:
            self._file.close()
            raise CaptureError(f"{path} is a capture of another version of this console")

    def events(self) -> Iterator[Event]:
        """Once, to the end of the file."""
        with self._file as file:
            for line in file:
                try:
                    yield from_line(line)
                except CaptureError:  # a console that was killed leaves half a line
                    self.damaged += 1
