"""Names and notes: one line of visible text each, wherever they are entered."""

import unicodedata
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from cloud_stub.base.text import LINE_REASON, is_line
from cloud_stub.cloud import Cloud
from cloud_stub.db.site_tables import sites
from cloud_stub.db.tables import piles
from cloud_stub.orders.create import OrderBody
from tests.cloud.fakes import FLAT_RATE, FakePile
from tests.cloud.test_sites import HARBOUR

HIDDEN = [
    "\u202egpj.eliF",
    "a\u200eb",
    "\u2066x\u2069",
    "a\x85b",
    "a\x00b",
    "a\nb",
    "\u2028",
    "a\ufeffb",
    "\u200b",
    " ",
    "\u3000",
    "a\u3164b",  # fillers: letters that look like a blank
    "\u2800",
    "\uffa0",
    "\u200d",  # seen only between others
    "\ufe0f",
    "\U000e0041",
]
VISIBLE = [
    "Hafen",
    "港口 2",
    "مرفأ",
    "می‌خواهم",
    "👩‍🔧",
    "a b",
    "Ł&<b>'\"--",
    "❤️",
    "\U0001f3f4\U000e0067\U000e007f",
]
only_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


def test_a_line_has_nothing_hidden():
    assert [text for text in HIDDEN if is_line(text)] == []
    assert [text for text in [*VISIBLE, ""] if not is_line(text)] == []
    turns = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    for each in map(chr, range(0x3000)):
        if unicodedata.category(each) == "Cc" or unicodedata.bidirectional(each) in turns:
            assert not is_line(f"a{each}b"), hex(ord(each))


def test_the_reason_of_a_free_order_has_nothing_hidden():
    order = {"device_id": "PILE-1", "connector": 1, "rate_id": "r-1", "limits": {}}
    OrderBody.model_validate(order | {"free_reason": VISIBLE[0]})
    for each in HIDDEN:
        with pytest.raises(ValidationError, match="free_reason"):
            OrderBody.model_validate(order | {"free_reason": each})


@only_sqlite
def test_no_form_takes_a_name_with_something_hidden(operator: Any, pile: FakePile):
    for name in HIDDEN:
        _refused_everywhere(operator, name)


def _refused_everywhere(operator: Any, name: str) -> None:
    day = {"name": name, "weekdays": [6], "periods": FLAT_RATE["periods"]}
    tries = [
        ("POST", "/api/sites", HARBOUR | {"name": name}),
        ("POST", "/api/sites", HARBOUR | {"contact": name}),
        ("POST", "/api/piles", {"device_id": "PILE-9", "name": name}),
        ("PATCH", "/api/piles/PILE-1", {"name": name}),
        ("POST", "/api/tariffs", {"tariff_id": "city", "name": name}),
        ("PUT", "/api/calendars/de", {"name": name, "days": {}}),
        ("PUT", "/api/calendars/de", {"name": "Germany", "days": {"2026-10-03": name}}),
        ("PUT", "/api/piles/PILE-1/rate", FLAT_RATE | {"days": [day]}),
        ("PUT", "/api/piles/PILE-1/out-of-service", {"reason": "Damaged", "note": name}),
        ("POST", "/api/tags", {"selection": "pile:PILE-1", "add": [name]}),
        ("POST", "/api/free-vend", {"reason": name}),
    ]
    if not is_line(f"x{name}y"):  # a blank between letters can be seen
        tries.append(("POST", "/api/pile-imports", {"csv": f'device_id,name\nPILE-9,"x{name}y"'}))
    for method, path, body in tries:
        answer = operator(method, path, body)
        assert (answer.status_code, answer.json().get("code")) == (422, "InvalidRequest"), (path, answer.text)
    told = operator("POST", "/api/sites", HARBOUR | {"name": name}).json()["errors"]
    assert told == [{"field": "name", "reason": LINE_REASON}]


def test_names_of_before_stay_readable(operator: Any, pile: FakePile, cloud: Cloud):
    old = "\u202eold\u0085"
    assert operator("POST", "/api/sites", HARBOUR).status_code == 201
    with cloud.store.writing.begin() as conn:
        conn.execute(update(sites).values(name=old))
        conn.execute(update(piles).values(name=old, site_id="HARBOUR"))
    assert operator("GET", "/api/sites/HARBOUR").json()["name"] == old
    assert operator("GET", "/api/piles").json()["items"][0]["name"] == old
    assert operator("PATCH", "/api/sites/HARBOUR", {"contact": "x"}).json()["name"] == old
    assert operator("PATCH", "/api/piles/PILE-1", {"name": "Gate"}).json()["name"] == "Gate"
