"""Prices beyond energy and fee: written by an operator, shown, confirmed, billed, and refused where a pile
cannot bill them.
"""

import copy
import csv
import io
import json
import re
from datetime import datetime, timezone
from typing import Any

import pytest

from cloud_stub.rates import model, schedule
from pile_protocol import components, wire
from tests.cloud.conftest import Phone
from tests.cloud.fakes import BILLS_ALL, EVERY_COMPONENT, FLAT_RATE, FakePile, new_key
from tools import ROOT

KWH = 1_000_000
MISSING = object()
# What these hold does not depend on the database.
ON_SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


@pytest.fixture
def able(add_pile: Any) -> FakePile:
    """A pile that can bill everything, with a rate of all components."""
    pile = add_pile(rate=None)
    pile.hello(**BILLS_ALL)
    return pile


def publish(operator: Any, rate: dict[str, Any], device_id: str = "PILE-1") -> Any:
    return operator("PUT", f"/api/piles/{device_id}/rate?allow_unusual=true", rate)


def changed(path: str, value: Any) -> dict[str, Any]:
    """EVERY_COMPONENT with another value at the path, or without it."""
    rate = copy.deepcopy(EVERY_COMPONENT)
    *names, last = [int(each) if each.isdecimal() else each for each in path.split(".")]
    holder: Any = rate
    for name in names:
        holder = holder[name]
    if value is MISSING:
        del holder[last]
    else:
        holder[last] = value
    return rate


def test_a_published_rate_is_stored_shown_and_sent_to_displays(operator: Any, able: FakePile, link: Any):
    published = publish(operator, EVERY_COMPONENT)
    assert published.status_code == 201, published.text
    wanted = {
        "time_prices": [600_000],
        "tiers": [[200_000, 500_000], [400_000, 900_000]],
        "idle": {"price": 6_000_000, "after_s": 600, "max_minor": 2000},
        "minimum_minor": 100,
        "maximum_minor": 50_000,
        "tax_per_mille": 190,
    }
    assert {name: published.json()[name] for name in wanted} == wanted
    view = operator("GET", "/api/piles/PILE-1/rate").json()
    assert {name: view[name] for name in wanted} == wanted
    assert view["components"] == ["time", "tiers", "idle", "minimum", "maximum", "tax"]
    assert view["now"]["time_price"] == view["periods"][0][4] == 600_000
    shown = wire.decode("rate", link.sent("PILE-1", "rate")[-1])
    assert {name: shown[name] for name in wanted} == wanted
    assert "offers" not in shown and len(shown["periods"][0]) == 4


def test_a_rate_without_components_is_as_it_always_was(operator: Any, add_pile: Any, phone: Phone):
    pile = add_pile()
    view = operator("GET", "/api/piles/PILE-1/rate").json()
    assert view["components"] == [] and len(view["periods"][0]) == 4
    phone.order()
    assert set(phone.message(pile)["rate"]) == {
        *("rate_id", "currency", "minor_digits", "session_fee_minor", "steps", "until_at")
    }


@ON_SQLITE
@pytest.mark.parametrize(
    "path, value, field",
    [
        ("tiers.1.up_to_w", 200, "tiers[1].up_to_w"),
        ("tiers.1.price", 499_999, "tiers[1].price"),
        ("tiers", [{"up_to_w": n, "price": 1} for n in range(1, 6)], "tiers"),
        ("idle.max_minor", 14_301, "idle.max_minor"),  # 6 an hour for 23 h 50 min are 143.00
        ("idle.price", 0, "idle.price"),
        ("maximum_minor", 99, "maximum_minor"),
        ("maximum_minor", 49, "maximum_minor"),
        ("tax_per_mille", 1001, "tax_per_mille"),
        ("periods.0.time_price", -1, "periods[0].time_price"),
        ("periods.0.time_price", 10**12, "periods"),
        ("tiers.1.price", 10**12, "tiers"),
        ("offers.0.cost_minor", 99, "offers[0].cost_minor"),
        ("offers.0.cost_minor", MISSING, "offers[0].cost_minor"),
        ("offers.0.cost_minor", 50_001, "offers[0].cost_minor"),  # above the maximum
        ("offers.1.energy_mwh", 5, "offers[1].energy_mwh"),
        ("offers.3.kind", "half", "offers[3].kind"),
        ("offers", [{"kind": "full"}] * 9, "offers"),
    ],
)
def test_what_cannot_be_sold_is_refused_by_its_field(operator: Any, able: FakePile, path, value, field):
    rate = changed(path, value)
    if value == 10**12:
        rate["currency"] = "KWD"
        # With three decimals this alone is nearly all that a settlement can state.
        rate["periods"][0] |= {"electricity_price": 10**12 - 10**9, "service_price": 0}
    answer = publish(operator, rate)
    assert answer.status_code == 422, answer.text
    assert field in [each["field"].removeprefix("body.") for each in answer.json()["errors"]]


