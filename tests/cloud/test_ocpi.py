"""Locations, tariffs and CDRs in OCPI 2.2.1: against the models of another make, and against its rules."""

import base64
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from ocpi_types import v2_2_1
from sqlalchemy import select, update

from cloud_stub.app import create_app
from cloud_stub.base.clock import iso_utc, now_s
from cloud_stub.bridges.ocpi import pages, party
from cloud_stub.bridges.ocpi.numbers import text_of
from cloud_stub.cloud import Cloud
from cloud_stub.db.tables import orders, piles, rates, settlements
from cloud_stub.settings import Settings
from tests.cloud.conftest import OPERATOR, Phone, settled
from tests.cloud.fakes import BILLS_ALL, EVERY_COMPONENT, TWO_PRICES, FakePile, new_key
from tools import ROOT

# The example of the docs, at a site of the tests.
FILE = json.loads((ROOT / "docs/ocpi.md").read_text().split("```json\n")[1].partition("```")[0])
PLACE = FILE["sites"].pop("HARBOUR")
FILE["sites"]["H"] = PLACE
PARTY = party.Party.model_validate(FILE)
AS_PARTNER = {"Authorization": "Token " + base64.b64encode(OPERATOR.encode()).decode()}

# The longest texts of the specification, by member; ids of CDRs may have three more.
LENGTHS = {
    **dict.fromkeys(("country_code", "language"), 2),
    **dict.fromkeys(("party_id", "country", "currency"), 3),
    **dict.fromkeys(("postal_code", "latitude"), 10),
    **dict.fromkeys(("session_id", "uid", "contract_id", "tariff_id", "evse_uid", "connector_id"), 36),
    **dict.fromkeys(("address", "city"), 45),
    "longitude": 11,
    "physical_reference": 16,
    "credit_reference_id": 36,
    "id": 39,
    "evse_id": 48,
    "text": 512,
}


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    file = tmp_path / "ocpi.json"
    file.write_text(json.dumps(FILE))
    return settings.model_copy(update={"ocpi_file": file})


@pytest.fixture
def site(operator: Callable[..., Any], pile: FakePile) -> FakePile:
    """The pile, at a site that the file names."""
    body = {"site_id": "H", "name": "Hafen", "time_zone": "Asia/Shanghai"}
    assert operator("POST", "/api/sites", body).is_success
    assert operator("POST", "/api/pile-moves", {"selection": "pile:PILE-1", "site_id": "H"}).is_success
    return pile


@pytest.fixture
def ask(client: TestClient) -> Callable[..., Any]:
    """`ask(module, **parameters)`: the objects of a page, with numbers as Decimal; checked."""

    def call(module: str, **parameters: Any) -> list[dict[str, Any]]:
        answer = client.get(f"/ocpi/2.2.1/{module}", params=parameters, headers=AS_PARTNER)
        assert answer.status_code == 200, answer.text
        found = json.loads(answer.text, parse_float=Decimal)
        assert found["status_code"] == 1000 and found["timestamp"].endswith("Z")
        for each in found["data"]:
            check(module, each)
        return list(found["data"])

    return call


MODELS = {"locations": v2_2_1.Location, "tariffs": v2_2_1.Tariff, "cdrs": v2_2_1.Cdr}


def check(module: str, item: dict[str, Any]) -> None:
    """Against the models of ocpi-types: everything is understood, and nothing is left over."""
    plain = json.loads(text_of(item))
    assert MODELS[module].from_dict(plain).to_dict() == plain
    for name, text in texts(item):
        assert 0 < len(text) <= LENGTHS.get(name, 255), (name, text)
    for _, number in numbers(item):
        assert -number.as_tuple().exponent <= 4, number  # type: ignore[operator]


def texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    for key, each in value.items() if isinstance(value, dict) else ():
        yield from texts(each, key)
    for each in value if isinstance(value, list) else ():
        yield from texts(each, name)


def numbers(value: Any) -> Iterator[tuple[str, Decimal]]:
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, Decimal):
            yield str(key), each
        elif isinstance(each, dict | list):
            yield from numbers(each)


