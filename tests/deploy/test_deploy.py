"""`make deploy` against the unix port behind a pty: a real raw REPL, a real file system, no board."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable

import pytest

from tests.deploy.board import PtyBoard
from tests.deploy.conftest import QUIET_S
from tools.board.deploy import DeployError
from tools.board.deploy.__main__ import check_board, copy, deploy, progress
from tools.board.deploy.line import About, Line
from tools.image import BuildError, release, slot
from tools.image import files as image

DEVKITC = About((1, 29, 0), "Generic ESP32 module with ESP32", 6, 3, "esp32")


def test_a_bare_board_gets_the_firmware_and_shows_its_first_lines(pty_board, sim, capsys) -> None:
    deploy(sim, pty_board.port, quiet_s=QUIET_S)
    said = capsys.readouterr().out
    assert "there is no config.json: provision this pile" in said
    on_board = {
        str(p.relative_to(pty_board.flash)): p.read_bytes() for p in pty_board.flash.rglob("*") if p.is_file()
    }
    assert on_board == slot.pile(sim, image.build(sim), release.of_tree())
    assert pty_board.starts == 2


def test_only_what_has_changed_is_copied_and_nothing_else_is_touched(
    pty_board, sim, tmp_path, capsys
) -> None:
    deploy(sim, pty_board.port, restart=False)
    kept = {"config.json": "{}", "ca.pem": "a certificate", "calibration.json": "{}", "flash/used": "x"}
    for name, text in kept.items():
        (pty_board.flash / name).parent.mkdir(exist_ok=True)
        (pty_board.flash / name).write_text(text)
    edited = tmp_path / "my pile"
    shutil.copytree(sim, edited)
    manifest = edited / "manifest.py"
    manifest.write_text(
        manifest.read_text().replace('"../', f'"{image.BOARDS}/').replace('"../../', f'"{image.ROOT}/')
    )
    (edited / "board.py").write_text((edited / "board.py").read_text() + "\nEDITED = True\n")
    capsys.readouterr()
    deploy(image.board_folder(str(edited)), pty_board.port, restart=False)
    assert "2 of " in capsys.readouterr().out  # board.py, and the manifest that names it
    for name, text in kept.items():
        assert (pty_board.flash / name).read_text() == text


@pytest.mark.long
def test_a_file_that_decayed_on_the_board_is_copied_again(pty_board, sim, capsys) -> None:
    deploy(sim, pty_board.port, restart=False)
    victim = pty_board.flash / "a" / "ratelock.mpy"
    good = victim.read_bytes()
    victim.write_bytes(good[:-1] + b"?")
    deploy(sim, pty_board.port, restart=False)
    assert victim.read_bytes() == good


@pytest.mark.long
def test_a_board_without_slots_gets_them_and_keeps_what_is_its_own(pty_board, sim) -> None:
    old = ("app.mpy", "board.py", "ratelock.mpy", "foreign.mpy", "pile/session.mpy", "pile/recovery.mpy")
    kept = ("config.json", "ca.pem", "calibration.json", "flash/used", "pile/mine.txt")
    for name in (*old, *kept, "boot.py", "main.py"):
        (pty_board.flash / name).parent.mkdir(exist_ok=True)
        (pty_board.flash / name).write_bytes(b"'old'")
    deploy(sim, pty_board.port, restart=False)
    on_board = {str(p.relative_to(pty_board.flash)) for p in pty_board.flash.rglob("*") if p.is_file()}
    assert on_board == {*kept, *slot.pile(sim, image.build(sim))}
    assert (pty_board.flash / "flash" / "used").read_bytes() == b"'old'"


@pytest.mark.long
def test_a_deploy_is_what_the_pile_starts_whatever_an_update_had_made_of_it(pty_board, sim) -> None:
    """Release 99 was confirmed in slot b, and another one is on trial: the person at the cable decides."""
    deploy(sim, pty_board.port, restart=False)
    (pty_board.flash / "b").mkdir()
    (pty_board.flash / "b" / "manifest.json").write_text('{"release": 99}')
    (pty_board.flash / slot.STATE).write_bytes(slot.state("b", 99, 100, 1))
    deploy(sim, pty_board.port, restart=False)
    assert (pty_board.flash / slot.STATE).read_bytes()[:5] == b'["a",'
    assert not (pty_board.flash / "b" / "manifest.json").exists()


@pytest.mark.long
def test_a_source_that_would_hide_its_compiled_twin_goes(pty_board, sim) -> None:
    """MicroPython imports config.py before config.mpy: an old one would go on running."""
    (pty_board.flash / "a").mkdir()
    (pty_board.flash / "a" / "config.py").write_text("raise SystemExit\n")
    deploy(sim, pty_board.port, restart=False)
    assert not (pty_board.flash / "a" / "config.py").exists()


@pytest.mark.long
def test_a_pile_at_work_is_interrupted_with_its_relays_open(pty_board, sim, capsys) -> None:
    deploy(sim, pty_board.port, restart=False)
    config = {"device_id": "PILE-1", "key": "5a" * 32, "broker": {"host": "127.0.0.1", "port": 1}}
    (pty_board.flash / "config.json").write_text(json.dumps(config))
    deploy(sim, pty_board.port, quiet_s=QUIET_S)
    assert "pile PILE-1, firmware" in capsys.readouterr().out
    deploy(sim, pty_board.port, restart=False)  # the pile runs now
    with Line(pty_board.port) as line:
        assert line.eval("1 + 1") == 2


class FrailLine(Line):
    """A board as a dictionary, on a line that dies at its `lives`-th change."""

    def __init__(self, files: dict[str, bytes], lives: int):
        super().__init__("no port")
        self.files = files
        self.lives = lives

    def _change(self) -> None:
        self.lives -= 1
        if self.lives < 0:
            raise DeployError("the cable is out")

    def hashes(self, names: list[str]) -> dict[str, str | None]:
        return {n: hashlib.sha256(self.files[n]).hexdigest() if n in self.files else None for n in names}

    def listdir(self, folder: str) -> list[str]:
        at = "" if folder == "." else folder
        return [name.rpartition("/")[2] for name in self.files if name.rpartition("/")[0] == at]

    def make_folders(self, names: list[str]) -> None:
        pass

    def write(self, name: str, content: bytes, on_progress: Callable[[int], None] = lambda _: None) -> None:
        self._change()
        self.files[name] = content

    def remove(self, name: str) -> None:
        self._change()
        del self.files[name]


def test_an_interrupted_update_never_starts_a_mixture() -> None:
    old = {"boot.py": b"b", "main.py": b"m", "app.mpy": b"1", "pile/a.mpy": b"1", "pile/b.mpy": b"1"}
    new = {**old, "boot.py": b"c", "relays.py": b"r", "app.mpy": b"2", "pile/a.mpy": b"2"}
    hidden = {**old, "pile/a.py": b"an older source"}
    interrupted = 0
    for lives in range(20):
        line = FrailLine(dict(hidden), lives)
        try:
            assert copy(line, new) == 4
        except DeployError:
            interrupted += 1
            assert line.files == hidden or "main.py" not in line.files
            assert line.files["boot.py"] == b"b" or "relays.py" in line.files  # which the new one needs
            line.lives = 20
            copy(line, new)
        assert line.files == new
    assert interrupted == 7  # main.py away, four files, the hidden source, main.py back


def test_a_board_that_does_not_keep_what_is_sent_is_not_started() -> None:
    class WornLine(FrailLine):
        def write(
            self, name: str, content: bytes, on_progress: Callable[[int], None] = lambda _: None
        ) -> None:
            super().write(name, content[:-1], on_progress)

    line = WornLine({"main.py": b"main"}, 20)
    with pytest.raises(DeployError, match="has not kept app"):
        copy(line, {"main.py": b"main", "app.mpy": b"app"})
    assert "main.py" not in line.files


@pytest.mark.parametrize(
    ("about", "board", "says"),
    [
        (DEVKITC, "esp32-s3-devkitc", "is for esp32s3"),
        (About((1, 25, 0), DEVKITC.machine, 6, 3, "esp32"), "esp32-devkitc", "1.26.0 or newer"),
        (About((1, 40, 0), DEVKITC.machine, 7, 0, "esp32"), "esp32-devkitc", "the board runs 7.0"),
        (About((1, 29, 0), "Generic ESP32C3 module with ESP32-C3", 6, 3, "esp32"), "sim", "is for unix"),
    ],
)
def test_a_board_that_cannot_run_it_is_refused(about: About, board: str, says: str) -> None:
    with pytest.raises(DeployError, match=says):
        check_board(about, image.board_folder(board))


@pytest.mark.parametrize(
    ("machine", "chip"),
    [
        ("Generic ESP32 module with ESP32", "esp32"),
        ("Generic ESP32S3 module with ESP32S3", "esp32s3"),
        ("ESP32C3 module with ESP32C3", "esp32c3"),
        ("Generic ESP32C3 module with ESP32-C3", "esp32c3"),
    ],
)
def test_the_chip_is_read_from_what_the_board_says(machine: str, chip: str) -> None:
    assert About((1, 29, 0), machine, 6, 3, "esp32").chip == chip


def test_the_progress_bar_stays_on_one_line_of_the_terminal(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    for done in (1_000, 234_567):
        progress(done, 234_567, "drivers/esp32/modbus_meter.mpy")
    drawn = capsys.readouterr().out.split("\r")[1:]
    assert [len(text) for text in drawn] == [79, 79]


def test_a_port_that_is_not_there(sim, tmp_path) -> None:
    with pytest.raises(DeployError, match="there is no port"):
        deploy(sim, str(tmp_path / "no port"))


def test_an_unknown_board_is_answered_with_those_there_are() -> None:
    with pytest.raises(BuildError, match="esp32-devkitc"):
        image.board_folder("esp99")


@pytest.mark.parametrize("board", sorted(path.parent.name for path in image.BOARDS.glob("*/manifest.py")))
def test_every_board_can_be_built(board: str) -> None:
    files = image.build(image.board_folder(board))
    assert {"start.mpy", "ratelock.mpy", "board.mpy"} <= files.keys()
    assert not set(image.ROOT_FILES) & files.keys()


def test_a_pty_board_starts_again_after_a_reset(tmp_path) -> None:
    with PtyBoard(tmp_path / "flash") as board, Line(board.port) as line:
        line.restart()
        assert any("MicroPython" in text for text in line.lines(QUIET_S, 10))
        assert board.starts == 2