def test_the_highest_cap_that_a_day_of_staying_reaches_is_accepted(operator: Any, able: FakePile):
    assert publish(operator, changed("idle.max_minor", 14_300)).status_code == 201


@ON_SQLITE
@pytest.mark.parametrize(
    "path, value, field",
    [
        ("periods.0.time_price", 6_000_000, "periods[0].time_price"),
        ("tiers.0.price", 50_000, "tiers[0].price"),
        ("idle.price", 60_000_000, "idle.price"),
        ("minimum_minor", 10, "minimum_minor"),
        ("maximum_minor", 500_000, "maximum_minor"),
    ],
)
def test_a_price_ten_times_another_is_asked_about(operator: Any, able: FakePile, path, value, field):
    assert publish(operator, EVERY_COMPONENT).status_code == 201
    answer = operator("PUT", "/api/piles/PILE-1/rate", changed(path, value))
    assert answer.json()["code"] == "PriceUnusual"
    assert [each["field"] for each in answer.json()["unusual"]] == [field]


@ON_SQLITE
@pytest.mark.parametrize("field", ["periods.0.time_price", "tiers.1.price", "idle.price", "minimum_minor"])
def test_a_first_price_that_is_high_for_its_currency_is_asked_about(operator: Any, able: FakePile, field):
    rate = changed(field, 10_000 if field == "minimum_minor" else 300_000_000) | {"offers": []}
    assert operator("PUT", "/api/piles/PILE-1/rate", rate).json()["code"] == "PriceUnusual"


def test_versions_differ_by_component(operator: Any, able: FakePile):
    before = publish(operator, EVERY_COMPONENT).json()["rate_id"]
    rate = changed("tiers.1.price", 800_000)
    rate["tax_per_mille"] = 70
    rate["periods"][0]["time_price"] = 0
    after = publish(operator, rate).json()["rate_id"]
    found = operator("GET", f"/api/tariffs/pile:PILE-1/differences?before={before}&after={after}").json()
    assert found == [
        {"field": "tax_per_mille", "before": 190, "after": 70},
        {"field": "00:00 time_price", "before": 600_000, "after": None},
        {"field": "up to 400 W price", "before": 900_000, "after": 800_000},
    ]


def test_time_prices_follow_the_day(operator: Any, able: FakePile, phone: Phone):
    period = EVERY_COMPONENT["periods"][0]
    minutes = [f"{at // 60:02}:{at % 60:02}" for at in range(0, 1440, 30)]
    periods = [period | {"start": each, "time_price": i % 2 * 1_000_000} for i, each in enumerate(minutes)]
    assert publish(operator, EVERY_COMPONENT | {"periods": periods}).status_code == 201
    view = operator("GET", "/api/piles/PILE-1/rate").json()
    phone.order()
    locked = phone.message(able)["rate"]
    for found in (view, locked):
        assert len(found["time_prices"]) == len(found["steps"])
        for step, price in zip(found["steps"], found["time_prices"], strict=True):
            assert price == step[0] // 1800 % 2 * 1_000_000
    assert components.components_of(locked) == view["components"]


def test_a_time_price_that_was_shown_must_still_hold(operator: Any, able: FakePile, phone: Phone):
    publish(operator, EVERY_COMPONENT)
    shown = phone.body() | {"price": 1_200_000}
    refused = phone.client.post("/api/orders", json=shown | {"time_price": 500_000}, headers=new_key())
    assert refused.status_code == 409 and refused.json()["code"] == "RateChanged"
    assert refused.json()["rate"]["offers"]
    made = phone.client.post("/api/orders", json=shown | {"time_price": 600_000}, headers=new_key())
    assert made.status_code == 201, made.text