def test_a_bill_is_a_cdr_whose_total_is_ours(site: FakePile, phone: Phone, ask: Callable[..., Any]) -> None:
    settled(phone, site, 2_500_000)
    [cdr] = ask("cdrs")
    assert cdr["id"] == cdr["session_id"] == phone.order_id
    assert cdr["total_cost"] == {"excl_vat": Decimal("3.50"), "incl_vat": Decimal("3.50")}
    assert cdr["total_energy"] == Decimal("2.5000")
    assert cdr["total_energy_cost"] == {"excl_vat": Decimal("3.00"), "incl_vat": Decimal("3.00")}
    assert cdr["total_fixed_cost"] == {"excl_vat": Decimal("0.50"), "incl_vat": Decimal("0.50")}
    assert cdr["remark"] == "Electricity 2.00 CNY, service 1.00 CNY, with tax."
    assert cdr["tariffs"][0]["id"] == cdr["charging_periods"][0]["tariff_id"]
    assert cdr["cdr_location"]["evse_id"] == "DE*RLK*EPILE*1*1"
    assert "credit" not in cdr


def every_component(add_pile: Callable[..., FakePile], operator: Callable[..., Any], rate: Any) -> FakePile:
    pile = add_pile(rate=None)
    pile.hello(**BILLS_ALL)
    assert operator("PUT", "/api/piles/PILE-1/rate", rate).status_code == 201
    assert operator("POST", "/api/sites", {"site_id": "H", "name": "Hafen", "time_zone": "UTC"}).is_success
    assert operator("POST", "/api/pile-moves", {"selection": "pile:PILE-1", "site_id": "H"}).is_success
    return pile


def test_a_tariff_has_one_component_for_each_dimension_without_tax(
    add_pile: Callable[..., FakePile], operator: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    every_component(add_pile, operator, EVERY_COMPONENT)
    [tariff] = ask("tariffs")
    components = [
        (each["type"], each["price"], each["vat"], element.get("restrictions", {}))
        for element in tariff["elements"]
        for each in element["price_components"]
    ]
    vat = Decimal("19.0")
    assert components == [
        ("ENERGY", Decimal("1.0084"), vat, {}),  # 1.20 with 19 %
        ("TIME", Decimal("0.9244"), vat, {"max_power": Decimal("0.2")}),  # 0.60 + 0.50
        ("TIME", Decimal("1.2605"), vat, {"min_power": Decimal("0.2")}),  # 0.60 + 0.90
        ("FLAT", Decimal("0.4202"), vat, {}),
        ("PARKING_TIME", Decimal("5.0420"), vat, {}),
    ]
    assert tariff["min_price"] == {"excl_vat": Decimal("0.8403"), "incl_vat": Decimal("1.00")}
    assert tariff["max_price"]["incl_vat"] == Decimal("500.00")
    text = tariff["tariff_alt_text"][0]["text"]
    assert "0.800000 + 0.400000" in text and "free for 600 s" in text and "at most 20.00 CNY" in text


PERIODS_WITHOUT_TIME = [{k: v for k, v in EVERY_COMPONENT["periods"][0].items() if k != "time_price"}]


@pytest.mark.parametrize(
    ("rate", "remark"),
    [
        (EVERY_COMPONENT, "Time by power tier is not known by period"),
        ({k: v for k, v in EVERY_COMPONENT.items() if k != "tiers"}, "with tax."),
        (EVERY_COMPONENT | {"periods": PERIODS_WITHOUT_TIME}, "with tax."),
    ],
)
def test_a_bill_of_every_component_adds_up_and_tells_what_ocpis_rule_makes_of_it(
    add_pile: Callable[..., FakePile],
    operator: Callable[..., Any],
    phone: Phone,
    ask: Callable[..., Any],
    rate: Any,
    remark: str,
) -> None:
    pile = every_component(add_pile, operator, rate)
    phone.order()
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), 2_500_001)
    [cdr] = ask("cdrs")
    parts = ("total_energy_cost", "total_fixed_cost", "total_time_cost", "total_parking_cost")
    for name in ("excl_vat", "incl_vat"):
        assert sum(cdr[part][name] for part in parts if part in cdr) == cdr["total_cost"][name]
    volumes = [
        (each["type"], each["volume"]) for period in cdr["charging_periods"] for each in period["dimensions"]
    ]
    assert sum(volume for kind, volume in volumes if kind == "ENERGY") == cdr["total_energy"]
    assert any(kind == "TIME" for kind, _ in volumes)
    assert remark in cdr["remark"]
    bill = phone.get()["settlement"]
    assert cdr["total_cost"]["incl_vat"] == Decimal(bill["total_minor"]).scaleb(-2)
    assert cdr["total_cost"]["excl_vat"] == Decimal(bill["net_minor"]).scaleb(-2)


