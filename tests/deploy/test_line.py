"""The line to a board where it does not answer as it should, and who is told what."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial
from mpremote.transport import TransportError

from tests.deploy.board import PtyBoard
from tests.device import conftest as device_tests
from tests.device import test_board as board_tests
from tools import ROOT
from tools.board import calibrate
from tools.board.deploy import DeployError, line
from tools.board.deploy.__main__ import check_board, copy
from tools.board.deploy.line import About, Line
from tools.image import BuildError
from tools.image.files import board_folder

# A chip's pin whose output level is stored in a file, and a pulse counter that counts nothing.
FAKE_MACHINE = """
class Pin:
    IN = 0
    OUT = 1
    PULL_UP = 2
    def __init__(self, number, mode, pull=None, value=None):
        self._name = "pin%d" % number
        if value is not None:
            self.value(value)
    def value(self, level):
        with open(self._name, "w") as file:
            file.write(str(level))
class Counter:
    FALLING = 2
    def __init__(self, unit, pin, *, edge, filter_ns):
        pass
    def value(self):
        return 0
"""
# A chip's serial driver takes a Ctrl-C out of what comes while a program runs; the unix port leaves it there.
FAKE_TIME = """
import select, sys
from utime import ticks_diff, ticks_ms
poll = select.poll()
poll.register(sys.stdin, select.POLLIN)
def sleep_ms(ms):
    if poll.poll(ms) and sys.stdin.buffer.read(1) == b"\\x03":
        raise KeyboardInterrupt
"""
# A board's flash of 16 KiB: littlefs on a piece of heap.
SMALL_FLASH = """
import os, vfs
class Blocks:
    def __init__(self):
        self.data = bytearray(32 * 512)
    def readblocks(self, n, buf, off=0):
        at = n * 512 + off
        buf[:] = self.data[at : at + len(buf)]
    def writeblocks(self, n, buf, off=0):
        at = n * 512 + off
        self.data[at : at + len(buf)] = buf
    def ioctl(self, op, arg):
        return {4: 32, 5: 512}.get(op, 0)
blocks = Blocks()
vfs.VfsLfs2.mkfs(blocks)
vfs.mount(vfs.VfsLfs2(blocks), "/small")
os.chdir("/small")
"""


def wait_for(holds: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


@contextmanager
def something_that(answers: Callable[[bytes], bytes]) -> Iterator[str]:
    """A port with some other program at its end; `answers`: what to each thing that it reads."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)

    def run() -> None:
        while heard := os.read(ours, 4096):
            if b"end of test" in heard:
                return
            os.write(ours, answers(heard))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        os.write(theirs, b"end of test")
        thread.join()
        os.close(ours)
        os.close(theirs)


def test_a_port_without_micropython_behind_it(monkeypatch) -> None:
    monkeypatch.setattr(line, "ENTER_S", 0.2)
    monkeypatch.setattr(line, "READ_S", 0.2)
    for answers in (lambda _: b"", lambda _: b"ERROR\r\n\xff\xfe"):
        with something_that(answers) as port, pytest.raises(DeployError, match="make flash"):
            Line(port).__enter__()