def test_estimates_and_offers_of_hours_and_tiers(operator: Any, able: FakePile, cloud: Any):
    cloud.settings.connector_power_w = 10_000
    publish(operator, EVERY_COMPONENT)
    view = operator("GET", "/api/piles/PILE-1/rate").json()
    holds = [each.pop("hold_minor") for each in view["estimates"]]
    assert holds[1] - holds[0] == 4 * 120 and holds[2] < view["hold_minor"]
    assert holds[3] == holds[4] == 10 * 120 + (60 + 90) + 2000 + 50
    assert view["estimates"] == [
        {"energy_mwh": KWH, "total_minor": 170, "is_least": True},
        {"energy_mwh": 5 * KWH, "total_minor": 650, "is_least": True},
        {"energy_mwh": 10 * KWH, "total_minor": 1250, "is_least": True},
        # an hour: 0.60 of time, the tier, its energy at 1.20 a kWh, 0.50 of fee
        {"duration_s": 3600, "power_w": 200, "total_minor": 60 + 50 + 24 + 50, "is_least": False},
        {"duration_s": 3600, "power_w": 400, "total_minor": 60 + 90 + 48 + 50, "is_least": False},
    ]
    money, hours, energy, full = view["offers"]
    assert (money["limits"], money["estimate_minor"], money["hold_minor"]) == ({"cost_minor": 200}, 200, 200)
    assert (hours["limits"], hours["estimate_minor"]) == ({"duration_s": 7200}, None)
    assert (energy["limits"], energy["estimate_minor"]) == ({"energy_mwh": 5 * KWH}, None)
    assert full["limits"] == {} and full["hold_minor"] == view["hold_minor"]
    assert hours["hold_minor"] == 2 * 10 * 120 + 2 * (60 + 90) + 2000 + 50


def test_an_hour_of_a_socket_sold_by_the_hour_alone(operator: Any, able: FakePile):
    period = FLAT_RATE["periods"][0] | {"electricity_price": 0, "service_price": 0, "time_price": 1_000_000}
    offers = [{"kind": "time", "duration_s": 3 * 3600}, {"kind": "energy", "energy_mwh": KWH}]
    rate = FLAT_RATE | {"session_fee_minor": 0, "periods": [period], "offers": offers}
    publish(operator, rate)
    view = operator("GET", "/api/piles/PILE-1/rate").json()
    an_hour = {"duration_s": 3600, "total_minor": 100, "is_least": False, "hold_minor": 100}
    assert view["estimates"][-1] == an_hour
    of_hours, of_energy = view["offers"]
    assert (of_hours["estimate_minor"], of_hours["hold_minor"]) == (300, 300)
    assert (of_energy["estimate_minor"], of_energy["hold_minor"]) == (None, view["hold_minor"])


def test_a_preview_has_every_line_and_they_add_up(operator: Any):
    sample = {"start": "11:00", "energy_mwh": 600_000, "duration_s": 7200, "stay_s": 3600}
    answer = operator("POST", "/api/rates/preview", {"rate": EVERY_COMPONENT, "sample": sample})
    assert answer.status_code == 200, answer.text
    bill = answer.json()
    assert bill["times"] == [[bill["started_at"], 600_000, 7_200_000, 120]]
    assert [row[2:] for row in bill["tiers"]] == [[0, 0], [7_200_000, 180]]  # 300 W
    assert bill["idle_minor"] == 500  # 50 of the 60 minutes at 6 an hour
    assert bill["total_minor"] == 72 + 120 + 180 + 500 + 50
    assert bill["tax_minor"] == 147  # 922 x 190 / 1190 = 147.2


def test_an_honest_order_of_every_component_is_right(operator: Any, able: FakePile, phone: Phone):
    publish(operator, changed("idle.after_s", 1))
    phone.order()
    able.order_status(phone.order_id, "Charging")
    able.settle(phone.message(able), mwh=2 * KWH, stay_s=31)
    found = phone.get()
    assert found["settlement"]["flags"] == []
    bill = found["settlement"]
    rows = [row[3] for name in ("times", "tiers") for row in bill[name]]
    energy = sum(row[5] + row[6] for row in bill["periods"])
    lines = energy + sum(rows) + bill["idle"]["idle_minor"] + bill["session_fee_minor"] + bill["top_up_minor"]
    assert lines == bill["total_minor"]
    assert bill["net_minor"] + bill["tax_minor"] == bill["total_minor"]


