"""Why a serial port does not lead to MicroPython's prompt, in one sentence that says what to do."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from typing import Any

import serial
from mpremote.transport import TransportError
from serial.tools import list_ports

from cloud_stub.base.os_errors import in_words

HEARD_BYTES = 4_096
_SHOWN_CHARS = 60
_START = re.compile(r"rst:0x[0-9a-f]+")  # a chip's ROM prints it at each start

# What a chip's ROM and bootloader print, and what to do about it.
_SAYS = (
    (
        ("invalid header: 0x", "flash read err", "No bootable app", "invalid magic byte"),
        "the board finds no program that it can start: `make flash` puts MicroPython onto it",
    ),
    (
        ("waiting for download", "DOWNLOAD_BOOT", "DOWNLOAD("),
        "the board waits for a download: release its BOOT button, and press its reset button",
    ),
    (
        ("Brownout detector",),
        "the board's supply is too weak (brownout): use another cable or supply, and take off what it feeds",
    ),
)


class Heard:
    """A serial port until a deadline, with the last of what the board has sent.

    A board that prints without end would hold mpremote for ever: it waits for a pause.
    """

    def __init__(self, port: Any, wait_s: float):
        self._port = port
        self._until = time.monotonic() + wait_s
        self._heard = b""

    @property
    def text(self) -> str:
        return self._heard.decode(errors="replace")

    def inWaiting(self) -> int:
        self._check()
        return int(self._port.inWaiting())

    def read(self, size: int) -> bytes:
        self._check()
        data = bytes(self._port.read(size))
        self._heard = (self._heard + data)[-HEARD_BYTES:]
        return data

    def write(self, data: bytes) -> int:
        return int(self._port.write(data))

    def _check(self) -> None:
        if time.monotonic() > self._until:
            raise TransportError("no prompt in time")


def why_no_prompt(text: str) -> str:
    """text: what was heard while MicroPython's prompt was asked for."""
    for marks, sentence in _SAYS:
        if any(mark in text for mark in marks):
            return sentence
    if len(_START.findall(text)) > 1:
        return "the board starts again and again: put MicroPython onto it anew (`make flash`, ARGS=--erase)"
    shown = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    if shown:
        return (
            f"another program runs on the board, and does not end at Ctrl-C; it prints"
            f" '{shown[-_SHOWN_CHARS:]}': `make flash` puts MicroPython onto it"
        )
    return (
        "nothing answers: is it the board's port, and is there MicroPython on the board (`make flash`)?"
        " A board with its own USB may need a press on its reset button"
    )


def why_closed(port: str) -> str:
    """Why the port cannot be opened; port: as it was given."""
    if not port:
        return f"no PORT is given; {_ports()}"
    if not os.path.exists(port):
        return f"there is no port {port}; {_ports()}"
    if not stat.S_ISCHR(os.stat(port).st_mode):
        return f"{port} is no serial port; {_ports()}"
    if not os.access(port, os.R_OK | os.W_OK):
        return (
            f"{port}: you may not use this port; its group may (Debian, Ubuntu: sudo adduser $USER dialout,"
            " then log in again)"
        )
    try:
        serial.Serial(port, exclusive=True).close()
    except OSError as error:  # pyserial's own is one
        if error.errno in (errno.EAGAIN, errno.EBUSY) or "lock port" in str(error):
            return f"{port}: another program uses the port (`fuser {port}` names it): end that one first"
        return f"{port} cannot be used ({in_words(error)}): is it a serial port? Plug the board in again"
    return f"{port} was closed while it was opened: try again"


def _ports() -> str:
    found = [each.device for each in list_ports.comports()]
    if found:
        return f"there is {', '.join(found)}"
    return "no board is plugged in, or its cable has no data lines"