def test_a_flagged_bill_is_no_cdr_until_somebody_decides(
    site: FakePile, phone: Phone, operator: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    settled(phone, site, 1_000_000, total_minor=999)
    assert ask("cdrs") == []
    released = {"decision": "release", "note": "seen"}
    assert operator("POST", "/api/settlements/1/review", released).is_success
    [cdr] = ask("cdrs")
    assert cdr["id"] == phone.order_id


def test_credit_notes_are_credit_cdrs_and_what_is_left_a_new_one(
    site: FakePile, phone: Phone, client: TestClient, ask: Callable[..., Any], as_operator: dict[str, str]
) -> None:
    settled(phone, site, 2_500_000)
    for minor in (100, 250):
        body = {"amount_minor": minor, "reason": "The socket was loose"}
        path = f"/api/orders/{phone.order_id}/credits"
        assert client.post(path, json=body, headers=as_operator | new_key()).is_success
    found = {each["id"]: each for each in ask("cdrs")}
    own = phone.order_id
    assert list(found) == [own, own + "-C", own + "-1", own + "-1-C"]
    totals = [each["total_cost"]["excl_vat"] for each in found.values()]
    assert totals == [Decimal("3.50"), Decimal("-3.50"), Decimal("2.50"), Decimal("-2.50")]
    assert found[own + "-1-C"]["credit_reference_id"] == own + "-1"
    assert found[own + "-1-C"]["credit"] is True
    assert found[own + "-C"]["total_energy_cost"] == found[own]["total_energy_cost"]
    assert "credit" not in found[own + "-1"]
    assert sum(totals) == 0


def test_pages_follow_each_other_by_their_links(
    site: FakePile, phone: Phone, client: TestClient, cloud: Cloud
) -> None:
    made = []
    for _ in range(5):
        settled(phone, site, 1_000_000)
        made.append(phone.order_id)
    address, seen = "/ocpi/2.2.1/cdrs?limit=2&date_from=2020-01-01T00:00:00Z", []
    while address:
        page = client.get(address, headers=AS_PARTNER)
        assert (page.headers["X-Total-Count"], page.headers["X-Limit"]) == ("5", "100")
        seen += [each["id"] for each in page.json()["data"]]
        link = page.headers.get("Link", "")
        assert not link or link.endswith('>; rel="next"')
        address = link.removeprefix("<").partition(">")[0].removeprefix(cloud.settings.base_url)
    assert sorted(seen) == sorted(made) and len(seen) == 5


def test_only_what_changed_in_that_time_is_sent(
    site: FakePile, phone: Phone, ask: Callable[..., Any]
) -> None:
    settled(phone, site, 1_000_000)
    for module in ("cdrs", "tariffs", "locations"):
        assert len(ask(module, date_from="2026-01-01T00:00:00Z", date_to="2099-01-01T00:00:00Z")) == 1
        assert ask(module, date_from="2099-01-01T00:00:00Z") == []
        assert ask(module, date_to="2026-01-01T00:00:00") == []


def test_a_partner_who_asks_for_changes_hears_that_a_version_ended_or_was_withdrawn(
    site: FakePile, ask: Callable[..., Any], operator: Callable[..., Any], cloud: Cloud
) -> None:
    """The version before one that was withdrawn kept its end, and the withdrawn one is not told again."""
    hour_ago = now_s() - 3600
    with cloud.store.writing.begin() as conn:
        conn.execute(update(rates).values(published_at=hour_ago - 60, from_at=hour_ago))
        tariff_id = conn.execute(select(rates.c.tariff_id)).scalar_one()
    later = {"date_from": iso_utc(now_s() - 120)}
    path = f"/api/tariffs/{tariff_id}/versions"
    assert operator("POST", f"{path}?from_at={now_s() + 3600}", TWO_PRICES).is_success
    [first, planned] = ask("tariffs", **later)
    assert first["end_date_time"] == planned["start_date_time"] and "end_date_time" not in planned
    assert operator("DELETE", f"{path}/{planned['id']}").is_success
    [first, planned] = ask("tariffs", **later)
    assert "end_date_time" not in first and planned["end_date_time"] == planned["start_date_time"]
    assert operator("PUT", "/api/piles/PILE-1/rate", TWO_PRICES).is_success
    [first, _, now] = ask("tariffs", **later)
    assert first["end_date_time"] == now["start_date_time"] and "end_date_time" not in now
    assert ask("tariffs", date_from=iso_utc(hour_ago), date_to=iso_utc(hour_ago + 60)) == []


def test_a_location_has_an_evse_for_each_connector(
    site: FakePile, phone: Phone, ask: Callable[..., Any], operator: Callable[..., Any]
) -> None:
    phone.order()
    out = {"connector": 2, "reason": "Damaged"}
    assert operator("PUT", "/api/piles/PILE-1/out-of-service", out).is_success
    [location] = ask("locations")
    assert [(each["uid"], each["status"]) for each in location["evses"]] == [
        ("PILE-1-1", "CHARGING"),
        ("PILE-1-2", "INOPERATIVE"),
    ]
    assert location["evses"][0]["connectors"][0]["tariff_ids"] == [ask("tariffs")[0]["id"]]
    site.offline()
    assert {each["status"] for each in ask("locations")[0]["evses"]} == {"UNKNOWN", "INOPERATIVE"}


def test_a_partner_who_asks_for_changes_hears_of_a_pile_that_went_offline_or_was_removed(
    site: FakePile, ask: Callable[..., Any], operator: Callable[..., Any], cloud: Cloud
) -> None:
    """A location had the time of the last status of its piles, or of its making where none was left."""
    this_minute = now_s() - 60
    site.offline()
    later = {"date_from": iso_utc(this_minute)}
    with cloud.store.writing.begin() as conn:
        conn.execute(piles.update().values(last_seen_at=this_minute - 600))
    assert {each["status"] for each in ask("locations", **later)[0]["evses"]} == {"UNKNOWN"}
    assert operator("DELETE", "/api/piles/PILE-1").is_success
    [location] = ask("locations", **later)
    found = [(each["uid"], each["status"], each["connectors"][0]["tariff_ids"]) for each in location["evses"]]
    assert found == [("PILE-1-1", "REMOVED", []), ("PILE-1-2", "REMOVED", [])]


def test_a_site_that_the_file_does_not_name_is_not_exported(
    pile: FakePile, phone: Phone, ask: Callable[..., Any]
) -> None:
    settled(phone, pile, 1_000_000)
    assert ask("cdrs") == ask("locations") == ask("tariffs") == []


def test_a_bill_is_exported_after_its_site_was_removed_or_when_only_its_pile_has_one(
    site: FakePile, phone: Phone, operator: Callable[..., Any], ask: Callable[..., Any], cloud: Cloud
) -> None:
    settled(phone, site, 1_000_000)
    [before] = ask("cdrs")
    with cloud.store.writing.begin() as conn:  # as a process of one release back stores it
        conn.execute(update(orders).values(site_id=None))
    assert ask("cdrs") == [before]
    with cloud.store.writing.begin() as conn:
        conn.execute(update(orders).values(site_id="H"))
    assert operator("POST", "/api/pile-moves", {"selection": "pile:PILE-1", "site_id": None}).is_success
    assert operator("DELETE", "/api/sites/H").is_success
    [cdr] = ask("cdrs")
    del before["cdr_location"]["name"]  # which nobody knows any more
    assert cdr == before


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "date_from=yesterday", "limit=9"])
def test_what_cannot_be_meant_is_answered_in_ocpis_envelope(client: TestClient, query: str) -> None:
    answer = client.get("/ocpi/2.2.1/cdrs?" + query, headers=AS_PARTNER)
    assert answer.json()["status_code"] == (1000 if query == "limit=9" else 2001)


