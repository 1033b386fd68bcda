"""docs/field-guide.md has every fault and stop reason, and heals what faults.py heals."""

from __future__ import annotations

import re

from pile.faults import HEALINGS_MAX, SELF_HEALING
from pile_protocol import words
from tools import ROOT

GUIDE = (ROOT / "docs" / "field-guide.md").read_text()
NUMBERS = {3: "three"}


def section(title: str) -> str:
    return GUIDE.split(f"## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_each_fault_heals_as_the_table_says() -> None:
    healing: dict[str, set[str]] = {}
    for name, _, heals, _ in rows("Faults"):
        healing.setdefault(name.strip("`"), set()).add(heals)
    expected = {
        code: {f"{SELF_HEALING[code] // 1000} s"} if code in SELF_HEALING else {"person"}
        for code in words.FAULT_CODES
    }
    expected["InternalError"].add("person")  # where flash caused it
    assert healing == expected
    assert f"at most {NUMBERS[HEALINGS_MAX]} times an hour" in section("Faults")


def test_each_stop_reason_is_explained() -> None:
    explained = {name for row in rows("Why an order ended") for name in re.findall(r"`(\w+)`", row[0])}
    assert explained | {"Reboot"} == set(words.STOP_REASONS)