def test_a_waived_bill_has_its_lines_with_no_amount(operator: Any, able: FakePile, phone: Phone):
    publish(operator, changed("idle.after_s", 1))
    phone.order()
    able.order_status(phone.order_id, "Charging")
    able.settle(phone.message(able), mwh=2 * KWH, stay_s=31, total_minor=1)
    (flagged,) = operator("GET", "/api/settlements?flagged=true").json()["items"]
    path = f"/api/settlements/{flagged['id']}/review"
    done = operator("POST", path, {"decision": "waive", "note": "a test"})
    assert done.status_code == 201, done.text
    bill = phone.get()["settlement"]
    assert bill["total_minor"] == bill["tax_minor"] == bill["net_minor"] == bill["top_up_minor"] == 0
    assert {row[3] for row in bill["times"] + bill["tiers"]} == {0} and bill["idle"]["idle_minor"] == 0


def test_a_released_bill_has_what_the_rate_gives(operator: Any, able: FakePile, phone: Phone):
    publish(operator, changed("idle.after_s", 1))
    phone.order()
    able.order_status(phone.order_id, "Charging")
    able.settle(phone.message(able), mwh=2 * KWH, stay_s=31, tax_minor=0, top_up_minor=7)
    (flagged,) = operator("GET", "/api/settlements?flagged=true").json()["items"]
    assert flagged["flags"] == ["LinesMismatch"]
    computed = operator("GET", f"/api/settlements/{flagged['id']}").json()["computed"]
    path = f"/api/settlements/{flagged['id']}/review"
    assert operator("POST", path, {"decision": "release", "note": "a test"}).status_code == 201
    bill = phone.get()["settlement"]
    assert {name: bill[name] for name in computed} == computed
    assert bill["tax_minor"] > 0 == bill["top_up_minor"]


def test_a_pile_that_tells_nothing_is_named_at_publication_and_refused_at_confirmation(
    operator: Any, add_pile: Any, phone: Phone
):
    pile = add_pile(rate=None)
    assert publish(operator, EVERY_COMPONENT).status_code == 201  # it has never greeted
    answer = phone.client.post("/api/orders", json=phone.body(), headers=new_key())
    assert (answer.status_code, answer.json()["code"]) == (409, "RateNotBillable")
    assert answer.json()["connector"] == 1
    pile.hello()
    answer = publish(operator, EVERY_COMPONENT)
    assert (answer.status_code, answer.json()["code"]) == (409, "RateNotBillable")
    assert answer.json()["piles"] == ["PILE-1"]
    assert answer.json()["components"] == ["time", "tiers", "idle", "minimum", "maximum", "tax"]
    assert phone.link.sent("PILE-1", "order") == []


def test_staying_is_sold_only_where_the_connector_can_tell(operator: Any, add_pile: Any, phone: Phone):
    pile = add_pile()
    pile.hello(**BILLS_ALL | {"idle_connectors": [2]})
    answer = publish(operator, EVERY_COMPONENT)
    assert answer.json()["components"] == ["idle"]
    city = {"tariff_id": "city", "name": "City"}
    operator("POST", "/api/tariffs", city)
    made = operator("POST", "/api/tariffs/city/versions", EVERY_COMPONENT)
    assert made.status_code == 201, made.text

    def assign(*places: str) -> Any:
        return operator("PUT", "/api/assignments", {"places": list(places), "tariff_id": "city"})

    assert assign("pile:PILE-1").json()["code"] == "RateNotBillable"
    assert assign("connector:PILE-1/1").json()["piles"] == ["PILE-1"]
    assert assign("connector:PILE-1/2").status_code == 200
    phone_body = phone.body(connector=2)
    phone_body["rate_id"] = made.json()["rate_id"]
    answer = phone.client.post("/api/orders", json=phone_body, headers=new_key())
    assert answer.status_code == 201, answer.text
    pile.hello(**BILLS_ALL | {"idle_connectors": []})
    assert operator("POST", "/api/tariffs/city/versions", EVERY_COMPONENT).json()["piles"] == ["PILE-1"]