@pytest.mark.parametrize(
    "header", ["", "Bearer " + OPERATOR, "Token wrong", "Token", "Token \xff", "Token " + "A" * 5000]
)
def test_nobody_without_a_token_gets_anything(client: TestClient, header: str) -> None:
    for path in ("/ocpi/versions", "/ocpi/2.2.1", "/ocpi/2.2.1/cdrs"):
        answer = client.get(path, headers=[(b"authorization", header.encode("latin-1"))])
        assert answer.status_code == 401 and answer.json()["status_code"] == 2000


def test_a_token_needs_the_permission_to_read_and_may_be_sent_as_it_is(
    client: TestClient, operator: Callable[..., Any]
) -> None:
    for permissions, status in ((["read"], 200), (["register"], 403)):
        body = {"name": permissions[0], "permissions": permissions, "days": 1}
        token = operator("POST", "/api/tokens", body).json()["token"]
        assert client.get("/ocpi/versions", headers={"Authorization": "Token " + token}).status_code == status
    assert client.get("/ocpi/2.2.1/sessions", headers=AS_PARTNER).status_code == 404
    modules = client.get("/ocpi/2.2.1", headers=AS_PARTNER).json()["data"]["endpoints"]
    assert {each["identifier"] for each in modules} == {"locations", "tariffs", "cdrs"}