@contextmanager
def something_that_prints(text: bytes) -> Iterator[str]:
    """A port with a program at its end that prints without a pause, and reads nothing."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            if select.select([], [ours], [], 0.05)[1]:
                os.write(ours, text)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        ended.set()
        thread.join()
        os.close(ours)
        os.close(theirs)


ROM = b"rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"ets Jul 29 2019 12:21:46\r\n" + ROM + b"invalid header: 0xffffffff\r\n" * 8, "no program"),
        (ROM + b"Brownout detector was triggered\r\n", "supply is too weak"),
        (ROM + b"I (29) boot: ESP-IDF v5.1\r\n", "again and again"),
        (
            b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0))\r\nwaiting for download\r\n",
            "BOOT button",
        ),
        (b"temperature 21.5\r\n", "another program runs on the board.*'.*temperature 21.5"),
        (b"\xff\xfe\x00", "another program"),
    ],
)
def test_a_board_that_prints_without_end_is_told_from_a_pile(monkeypatch, text: bytes, says: str) -> None:
    monkeypatch.setattr(line, "PROMPT_S", 0.5)
    with something_that_prints(text) as port, pytest.raises(DeployError, match=says):
        Line(port).__enter__()


def test_a_port_that_another_program_uses(pty_board) -> None:
    with (
        serial.Serial(pty_board.port, exclusive=True),
        pytest.raises(DeployError, match="another program uses"),
    ):
        Line(pty_board.port).__enter__()


@pytest.mark.parametrize(
    ("name", "says"), [("ttyUSB9", "there is no port"), ("a file", "no serial port"), (".", "no serial port")]
)
def test_what_is_no_port(tmp_path, name: str, says: str) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(DeployError, match=says) as refused:
        Line(str(tmp_path / name)).__enter__()
    assert "Errno" not in str(refused.value)


def test_a_board_that_stops_in_the_middle_of_an_answer(monkeypatch) -> None:
    monkeypatch.setattr(line, "READ_S", 0.2)

    def answers(heard: bytes) -> bytes:
        return b"raw REPL; CTRL-B to exit\r\n>" if heard.endswith(b"\x01") and b"A" not in heard else b"R\x01"

    with (
        something_that(answers) as port,
        pytest.raises(DeployError, match="requires a buffer"),
        Line(port) as opened,
    ):
        opened.exec("1")  # the pasting is agreed upon, and then nothing more comes


def test_noise_on_the_line_is_no_traceback(pty_board) -> None:
    with Line(pty_board.port) as opened, pytest.raises(DeployError, match="decode"):
        opened.exec("import sys\nsys.stdout.buffer.write(b'\\xff')")


CRASH = """Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled.