def test_a_site_whose_piles_cannot_bill_a_tariff_does_not_get_it(operator: Any, add_pile: Any):
    site = {"site_id": "S", "name": "S", "time_zone": "UTC"}
    assert operator("POST", "/api/sites", site).status_code == 201
    for number, told in ((1, {}), (2, BILLS_ALL), (3, {})):
        pile = add_pile(f"PILE-{number}", rate=None)
        pile.hello(**told)
        moved = operator("POST", "/api/pile-moves", {"selection": f"pile:PILE-{number}", "site_id": "S"})
        assert moved.status_code == 200, moved.text
    add_pile("PILE-4", rate=None).hello()  # of another place
    operator("POST", "/api/tariffs", {"tariff_id": "city", "name": "City"})
    operator("POST", "/api/tariffs/city/versions", EVERY_COMPONENT)
    body = {"places": ["site:S"], "tariff_id": "city"}
    answer = operator("PUT", "/api/assignments", body)
    assert (answer.json()["code"], answer.json()["piles"]) == ("RateNotBillable", ["PILE-1", "PILE-3"])
    publish(operator, FLAT_RATE, "PILE-1")
    publish(operator, FLAT_RATE, "PILE-3")  # they have nearer ones
    assert operator("PUT", "/api/assignments", body).status_code == 200


