"""The worked examples in docs/prices.md against the engine and the oracle."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pile_protocol import components
from tests.pricing import oracle
from tools import ROOT

BLOCK = re.compile(r"^## ([^\n]*)\n((?:(?!^## ).)*?)^```json\n(.*?)^```", re.S | re.M)
EXAMPLES = [  # title, words, and the figures
    (title, text, json.loads(block))
    for title, text, block in BLOCK.findall((ROOT / "docs/prices.md").read_text())
]


@pytest.mark.parametrize(("title", "text", "example"), EXAMPLES, ids=[each[0] for each in EXAMPLES])
def test_an_example(title: str, text: str, example: dict[str, Any]) -> None:
    rate = {"minor_digits": 2, **example["rate"]}
    usage = dict(example["usage"])
    limit_minor = usage.pop("limit_minor", None)
    assert components.bill(rate, components.Usage(**usage), limit_minor) == example["bill"]
    assert oracle.settle(rate, oracle.Used(**usage), limit_minor) == example["bill"]
    total_minor = example["bill"]["total_minor"]
    named = {round(float(figure) * 100) for figure in re.findall(r"\d+\.\d\d\b", text)}
    parts = [row[3] for name in ("times", "tiers") for row in example["bill"].get(name, ())]
    assert total_minor in named or set(parts) <= named, "the words of the page name another amount"


def test_every_component_has_an_example() -> None:
    shown = {word for _, _, example in EXAMPLES for word in components.components_of(example["rate"])}
    assert shown == set(components.COMPONENTS)
    assert any("session_fee_minor" in example["rate"] for _, _, example in EXAMPLES)
