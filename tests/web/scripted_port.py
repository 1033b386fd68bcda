"""A board at the browser's serial port: navigator.serial is replaced, everything behind it is played here.

The chip's ROM is scripted (Espressif's serial protocol, as documented with esptool), MicroPython is the real
one behind a pty. The lines DTR and RTS reset the chip as the usual USB adapter's two transistors do.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from typing import Protocol

from playwright.sync_api import BrowserContext

from tests.deploy.board import PtyBoard

# Web Serial's SerialPort, as far as the page uses it; each call of portIO is answered by Bench.answer.
_SERIAL = """
(() => {
  const bytes = (text) => Uint8Array.from(text, (char) => char.charCodeAt(0));
  let idle = 0; // looks in a row that found nothing
  const pause = () => new Promise((resolve) => setTimeout(resolve, idle++ < 20 ? 2 : 20));
  class Port extends EventTarget {
    readable = null;
    writable = null;
    getInfo() { return { usbVendorId: 0x10c4, usbProductId: 0xea60 }; }
    async open({ baudRate }) {
      if (this.readable) throw new DOMException("The port is already open.", "InvalidStateError");
      const refused = await portIO("open", String(baudRate));
      if (refused) throw new DOMException(refused, "NetworkError");
      let ended = false;
      this.readable = new ReadableStream({
        pull: async (controller) => {
          while (!ended) {
            const text = await portIO("read", "");
            if (text === null) {
              this.readable = this.writable = null;
              controller.error(new DOMException("The device has been lost.", "NetworkError"));
              this.dispatchEvent(new Event("disconnect"));
              return;
            }
            if (text) {
              idle = 0;
              return ended || controller.enqueue(bytes(text));
            }
            await pause();
          }
        },
        cancel: () => { ended = true; },
      }, { highWaterMark: 0 });
      this.writable = new WritableStream({
        write: async (chunk) => {
          idle = 0;
          if ((await portIO("write", String.fromCharCode(...chunk))) === null)
            throw new DOMException("The device has been lost.", "NetworkError");
        },
      });
    }
    async setSignals({ dataTerminalReady, requestToSend }) {
      await portIO("signals", JSON.stringify({ dtr: dataTerminalReady, rts: requestToSend }));
    }
    async close() { this.readable = this.writable = null; }
  }
  const port = new Port();
  Object.defineProperty(navigator, "serial", { value: { requestPort: async () => port } });
})();
"""


class Program(Protocol):
    """What runs on the chip after a reset."""

    def read(self) -> bytes: ...

    def write(self, data: bytes) -> None: ...


class Prints:
    """Prints the same at each byte that it gets, and does nothing else; b"" is a silent board."""

    def __init__(self, text: bytes):
        self._text = text
        self._out = text

    def read(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def write(self, data: bytes) -> None:
        self._out = self._text


class MicroPython:
    """The board behind a pty."""

    def __init__(self, board: PtyBoard):
        self._file = os.open(board.port, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)

    def read(self) -> bytes:
        try:
            return os.read(self._file, 4096)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        os.write(self._file, data)

    def close(self) -> None:
        os.close(self._file)


MAGIC = {0: 0x00F0_1D83, 9: 0x9}  # by chip id: what stands at 0x4000_1000


class Rom:
    """The bootloader in a chip's ROM, then Espressif's stub: the commands that writing an image takes.

    written: {address: content}. Numbers of commands: "Serial Protocol" in esptool's documentation.
    """

    END, ESC = b"\xc0", b"\xdb"

    def __init__(self, chip_id: int = 0):
        self._chip_id = chip_id
        self.written: dict[int, bytes] = {}
        self.has_erased = False
        self.reset()

    def reset(self) -> None:
        """The bootloader begins again; what is in flash stays."""
        self._out = b""
        self._in = b""
        self._has_stub = False
        self._begun = (0, b"")

    def read(self) -> bytes:
        taken, self._out = self._out, b""
        return taken

    def write(self, data: bytes) -> None:
        self._in += data
        while self._in.count(self.END) >= 2:
            _, packet, self._in = self._in.split(self.END, 2)
            packet = packet.replace(self.ESC + b"\xdc", self.END).replace(self.ESC + b"\xdd", self.ESC)
            op, value = packet[1], packet[8:]
            self._command(op, value)

    def _send(self, packet: bytes) -> None:
        escaped = packet.replace(self.ESC, self.ESC + b"\xdd").replace(self.END, self.ESC + b"\xdc")
        self._out += self.END + escaped + self.END

    def _answer(self, op: int, value: int = 0, data: bytes = b"") -> None:
        data += bytes(2 if self._has_stub else 4)
        self._send(struct.pack("<BBHI", 1, op, len(data), value) + data)

    def _command(self, op: int, data: bytes) -> None:
        if op == 0x08:  # SYNC
            for _ in range(1 if self._has_stub else 8):
                self._answer(op, 0 if self._has_stub else 0x2012_0707)
        elif op == 0x14:  # GET_SECURITY_INFO, which the first ESP32 does not have
            if self._chip_id:
                self._answer(op, 0, struct.pack("<IB7sII", 0, 0, bytes(7), self._chip_id, 0))
            else:
                for _ in range(8):
                    self._send(struct.pack("<BBHI", 1, 0xFF, 4, 0) + b"\x01\x05\x00\x00")
        elif op == 0x0A:  # READ_REG
            self._answer(op, MAGIC[self._chip_id] if data[:4] == b"\x00\x10\x00\x40" else 0)
        elif op == 0x06:  # MEM_END: the stub starts, and says so
            self._answer(op)
            self._has_stub = True
            self._send(b"OHAI")
        elif op == 0x10:  # FLASH_DEFL_BEGIN
            self._begun = (struct.unpack_from("<I", data, 12)[0], b"")
            self._answer(op)
        elif op == 0x11:  # FLASH_DEFL_DATA: sizes first, 16 bytes
            self._begun = (self._begun[0], self._begun[1] + data[16:])
            self._answer(op)
        elif op == 0x12:  # FLASH_DEFL_END
            self.written[self._begun[0]] = zlib.decompress(self._begun[1])
            self._answer(op)
        else:
            self.has_erased = self.has_erased or op == 0xD0
            self._answer(op)


class Bench:
    """One board on the cable.

    program: what runs now; started: makes what runs after a reset; rom: what runs after a reset into the
    bootloader. `lives`: how many bytes the cable still carries to the board, None for any number.
    """

    def __init__(self, started: Callable[[], Program], rom: Rom | None = None):
        self.started = started
        self.rom = rom or Rom()
        self.program = started()
        self.refusal = ""
        self.lives: int | None = None
        self._dtr = self._rts = False

    def install(self, context: BrowserContext) -> None:
        context.expose_function("portIO", self.answer)
        context.add_init_script(_SERIAL)

    def answer(self, call: str, text: str) -> str | None:
        """What a call of the port gives; None where the cable is out."""
        if call == "open":
            return self.refusal
        if call == "signals":
            self._signals(text)
            return ""
        if self.lives is not None and self.lives <= 0:
            return None
        if call == "write":
            data = text.encode("latin-1")
            if self.lives is not None:
                self.lives -= len(data)
            self.program.write(data)
            return ""
        return self.program.read().decode("latin-1")

    def _signals(self, text: str) -> None:
        """DTR alone pulls the boot pin, RTS alone the reset line; both or none pull neither."""
        before = self._rts and not self._dtr
        self._dtr, self._rts = '"dtr":true' in text, '"rts":true' in text
        if before and not (self._rts and not self._dtr):
            if self._dtr:
                self.rom.reset()
            self.program = self.rom if self._dtr else self.started()
