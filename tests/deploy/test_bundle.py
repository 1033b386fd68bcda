"""The firmware joined: what a name becomes, what is refused, and which source a line is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.board.deploy import DeployError
from tools.board.deploy.bundle import CORE, NAME, Bundle


def joined(folder: Path, **modules: str) -> Bundle:
    """Modules by their dotted name, a dot written as two underscores; `main` stays outside."""
    paths = {}
    for name, text in modules.items():
        paths[name.replace("__", ".")] = folder / f"{name}.py"
        paths[name.replace("__", ".")].write_text(text)
    return Bundle(paths, ["main"])


def run(bundle: Bundle, part: str = NAME) -> dict[str, object]:
    """The names of a part after it has run, as CPython does it."""
    texts = bundle.sources()
    names: dict[str, object] = {"const": lambda value: value, "__file__": f"{CORE}.mpy"}
    exec(texts[CORE], names)
    if part != CORE:
        head, _, rest = texts[part].partition("\n")
        exec(
            "; ".join(word for word in head.split("; ") if not word.startswith("from ")) + "\n" + rest, names
        )
    return names


def test_what_is_joined_does_what_it_did(tmp_path: Path) -> None:
    bundle = joined(
        tmp_path,
        pile__a="LIMIT = 3\n_twice = 2\n\n\nclass One(ValueError):\n    def __init__(self, much):\n        self._much = much * _twice\n\n"  # noqa: E501
        "    def told(self):\n        return self._much + LIMIT\n",
        app="from pile import a\n\n\ndef total(values):\n    return sum([a.One(value).told() for value in values]) + a.LIMIT\n",  # noqa: E501
        main="from app import total\n",
    )
    names = run(bundle)
    (line,) = bundle.sources()["main"].splitlines()
    symbol = line.rpartition(" ")[2]
    assert line == f"from {NAME} import {symbol}"
    assert names[symbol]([1, 2]) == 2 + 3 + 4 + 3 + 3  # type: ignore[operator]


def test_an_object_of_micropython_keeps_its_attributes(tmp_path: Path) -> None:
    bundle = joined(
        tmp_path, app="def trust(context):\n    context.verify_mode = 2\n", main="from app import trust\n"
    )
    assert ".verify_mode = 2" in bundle.sources()[NAME]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("from pile import a\n\n\ndef all_of_it():\n    return dir(a)\n", "is a module"),
        ("from pile import a\n\n\ndef missing():\n    return a.nothing\n", "has no nothing"),
        ("def other(one):\n    return one._hidden\n", "another module's own"),
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DeployError, match=why):
        joined(tmp_path, pile__a="LIMIT = 3\n", app=text, main="import app\n")


def test_a_line_is_found_in_its_source(tmp_path: Path) -> None:
    bundle = joined(tmp_path, pile__a="LIMIT = 3\n", app="\n\ndef fail():\n    raise ValueError\n", main="")
    lines = bundle.sources()[NAME].splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "raise ValueError" in line)
    path, line = bundle.place(NAME, number)
    assert (path.name, line) == ("app.py", 4)


def test_a_text_for_people_stays_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "there is no %s: provision this pile"
    bundle = joined(
        tmp_path, pile__a=f"def tell(name):\n    return {text!r} % name\n", main="from pile.a import tell\n"
    )
    assert bundle.texts == [text] and text not in bundle.sources()[CORE]
    symbol = bundle.sources()["main"].split()[-1]
    monkeypatch.chdir(tmp_path)
    tell = run(bundle, CORE)[symbol]
    assert tell("x") == "text 0 x"  # type: ignore[operator] - the file is missing
    (tmp_path / f"{CORE}.txt").write_text(text + "\n")
    assert tell("x") == text % "x"  # type: ignore[operator]
