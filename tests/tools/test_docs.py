"""The documents name what is there: files, headings, make targets, commands of the cloud."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cloud_stub.cli import parser
from tools import ROOT

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("boards/**/*.md")]
BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.S | re.M)


def words(page: Path) -> str:
    return BLOCK.sub("", page.read_text())


def headings(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    texts = re.findall(r"^#+ (.*)$", words(page), re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def commands(text: str) -> list[str]:
    """Each command line of the code blocks, without its remark."""
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    return [re.sub(r"\s+#.*", "", line.strip()) for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", words(page)):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        there = page.parent / name if name else page
        assert there.exists(), target
        assert not anchor or anchor in headings(there), target


def test_every_make_target_is_there() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        text = page.read_text()
        named = re.findall(r"`make ([a-z-]+)", text)
        named += [line.split()[1] for line in commands(text) if re.match(r"make [a-z]", line)]
        assert set(named) <= known, page.name


def test_every_command_of_the_cloud_is_one_that_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    found = 0
    for page in PAGES:
        for line in commands(page.read_text()):
            _, is_command, rest = line.partition("python -m cloud_stub ")
            if not is_command or " | " in rest:
                continue
            try:
                parser().parse_args(shlex.split(rest))
            except SystemExit:
                pytest.fail(f"{page.name}: {line}\n{capsys.readouterr().err}")
            found += 1
    assert found > 20
