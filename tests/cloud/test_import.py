"""Piles registered in bulk: all of them, or none and each wrong row by its line."""

import csv
import io
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from cloud_stub.cli import main
from cloud_stub.cloud import Cloud
from cloud_stub.settings import Settings
from cloud_stub.sites import pile_import
from tests.cloud.fakes import FakePile
from tests.cloud.test_operator import problem
from tests.cloud.test_removal import users
from tests.cloud.test_service import lines

GOOD = (
    "device_id,name,connectors,site,tags\n"
    "P-100,Gate 1,2,HARBOUR,fast kerbside\n"
    '"P-101","Quay, north",,,\n'
    "\n"
    "P-102,=1+1,1,HARBOUR,fast\n"
)
# Each wrong row, and how its reason begins.
WRONG = (
    (",no id,1,,", "device_id"),
    ("P 200,a blank in the id,1,,", "device_id"),
    ("cloud,the cloud's own name,1,,", "device_id: is the cloud's"),
    ("P-201,first of two,1,,", None),
    ("P-201,second of two,1,,", "device_id: P-201 is on line 5"),
    ("PILE-1,registered,1,,", "device_id: there is"),
    ("PILE-2,removed,1,,", "device_id: there was"),
    ("P-202,no number,two,,", "connectors: must be a whole number"),
    ("P-203,too many,9,,", "connectors: must be from 1 to 8"),
    ("P-204,none,0,,", "connectors: must be from 1 to 8"),
    (f"P-212,far too many,{'9' * 5_000},,", "connectors: must be from 1 to 8"),
    ("P-205,unknown site,1,NOWHERE,", "site: there is no site NOWHERE"),
    ("P-206,a wrong tag,1,,fast;slow", "tags: a tag has"),
    ("P-207,too many tags,1,," + " ".join(f"t{n}" for n in range(21)), "tags: a pile has at most"),
    ("P-208," + "x" * 101 + ",1,,", "name: at most 100"),
    ("P-209,a bell \x07,1,,", "name: must be one line of visible text"),
    ("P-210,too few columns,1", "has 3 columns, the head 5"),
    ("P-211,too many columns,1,,,,", "has 7 columns, the head 5"),
)


@pytest.fixture
def site(operator: Any) -> None:
    body = {"site_id": "HARBOUR", "name": "Harbour", "time_zone": "Europe/Berlin"}
    assert operator("POST", "/api/sites", body).status_code == 201


def registered(operator: Any) -> list[str]:
    return [each["device_id"] for each in operator("GET", "/api/piles").json()["items"]]


def test_a_table_registers_all_its_piles_and_answers_their_keys_once(
    operator: Any, site: None, settings: Settings
):
    answer = operator("POST", "/api/pile-imports", {"csv": GOOD})
    assert answer.status_code == 201 and answer.headers["cache-control"] == "no-store"
    keys = {row["device_id"]: row["key"] for row in csv.DictReader(io.StringIO(answer.text))}
    assert list(keys) == ["P-100", "P-101", "P-102"] == registered(operator)
    assert all(len(key) == 64 for key in keys.values())
    assert users(settings) == ["cloud", "P-100", "P-101", "P-102"]
    found = {each["device_id"]: each for each in operator("GET", "/api/piles").json()["items"]}
    assert [found[each]["name"] for each in found] == ["Gate 1", "Quay, north", "=1+1"]
    assert len(found["P-100"]["connectors"]) == 2 and len(found["P-101"]["connectors"]) == 1
    tagged = operator("GET", "/api/piles?selection=tag:fast")
    assert tagged.status_code in (200, 422)
    assert [each for each, _ in lines(operator)].count("PileAdded") == 3