def test_a_price_of_time_follows_the_clock_when_it_is_changed():
    """The hour from 2 to 3 comes twice in autumn and not at all in spring."""
    rate = {
        "rate_id": "r",
        "currency": "EUR",
        "minor_digits": 2,
        "session_fee_minor": 0,
        "time_zone": "Europe/Berlin",
        "periods": [[0, 1, 0, "valley"], [120, 2, 0, "flat"], [180, 3, 0, "peak"]],
        "time_prices": [1_000_000, 2_000_000, 3_000_000],
    }
    autumn_at = int(datetime(2026, 10, 24, 23, 0, tzinfo=timezone.utc).timestamp())  # 1:00 summer time
    spring_at = int(datetime(2026, 3, 29, 0, 0, tzinfo=timezone.utc).timestamp())  # 1:00 winter time
    for at, hours, prices in ((autumn_at, [0, 1, 3], [1, 2, 3]), (spring_at, [0, 1], [1, 3])):
        locked = schedule.lock_rate(rate, at, at + 6 * 3600)
        assert [(step[0] - at) // 3600 for step in locked["steps"]] == hours
        assert locked["time_prices"] == [each * 1_000_000 for each in prices]


@ON_SQLITE
def test_a_pile_does_not_get_a_site_s_tariff_that_it_cannot_bill_by_being_moved_or_by_losing_its_own(
    operator: Any, add_pile: Any
):
    """It was refused at the driver's confirmation only."""
    operator("POST", "/api/sites", {"site_id": "S", "name": "S", "time_zone": "UTC"})
    operator("POST", "/api/tariffs", {"tariff_id": "city", "name": "City"})
    assert operator("POST", "/api/tariffs/city/versions", EVERY_COMPONENT).status_code == 201
    assert operator("PUT", "/api/assignments", {"places": ["site:S"], "tariff_id": "city"}).status_code == 200
    add_pile("PILE-1", rate=None).hello()
    add_pile("PILE-2", rate=None).hello(**BILLS_ALL)
    add_pile("PILE-3", rate=None)  # it may prove able

    def move(selection: str) -> Any:
        return operator("POST", "/api/pile-moves", {"selection": selection, "site_id": "S"})

    answer = move("all")
    assert (answer.status_code, answer.json()["code"]) == (409, "RateNotBillable")
    assert answer.json()["piles"] == ["PILE-1"]
    assert operator("GET", "/api/piles?site_id=S").json()["items"] == []
    assert move("pile:PILE-2").status_code == move("pile:PILE-3").status_code == 200
    assert publish(operator, FLAT_RATE).status_code == 201
    assert move("pile:PILE-1").status_code == 200  # it has a nearer one
    answer = operator("PUT", "/api/assignments", {"places": ["pile:PILE-1"], "tariff_id": None})
    assert (answer.json()["code"], answer.json()["piles"]) == ("RateNotBillable", ["PILE-1"])
    imported = operator("POST", "/api/pile-imports", {"csv": "device_id,site\nPILE-9,S"})
    assert imported.status_code == 201, imported.text  # it has never greeted


def test_a_limit_below_the_minimum_is_refused(operator: Any, able: FakePile, phone: Phone):
    publish(operator, EVERY_COMPONENT)
    answer = phone.client.post("/api/orders", json=phone.body(cost_minor=99), headers=new_key())
    assert (answer.json()["code"], answer.json()["least"]) == ("LimitTooLow", 100)
    phone.order(cost_minor=100)


def test_costs_and_staying_are_shown_from_what_is_stored(operator: Any, able: FakePile, phone: Phone, cloud):
    publish(operator, EVERY_COMPONENT)
    phone.order()
    able.order_status(phone.order_id, "Charging")
    costs = {"energy_minor": 240, "time_minor": 1, "tiers_minor": 2, "idle_minor": 0, "fee_minor": 50}
    able.meter(phone.order_id, 2 * KWH, costs=costs)
    assert phone.get()["meter"]["costs"] == costs and phone.get()["staying"] is None
    able.order_status(phone.order_id, "Finishing")
    at = phone.get()["finishing_at"]
    idle = {"since_at": at, "free_until_at": at + 600, "time_ms": 5}
    able.meter(phone.order_id, 2 * KWH, at=at + 100, costs=costs | {"idle_minor": 3}, idle=idle)
    staying = {"since_at": at, "free_until_at": at + 600, "cost_minor": 3}
    assert phone.get()["staying"] == staying


def test_the_books_have_every_line(operator: Any, able: FakePile, phone: Phone, run: Any):
    rate = changed("idle.after_s", 1) | {"minimum_minor": 400, "offers": []}
    publish(operator, rate)
    phone.order()
    able.order_status(phone.order_id, "Charging")
    able.settle(phone.message(able), mwh=2 * KWH, stay_s=31)
    answer = operator("GET", "/api/settlements.csv")
    (row,) = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline=""))
    names = ("electricity", "service", "fee", "time", "power_tiers", "staying", "top_up")
    assert [row[name] for name in names] == ["1.60", "0.80", "0.50", "0.00", "0.01", "0.05", "1.04"]
    assert (row["total"], row["tax"], row["net"]) == ("4.00", "0.64", "3.36")
    (of_order,) = csv.DictReader(run("orders", "--csv", text=True))
    assert {name: of_order[name] for name in (*names, "tax", "net")} == {
        name: row[name] for name in (*names, "tax", "net")
    }
    day = datetime.now(timezone.utc).date().isoformat()
    report = operator("GET", f"/api/reports/daily?from={day}&to={day}&time_zone=UTC").json()
    (found,) = report["currencies"][0]["days"]
    assert found["tiers_minor"] + found["idle_minor"] + found["top_up_minor"] == 1 + 5 + 104
    lines = sum(each["electricity_minor"] + each["service_minor"] for each in found["labels"].values())
    assert lines + found["fees_minor"] + 110 == found["revenue_minor"] == 400


def test_the_command_line_takes_a_rate_of_all_components(run: Any, tmp_path: Any):
    file = tmp_path / "rate.json"
    file.write_text(json.dumps(EVERY_COMPONENT))
    run("pile", "add", "PILE-1")
    (rate,) = run("rate", "set", "PILE-1", str(file))
    assert rate["tiers"] == [[200_000, 500_000], [400_000, 900_000]] and len(rate["offers"]) == 4
    (bill,) = run(
        *("tariff", "preview", str(file), "--energy-mwh", "600000", "--duration-s", "7200"),
        *("--stay-s", "3600"),
    )
    assert bill["total_minor"] == 72 + 120 + 180 + 500 + 50
    file.write_text(json.dumps(changed("tiers.1.up_to_w", 1)))
    assert "tiers[1].up_to_w" in run("rate", "set", "PILE-1", str(file))


def test_the_rates_of_the_documents_can_be_published():
    page = (ROOT / "docs" / "tariffs.md").read_text()
    examples = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert len(examples) == 2
    for example in examples:
        model.build(model.parse(example), "r-1", 0, {"cn": ["2026-10-01"]})