Core  1 register dump:
PC      : 0x400d1a2c  PS      : 0x00060330  A0      : 0x800d2b5f  A1      : 0x3ffb1f90
""" + "\n".join(f"A{i}      : 0x{i:08x}  A{i + 1}      : 0x3ffb1f90" for i in range(40))
CRASH += "\n\nBacktrace: 0x400d1a29:0x3ffb1f90 0x400d2b5c:0x3ffb1fb0\n\nELF file SHA256: 00\n\nReboot...\n"


@pytest.mark.parametrize("answer", [b"", b"OK", b"R\x01\x00\x01"])
@pytest.mark.long
def test_a_board_that_crashes_is_one_sentence(monkeypatch, answer: bytes) -> None:
    """It prints registers and a backtrace in place of an answer; nobody at a terminal can use them."""
    monkeypatch.setattr(line, "READ_S", 0.2)

    def answers(heard: bytes) -> bytes:
        if heard.endswith(b"\x01") and b"A" not in heard:
            return b"raw REPL; CTRL-B to exit\r\n>"
        return answer + CRASH.replace("\n", "\r\n").encode() + (b"\x04\x04>" if answer == b"OK" else b"")

    with something_that(answers) as port, pytest.raises(DeployError) as raised, Line(port) as opened:
        opened.exec("1", silent_s=0.5)
    said = str(raised.value)
    assert "register dump" not in said and "Backtrace" not in said
    assert len(said) < 250 and "\n" not in said, said


def test_a_crash_is_named_and_a_long_error_is_cut() -> None:
    told = line.brief(f"could not complete raw paste: {CRASH.encode()!r}")
    assert told == (
        "the board has crashed (Guru Meditation Error: Core  1 panic'ed (LoadProhibited)."
        " Exception was unhandled.): reset it, and try again"
    )
    assert len(line.brief("x" * 5_000)) < 200
    assert line.brief("one sentence\nTraceback") == "one sentence"


def test_a_port_that_is_not_given() -> None:
    with pytest.raises(DeployError, match="no PORT"):
        Line("").__enter__()


def refuses(*_: object, **__: object) -> None:
    raise TransportError("failed to access")


def test_a_port_that_one_may_not_use(monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may everything
    monkeypatch.setattr(line, "SerialTransport", refuses)
    with pytest.raises(DeployError, match="dialout"):
        Line("/dev/null").__enter__()


def test_an_old_or_another_python_is_told_so_whatever_else_it_says() -> None:
    """MicroPython told no chip before 1.17; CircuitPython takes the same raw REPL, and has its own flash."""
    old = About((1, 12, 0), "", 5, 0, "esp32")
    with pytest.raises(DeployError, match=r"1\.26\.0 or newer"):
        check_board(old, board_folder("esp32-devkitc"))
    other = About((10, 0, 3), "ESP32-S3-DevKitC-1-N8 with ESP32S3", 6, 3, "Espressif", "circuitpython")
    with pytest.raises(DeployError, match="circuitpython"):
        check_board(other, board_folder("esp32-s3-devkitc"))


def test_a_full_flash_is_said_in_words_and_left_without_a_part_of_a_file(pty_board) -> None:
    with Line(pty_board.port) as opened:
        opened.exec(SMALL_FLASH)
        opened.write("small.mpy", b"fits")
        with pytest.raises(DeployError, match=r"no room for pile/large\.mpy"):
            copy(opened, {"main.py": b"", "pile/large.mpy": bytes(20_000)})
        assert sorted(opened.listdir(".")) == ["pile", "small.mpy"]
        assert opened.listdir("pile") == []


@pytest.mark.parametrize("name", ["config", "pile/clock"])
def test_a_folder_that_would_be_imported_in_place_of_a_module_is_refused(pty_board, name: str) -> None:
    (pty_board.flash / name).mkdir(parents=True)
    (pty_board.flash / "main.py").write_text("print('still mine')")
    with Line(pty_board.port) as opened, pytest.raises(DeployError, match=f"mpremote rm -r :{name}"):
        copy(opened, {"main.py": b"", "config.mpy": b"", "pile/clock.mpy": b"", "pile/__init__.mpy": b""})
    assert (pty_board.flash / "main.py").read_text() == "print('still mine')"


@pytest.fixture
def metering_board(pty_board: PtyBoard) -> PtyBoard:
    (pty_board.flash / "machine.py").write_text(FAKE_MACHINE)
    (pty_board.flash / "time.py").write_text(FAKE_TIME)
    return pty_board


def counting(board: PtyBoard, seconds: int) -> subprocess.Popen[str]:
    pins = ("--relay", "26", "--cf", "18", "--cf1", "19", "--sel", "21")
    program = [sys.executable, "-m", "tools.board.calibrate", "count", "--port", board.port]
    return subprocess.Popen(
        [*program, "--seconds", str(seconds), *pins],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_it_counts_opens_the_relay(metering_board: PtyBoard, number: signal.Signals) -> None:
    """A person presses it because something smokes: not in a minute, when the count would be over."""
    relay = metering_board.flash / "pin26"
    process = counting(metering_board, seconds=400)
    try:
        wait_for(lambda: relay.exists() and relay.read_text() == "1")
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
        wait_for(lambda: relay.read_text() == "0")
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in said


def test_what_is_counted_is_printed(metering_board: PtyBoard, monkeypatch) -> None:
    monkeypatch.setattr(calibrate, "SETTLE_MS", 10)
    program = calibrate.script(26, 18, 19, 21, seconds=1)
    counts = json.loads(calibrate.count(metering_board.port, program, 1))
    assert counts.keys() == {"power", "current", "voltage"}
    assert (metering_board.flash / "pin26").read_text() == "0"


def test_a_calibration_is_stored_beside_the_others(pty_board) -> None:
    path: Path = pty_board.flash / "calibration.json"
    for connector in (1, 2):
        calibrate.store(pty_board.port, connector, {"energy": [connector, 7]})
    assert json.loads(path.read_text()) == {"1": {"energy": [1, 7]}, "2": {"energy": [2, 7]}}
    for damaged in ("{", "[]"):
        path.write_text(damaged)
        with pytest.raises(calibrate.CalibrationError, match="remove it"):
            calibrate.store(pty_board.port, 1, {"energy": [1, 7]})


@pytest.mark.parametrize(
    ("name", "what"), [("", "no BOARD is given; "), ("esp33", "there is no board esp33; ")]
)
def test_a_board_that_is_not_named_or_not_there_gets_its_own_sentence(name: str, what: str) -> None:
    with pytest.raises(BuildError, match=f"^{what}there are .*esp32-devkitc, "):
        board_folder(name)


@pytest.mark.parametrize(
    ("port", "says"), [("", "no PORT is given"), ("/dev/no-such-port", "there is no port /dev/no-such-port")]
)
def test_the_tests_on_a_board_without_one_end_in_one_sentence(
    monkeypatch, request, port: str, says: str
) -> None:
    monkeypatch.setenv("RATELOCK_DEVICE_PORT", port)
    with pytest.raises(pytest.UsageError, match=f"^test-device: {says}"):
        device_tests.pytest_sessionstart(request.session)
    assert board_tests.REWRITES  # it can be imported: without a board, nothing else does