def test_ten_kinds_of_wrong_rows_are_each_named_and_nothing_is_registered(
    operator: Any, add_pile: Any, settings: Settings
):
    add_pile("PILE-1", rate=None, online=False)
    add_pile("PILE-2", rate=None, online=False)
    operator("DELETE", "/api/piles/PILE-2")
    before = users(settings)
    table = "\n".join(["device_id,name,connectors,site,tags", *(row for row, _ in WRONG)])
    errors = problem(operator("POST", "/api/pile-imports", {"csv": table}), 422, "InvalidRequest")["errors"]
    expected = [(f"line {line}", reason) for line, (_, reason) in enumerate(WRONG, 2) if reason]
    assert [each["field"] for each in errors] == [line for line, _ in expected]
    for error, (line, reason) in zip(errors, expected, strict=True):
        assert error["reason"].startswith(reason), (line, error["reason"])
    assert registered(operator) == ["PILE-1"] and users(settings) == before


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("\ufeff", "line 1"),
        ("name,connectors\nx,1\n", "line 1"),
        ("device_id,colour\nP-1,red\n", "line 1"),
        ("device_id,name,name\nP-1,a,b\n", "line 1"),
        ("device_id\n", "csv"),
        ("device_id\n" + "".join(f"P-{n}\n" for n in range(1_001)), "csv"),
        ('device_id,name\nP-1,"never closed\n', "line 2"),
    ],
)
def test_what_is_no_table_is_refused(operator: Any, text: str, field: str):
    answer = problem(operator("POST", "/api/pile-imports", {"csv": text}), 422, "InvalidRequest")
    assert [each["field"] for each in answer["errors"]] == [field]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_separators_and_a_byte_order_mark_are_understood(operator: Any, delimiter: str):
    text = "\ufeffDevice_ID,Name\r\nP-100,Gate 1\r\n".replace(",", delimiter)
    assert operator("POST", "/api/pile-imports", {"csv": text}).status_code == 201
    # Lines that end as on old Macs; the head alone says what separates the columns.
    text = f"device_id{delimiter}name\rP-101{delimiter}Gate 2, left, upper\r"
    assert operator("POST", "/api/pile-imports", {"csv": text}).status_code == 201
    assert registered(operator) == ["P-100", "P-101"]


def printed(sheet: bytes) -> list[str]:
    """The piles and connectors of the labels in a PDF."""
    document = pypdfium2.PdfDocument(sheet)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return [word for word in text.split() if word.startswith("P")]


def test_labels_of_all_connectors_come_in_one_document(
    operator: Any, client: TestClient, site: None, pile: FakePile
):
    operator("POST", "/api/pile-imports", {"csv": GOOD})
    answer = operator("POST", "/api/labels.pdf", {"device_ids": ["P-101", "PILE-1"]})
    assert printed(answer.content) == ["P-101", "PILE-1/1", "PILE-1/2"]
    for selection, words in (
        ("all", ["P-100/1", "P-100/2", "P-101", "P-102", "PILE-1/1", "PILE-1/2"]),
        ("site:HARBOUR", ["P-100/1", "P-100/2", "P-102"]),
        ("pile:PILE-1", ["PILE-1/1", "PILE-1/2"]),
    ):
        answer = operator("GET", f"/api/labels.pdf?selection={selection}")
        assert printed(answer.content) == words
    problem(operator("GET", "/api/labels.pdf?selection=tag:none"), 422, "InvalidRequest")
    assert client.get("/api/labels.pdf").status_code == 401


def test_the_command_imports_a_file_with_its_labels(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RATELOCK_DATA", str(settings.data))
    monkeypatch.setenv("DATABASE_URL", settings.database)
    monkeypatch.setattr("cloud_stub.logs.configure", lambda: None)  # this process logs as it did
    table, sheet = tmp_path / "piles.csv", tmp_path / "labels.pdf"
    table.write_text("device_id,connectors\nP-100,2\nP-101,1\n")
    assert main(["pile", "import", str(table), "--pdf", str(sheet)]) == 0
    printed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["device_id"] for row in printed] == ["P-100", "P-101"]
    assert sheet.read_bytes().startswith(b"%PDF")
    assert main(["pile", "import", str(table)]) == 1
    assert "line 2: device_id: there is a pile with the id P-100" in capsys.readouterr().err
    table.write_bytes(b"device_id,name\nP-102,K\xf6ln\n")
    assert main(["pile", "import", str(table)]) == 1
    assert "UTF-8" in capsys.readouterr().err


def test_a_thousand_piles_are_registered_moved_and_tagged_with_few_statements(
    operator: Any, site: None, cloud: Cloud
):
    """Eight statements a pile took longer than a request may: such an import was never done."""
    rows = [f"P-{n},Gate {n},2,HARBOUR,fast t{n % 3}" for n in range(pile_import.ROWS_MAX)]
    asked: list[str] = []
    event.listen(cloud.store.grouping, "before_cursor_execute", lambda *given: asked.append(given[2]))
    table = "\n".join(["device_id,name,connectors,site,tags", *rows])
    answer = operator("POST", "/api/pile-imports", {"csv": table})
    assert (answer.status_code, answer.text.count("P-")) == (201, pile_import.ROWS_MAX)
    assert len(asked) < 100
    assert operator("GET", "/api/sites/HARBOUR").json()["piles"] == pile_import.ROWS_MAX
    assert operator("POST", "/api/piles", {"device_id": "P-OVER", "connectors": 1}).status_code == 201
    refused = problem(operator("GET", "/api/labels.pdf"), 422, "InvalidRequest")
    assert refused["errors"][0]["reason"].startswith("has 2001 labels, more than 2000")
