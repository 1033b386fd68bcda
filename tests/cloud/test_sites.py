"""Sites, tags and selections, and a hundred piles at twelve sites."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from cloud_stub.base.clock import now_s
from cloud_stub.base.problems import Problem
from cloud_stub.cloud import Cloud
from cloud_stub.db.tables import piles
from cloud_stub.rates import displays
from cloud_stub.sites import selection
from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile
from tests.cloud.test_tariffs import NO_ZONE, assign, problem

HARBOUR = {
    "site_id": "HARBOUR",
    "name": "Harbour car park",
    "address": "1 Quay Street",
    "time_zone": "Europe/Berlin",
    "contact": "+49 40 123",
}


@pytest.fixture
def site(operator: Any) -> dict[str, Any]:
    made = operator("POST", "/api/sites", HARBOUR)
    assert made.status_code == 201, made.text
    return made.json()


def move(operator: Any, selected: str, site_id: str | None) -> Any:
    return operator("POST", "/api/pile-moves", {"selection": selected, "site_id": site_id})


def tag(operator: Any, selected: str, **change: list[str]) -> Any:
    return operator("POST", "/api/tags", {"selection": selected} | change)


def listed(operator: Any, **query: str) -> list[str]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return [each["device_id"] for each in operator("GET", f"/api/piles?{text}").json()["items"]]


def test_a_site_is_added_changed_and_removed(operator: Any, site: dict[str, Any]):
    assert site.items() >= HARBOUR.items()
    assert (site["piles"], site["online"], site["tariff_id"]) == (0, 0, None)
    changed = operator("PATCH", "/api/sites/HARBOUR", {"name": "Port", "contact": ""}).json()
    assert changed == site | {"name": "Port", "contact": ""}
    assert operator("GET", "/api/sites").json()["items"] == [changed]
    problem(operator("POST", "/api/sites", HARBOUR), 409, "SiteExists")
    assert operator("DELETE", "/api/sites/HARBOUR").json() == {"site_id": "HARBOUR"}
    problem(operator("GET", "/api/sites/HARBOUR"), 404, "UnknownSite")
    lines = operator("GET", "/api/audit?site_id=HARBOUR").json()["items"]
    assert [line["action"] for line in lines] == ["SiteRemoved", "SiteChanged", "SiteAdded"]
    assert lines[1]["detail"] == "name: Harbour car park -> Port; contact: +49 40 123 -> "


WRONG_SITES: tuple[dict[str, Any], ...] = (
    *({"site_id": ""}, {"site_id": "a b"}, {"site_id": "x' OR 1=1"}, {"site_id": "a" * 33}, {"name": ""}),
    *({"name": "a\x00b"}, {"name": "a\nb"}, {"address": "a" * 301}, {"contact": 5}, {"time_zone": "Mars"}),
    *({"time_zone": "localtime"}, {"tariff_id": "x"}),
)
ANY_TEXT = ("<script>alert(1)</script>", "'; DROP TABLE sites; --", "%_\\", "港口 ⚡", '"]}')


def test_a_wrong_site_is_told_what_is_wrong(operator: Any):
    for wrong in WRONG_SITES:
        errors = problem(operator("POST", "/api/sites", HARBOUR | wrong), 422, "InvalidRequest")["errors"]
        assert [each["field"] for each in errors] == list(wrong)


def test_any_text_is_kept_as_it_is(operator: Any):
    for i, text in enumerate(ANY_TEXT):
        body = HARBOUR | {"site_id": f"S-{i}", "name": text, "address": text, "contact": text}
        made = operator("POST", "/api/sites", body).json()
        assert (made["name"], made["address"], made["contact"]) == (text, text, text)


def test_a_site_with_piles_is_not_removed(operator: Any, site: Any, pile: FakePile):
    assert move(operator, "pile:PILE-1", "HARBOUR").json()["device_ids"] == ["PILE-1"]
    assert operator("GET", "/api/sites/HARBOUR").json()["online"] == 1
    assert problem(operator("DELETE", "/api/sites/HARBOUR"), 409, "SiteInUse")["piles"] == 1
    assert operator("DELETE", "/api/piles/PILE-1").status_code == 200
    assert operator("DELETE", "/api/sites/HARBOUR").status_code == 200
    assert operator("GET", "/api/piles?state=removed").json()["items"][0]["site_id"] is None


def test_piles_are_listed_by_site_and_tag(operator: Any, site: Any, add_pile: Any):
    for device_id in ("PILE-1", "PILE-2", "PILE-3"):
        add_pile(device_id, online=False)
    move(operator, "pile:PILE-2", "HARBOUR")
    tag(operator, "site:HARBOUR", add=["快充", "roof"])
    tag(operator, "pile:PILE-3", add=["roof"])
    assert listed(operator, site_id="HARBOUR") == ["PILE-2"]
    assert listed(operator, tag="roof") == ["PILE-2", "PILE-3"]
    assert operator("GET", "/api/piles/PILE-2/report").json()["tags"] == ["roof", "快充"]
    assert operator("GET", "/api/tags").json() == [{"tag": "roof", "piles": 2}, {"tag": "快充", "piles": 1}]
    tag(operator, "tag:roof", remove=["roof"], add=["flat"])
    assert listed(operator, tag="roof") == []
    assert listed(operator, tag="flat") == ["PILE-2", "PILE-3"]
    move(operator, "all", None)
    assert listed(operator, site_id="HARBOUR") == []
    actions = [line["action"] for line in operator("GET", "/api/audit?device_id=PILE-2").json()["items"]]
    assert actions[:4] == ["PileMovedAway", "PileTagged", "PileTagged", "PileMoved"]
    of_site = [line["action"] for line in operator("GET", "/api/audit?site_id=HARBOUR").json()["items"]]
    assert of_site[:2] == ["PileMovedAway", "PileMoved"]


def test_counts_are_of_the_site_and_names_come_with_ids(operator: Any, site: Any, add_pile: Any):
    for device_id in ("PILE-1", "PILE-2", "PILE-3"):
        add_pile(device_id)
    move(operator, "pile:PILE-2", "HARBOUR")
    tag(operator, "pile:PILE-3", add=["fast"])
    for query, count in (
        ("", 3),
        ("?site_id=HARBOUR", 1),
        ("?tag=fast", 1),
        ("?site_id=HARBOUR&tag=fast", 0),
    ):
        summary = operator("GET", "/api/piles" + query).json()["summary"]
        assert (summary["piles"], summary["online"], summary["matching"]) == (count,) * 3, query
    operator("PATCH", "/api/piles/PILE-2", {"name": "Gate 2"})
    asked = {"piles": ["PILE-2", "NOBODY"], "sites": ["HARBOUR"], "tariffs": ["pile:PILE-1"]}
    assert operator("POST", "/api/names", asked).json() == {
        "piles": {"PILE-2": "Gate 2"},
        "sites": {"HARBOUR": HARBOUR["name"]},
        "tariffs": {"pile:PILE-1": "PILE-1"},
    }
    problem(operator("POST", "/api/names", {"piles": ["\0"]}), 422, "InvalidRequest")


def test_a_tag_is_one_printable_word(operator: Any, pile: FakePile):
    for wrong in ("", "a b", "a,b", "a;b", "a\x00", "x" * 33, "a\tb"):
        for field in ("add", "remove"):
            errors = problem(tag(operator, "all", **{field: [wrong]}), 422, "InvalidRequest")["errors"]
            assert errors[0]["field"] == field
    assert operator("GET", "/api/tags").json() == []


def test_a_pile_has_at_most_twenty_tags(operator: Any, pile: FakePile):
    tag(operator, "all", add=[f"t{i}" for i in range(20)])
    errors = problem(tag(operator, "all", add=["more"]), 422, "InvalidRequest")["errors"]
    assert errors[0]["reason"].startswith("PILE-1")
    assert tag(operator, "all", add=["more"], remove=["t0"]).status_code == 200


def test_a_selection_that_names_nothing_is_refused(cloud: Cloud, operator: Any, add_pile: Any):
    add_pile("PILE-3", online=False)
    operator("DELETE", "/api/piles/PILE-3")
    wrong = {"pile:PILE-9": "UnknownPile", "pile:PILE-3": "PileRemoved", "site:NONE": "UnknownSite"}
    wrong["site:' OR 1=1 --"] = "UnknownSite"
    no_selections = ("", "ALL", "PILE-1", "all:x", "piles:PILE-1", "tag:a\x00b")
    with cloud.store.reading.connect() as conn:
        for text, code in (wrong | dict.fromkeys(no_selections, "InvalidRequest")).items():
            with pytest.raises(Problem) as raised:
                selection.pile_ids(conn, text)
            assert raised.value.code == code, text
        assert selection.pile_ids(conn, "all") == []  # none that was removed
        assert selection.pile_ids(conn, "tag:none") == []


def test_a_hundred_piles_at_twelve_sites_are_as_easy_as_one(
    cloud: Cloud, client: TestClient, operator: Any, link: FakeLink, site: Any
):
    now = now_s()
    device_ids = [f"P-{i:03}" for i in range(1, 101)]
    row = {"name": "", "key_hex": "00" * 32, "connectors": 2, "created_at": now, "online": False}
    done = [operator("POST", "/api/tariffs", {"tariff_id": "city", "name": "City"})]
    done += [operator("POST", "/api/sites", HARBOUR | {"site_id": f"S-{i}"}) for i in range(12)]
    at_sites = [row | {"device_id": each, "site_id": f"S-{i % 12}"} for i, each in enumerate(device_ids)]
    with cloud.store.writing.begin() as conn:
        conn.execute(insert(piles), at_sites)
    done.append(move(operator, "site:S-11", "S-3"))
    done.append(assign(operator, "city", *(f"site:S-{i}" for i in range(12))))
    assert not [answer.text for answer in done if answer.status_code >= 300]
    assert operator("GET", "/api/sites/S-3").json()["piles"] == 17
    version = operator("POST", "/api/tariffs/city/versions", NO_ZONE).json()
    reached = []
    after = ""
    while after is not None:
        page = operator("GET", f"/api/tariffs/city/reach?limit=40&after={after}").json()
        reached += page["items"]
        after = page["next"]
    assert [each["device_id"] for each in reached] == device_ids
    assert all(each["connectors"] == [1, 2] for each in reached)
    for device_id in device_ids:
        assert json.loads(link.sent(device_id, "rate")[-1])["rate_id"] == version["rate_id"]
    assert client.get("/api/piles/P-077/rate").json()["rate_id"] == version["rate_id"]
    operator("PUT", "/api/piles/P-001/rate", FLAT_RATE)
    assign(operator, None, "connector:P-001/2")
    items = operator("GET", "/api/tariffs/city/reach?limit=500").json()["items"]
    assert len(items) == 99
    view = operator("GET", "/api/tariffs/city").json()
    assert (view["sites"], view["piles"], view["connectors"]) == (12, 0, 0)


def test_more_displays_than_one_transaction_takes_are_sent_by_the_next(
    cloud: Cloud, operator: Any, add_pile: Any, link: FakeLink, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(displays, "SENT_AT_ONCE", 2)
    for i in range(3):
        add_pile(f"PILE-{i}", rate=None, online=False)
    operator("POST", "/api/tariffs", {"tariff_id": "city", "name": "City"})
    assign(operator, "city", *(f"pile:PILE-{i}" for i in range(3)))
    operator("POST", "/api/tariffs/city/versions", FLAT_RATE)
    for _ in range(2):
        cloud.jobs.run_once(now_s())
    assert all(json.loads(link.sent(f"PILE-{i}", "rate")[-1])["periods"] for i in range(3))


def test_a_site_where_charging_is_free_is_removed_and_the_freedom_with_it(
    operator: Any, site: dict[str, Any]
):
    body = {"reason": "Guests", "site_id": "HARBOUR", "with_code": False}
    assert operator("POST", "/api/free-vend", body).status_code == 201
    assert operator("DELETE", "/api/sites/HARBOUR").status_code == 200
    (grant,) = operator("GET", "/api/free-vend").json()["items"]
    assert (grant["site_id"], grant["revoked_at"] is None) == ("HARBOUR", False)
