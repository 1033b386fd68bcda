"""The firmware joined: what a name becomes, what is refused, and the form that a simulated pile runs."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from tools import ROOT
from tools.board import calibrate
from tools.harness.sim_pile import interpreter
from tools.image import BuildError, cache, files
from tools.image.bundle import ENTRY, JOINED, Bundle


def joined(folder: Path, **modules: str) -> Bundle:
    """Modules by their dotted name, a dot written as two underscores; `main` stays outside."""
    paths = {}
    for name, text in modules.items():
        paths[name.replace("__", ".")] = folder / f"{name}.py"
        paths[name.replace("__", ".")].write_text(text)
    return Bundle(paths, ["main"])


def printed(bundle: Bundle, folder: Path) -> list[str]:
    """What MicroPython prints that imports `main` with the bundle."""
    for name, text in bundle.sources().items():
        (folder / f"{name}.py").write_text(text)
    done = subprocess.run(
        [*interpreter(), "-c", "import main"], cwd=folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "MICROPYPATH": f"{folder}:.frozen"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()


A = """
LIMIT = 3
SHORT = "mWh"
_twice = 2
count = 0


class One(ValueError):
    _all = []

    def __init__(self, LIMIT):
        self._much = LIMIT * _twice

    def _told(self):
        return self._much

    def told(self):
        global count
        count += 1
        self._all.append(count)
        return self._told() + len([_twice for _twice in (1,)]) - 1
"""
B = """
from pile import a
from pile.a import LIMIT as MOST, One


class Two(One):
    def _told(self):
        return super()._told() + MOST + self._much


def total(values):
    count = 1
    return sum([Two(value).told() for value in values]) + a.LIMIT * count
"""
MAIN = """
import sys
from app import total
from pile import a
from pile.a import LIMIT, One

print(total([1, 2]), a.LIMIT, LIMIT, a.SHORT, One.__name__)
print(a.One(5).told(), repr(One(1)))
"""


def test_what_is_joined_does_what_it_did(tmp_path: Path) -> None:
    bundle = joined(tmp_path, pile__a=A, app=B, main=MAIN)
    assert printed(bundle, tmp_path) == ["21", "3", "3", "mWh", "One", "10", "One(1,)"]
    text = bundle.sources()[JOINED[0]]
    assert not any(word in text for word in ("LIMIT =", "_much", "_told", "_all", "mWh"))


def test_an_object_of_micropython_keeps_its_attributes(tmp_path: Path) -> None:
    bundle = joined(
        tmp_path, app="def trust(context):\n    context.verify_mode = 2\n", main="from app import trust\n"
    )
    assert ".verify_mode = 2" in bundle.sources()[JOINED[0]]


PARTS = """
class Part:
    shown = 1

    def __init__(self, amount, given=2, *more, other=3):
        self.amount = amount
        self.word = given
        self.feed = other
        self.relay = more

    def doubled(self, amount, word):
        try:
            return [(lambda amount, far=amount: amount + far + each)(1) for each in (amount, word)]
        except ValueError as word:
            return word

    def kept(self, amount):
        def inner():
            nonlocal amount
            amount += 1
            return amount

        return inner() + amount
"""
PARTS_MAIN = """
from pile.parts import Part

part = Part(4, given=5)
print(part.amount, part.word, part.feed, part.shown, part.doubled(6, 7), part.kept(1), getattr(part, "word"))
"""


def test_attributes_and_parameters_have_names_in_flash_unless_somebody_means_them(tmp_path: Path) -> None:
    bundle = joined(tmp_path, pile__parts=PARTS, main=PARTS_MAIN)
    assert printed(bundle, tmp_path) == ["4", "5", "3", "1", "[13,", "14]", "4", "5"]
    names = set(re.findall(r"\w+", bundle.sources()[JOINED[1]]))
    # A text, a keyword, an attribute of the chip's own objects, one that a person may ask for at the console.
    assert {"word", "given", "feed", "relay"} <= names
    assert not {"shown", "doubled", "kept", "other", "far"} & names


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("from pile import a\n\n\ndef all_of_it():\n    return dir(a)\n", "is a module"),
        ("from pile import a\n\n\ndef missing():\n    return a.nothing\n", "has no nothing"),
        ("def other(one):\n    return one._hidden\n", "private to another module"),
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BuildError, match=why):
        joined(tmp_path, pile__a="LIMIT = 3\n", app=text, main="import app\n").sources()


def test_what_tools_run_on_a_pile_needs_no_module_that_is_joined() -> None:
    joined_modules = {"drivers", "pile", "pile_protocol", "net", "app", "shell", "lamp"}
    programs = strings(ROOT / "tests" / "device" / "test_board.py")
    programs.append(calibrate.script(1, 2, 3, 4, seconds=10))
    for program in programs:
        for found in re.findall(r"(?:from|import) ([\w., ]+)", program):
            assert not joined_modules & set(re.split(r"[., ]+", found)), program


def test_what_the_device_test_asks_a_board_for_keeps_its_name() -> None:
    bundle = files.joined(files.board_folder("esp32-devkitc"))
    programs = " ".join(expressions(ROOT / "tests" / "device" / "test_board.py"))
    names = set(re.findall(r"\.([a-z_]+)", programs))
    assert {"relay", "is_closed", "register_mwh"} <= names
    assert [name for name in names if bundle.attribute("app", name)] == []


def expressions(path: Path) -> list[str]:
    """The texts in a file."""
    found = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    return [text for text in found if isinstance(text, str)]


def strings(path: Path) -> list[str]:
    """The texts in a file that begin a program."""
    return [text for text in expressions(path) if "import " in text]


def test_a_pile_on_a_pc_runs_the_files_that_a_chip_gets(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    folder = cache.folder("sim", interpreter())
    assert all((folder / f"{name}.mpy").is_file() for name in JOINED) and not (folder / "shell.mpy").exists()
    assert cache.folder("sim", interpreter()) == folder
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_micropython_with_other_compiled_files_gets_the_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    monkeypatch.setattr(cache, "runs_mpy", lambda interpreter: False)
    folder = cache.folder("sim", interpreter())
    assert all((folder / f"{name}.py").is_file() for name in JOINED) and not list(folder.glob("*.mpy"))
    done = subprocess.run(
        [*interpreter(), "-c", "import start; start.main()"], cwd=tmp_path, timeout=60,
        env={**os.environ, "MICROPYPATH": f"{folder}:.frozen"}, capture_output=True, text=True,
    )  # fmt: skip
    assert "there is no config.json: provision this pile" in done.stdout


def test_the_package_pile_is_joined_apart_and_imported_after_the_rest(tmp_path) -> None:
    base = "def double(x):\n    return 2 * x\n\n\nclass Base:\n    def _hidden(self):\n        return 3\n"
    pile = (
        "import base\nfrom base import Base\n\n\n"
        "class Mine(Base):\n    def shown(self):\n        return base.double(self._hidden())\n"
    )
    made = joined(tmp_path, base=base, pile=pile, main="import pile\nprint(pile.Mine().shown())\n")
    assert printed(made, tmp_path) == ["6"]
    sources = made.sources()
    assert "2 *" in sources[JOINED[0]] and "2 *" not in sources[JOINED[1]]
    assert sources[ENTRY].index(JOINED[0]) < sources[ENTRY].index(f"import {JOINED[1]}")