def test_without_the_file_there_is_no_ocpi(cloud: Cloud) -> None:
    cloud.settings.ocpi_file = None
    paths = {getattr(route, "path", "") for route in create_app(cloud).routes}
    assert not any(path.startswith("/ocpi") for path in paths)


def test_the_commands_print_a_list(
    site: FakePile, phone: Phone, run: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(phone, site, 2_500_000)
    monkeypatch.setenv("RATELOCK_OCPI_FILE", str(settings.ocpi_file))
    for module in ("locations", "tariffs", "cdrs"):
        [item] = json.loads("\n".join(run("ocpi", module, "--from", "2026-01-01", text=True)))
        check(module, json.loads(text_of(item), parse_float=Decimal))
    assert json.loads("".join(run("ocpi", "cdrs", "--until", "2026-01-01", text=True))) == []
    monkeypatch.delenv("RATELOCK_OCPI_FILE")
    assert "RATELOCK_OCPI_FILE" in run("ocpi", "cdrs")


def test_two_prices_are_two_charging_periods(
    site: FakePile, phone: Phone, operator: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    assert operator("PUT", "/api/piles/PILE-1/rate", TWO_PRICES).status_code == 201
    settled(phone, site, 1_000_000)
    cdrs = ask("cdrs")
    assert cdrs[0]["tariffs"][0]["start_date_time"] <= cdrs[0]["start_date_time"]
    assert len(cdrs[0]["tariffs"][0]["elements"]) == 3
    assert {each["id"] for each in ask("tariffs")} >= {cdrs[0]["tariffs"][0]["id"]}
    assert any("end_date_time" in each for each in ask("tariffs"))


def test_the_search_for_cdrs_begins_at_the_first_that_was_received_then(
    cloud: Cloud, site: FakePile, phone: Phone
) -> None:
    for _ in range(3):
        settled(phone, site, 1_000_000)
    with cloud.store.writing.begin() as conn:
        for n in (1, 2, 3):
            conn.execute(update(settlements).where(settlements.c.id == n).values(received_at=100 * n))
    with cloud.store.reading.connect() as conn:
        found = [pages._first_received(conn, at) for at in (-60, 100, 101, 200, 300, 301)]
    assert found == [0, 0, 2, 2, 3, 4]
