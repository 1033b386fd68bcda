"""Two people who change one thing at the same time, and a switch that is pressed twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.cloud.fakes import FLAT_RATE, FakeLink, FakePile, open_sealed
from tests.cloud.test_operator import problem
from tests.cloud.test_sites import HARBOUR

PASSWORD = "correct horse battery"
DEARER = FLAT_RATE | {"session_fee_minor": 7}

# Method and address; what both have read; what the first writes, then the second.
FORMS = (
    ("PATCH", "/api/sites/HARBOUR", {"name": HARBOUR["name"]}, {"name": "A"}, {"name": "B"}),
    ("PATCH", "/api/piles/PILE-1", {"name": "PILE-1"}, {"name": "A"}, {"name": "B"}),
    ("PATCH", "/api/piles/PILE-1", {"connectors": 2}, {"connectors": 3}, {"connectors": 4}),
    ("PATCH", "/api/tariffs/city", {"name": "City"}, {"name": "A"}, {"name": "B"}),
    ("PUT", "/api/users/anna/role", {"role": "viewer"}, {"role": "operator"}, {"role": "owner"}),
)


@pytest.fixture
def things(operator: Any, add_pile: Callable[..., FakePile]) -> FakePile:
    for path, body in (
        ("/api/sites", HARBOUR),
        ("/api/tariffs", {"tariff_id": "city", "name": "City"}),
        ("/api/users", {"name": "anna", "role": "viewer", "password": PASSWORD}),
    ):
        assert operator("POST", path, body).status_code == 201
    return add_pile()


def test_the_second_of_two_editors_is_told_and_nothing_is_lost(operator: Any, things: FakePile):
    for method, path, seen, first, second in FORMS:
        assert operator(method, path, first | {"replaces": seen}).json().items() >= first.items(), path
        refused = problem(operator(method, path, second | {"replaces": seen}), 409, "Replaced")
        assert refused["present"] == first
        assert operator(method, path, second | {"replaces": first}).json().items() >= second.items(), path


def test_a_tariff_that_the_second_editor_has_not_seen_is_not_replaced(operator: Any, things: FakePile):
    """Two people assigned different tariffs to one place: the last one won, and the first was not told."""
    for tariff_id in ("day", "night"):
        made = operator("POST", "/api/tariffs", {"tariff_id": tariff_id, "name": tariff_id})
        assert made.status_code == 201
    own = "pile:PILE-1"
    for place, before in (("site:HARBOUR", None), (own, own), ("connector:PILE-1/2", None)):

        def assign(tariff_id: str | None, seen: str | None, place: str = place) -> Any:
            body = {"places": [place], "tariff_id": tariff_id, "replaces": {place: seen, "pile:OTHER": "day"}}
            return operator("PUT", "/api/assignments", body)

        assert assign("day", before).status_code == 200
        assert problem(assign("night", before), 409, "Replaced")["present"] == {place: "day"}
        assert problem(assign(None, "night"), 409, "Replaced")["present"] == {place: "day"}
        assert assign("day", before).status_code == 200  # as it was wanted
        assert assign("night", "day").status_code == 200
        assert assign(None, "night").status_code == 200
    with ThreadPoolExecutor(8) as pool:

        def race(tariff_id: str) -> int:
            places = ["connector:PILE-1/1", "site:HARBOUR"]
            body = {"places": places, "tariff_id": tariff_id, "replaces": dict.fromkeys(places)}
            return operator("PUT", "/api/assignments", body).status_code

        answers = list(pool.map(race, ["day", "night"] * 4))
    held = operator("GET", "/api/sites/HARBOUR").json()["tariff_id"]
    assert answers == [200 if each == held else 409 for each in ["day", "night"] * 4]


def test_the_most_power_that_the_second_editor_has_not_seen_is_not_replaced(operator: Any, things: FakePile):
    def power(power_w: int | None, seen: int | None) -> Any:
        body = {"power_w": power_w, "replaces": {"power_w": seen}}
        return operator("PUT", "/api/piles/PILE-1/connector-power", body)

    assert power(7400, None).status_code == 200
    assert problem(power(11_000, None), 409, "Replaced")["present"] == {"power_w": 7400}
    assert power(None, 7400).json()["connector_power_w"] is None


def test_a_rate_for_remote_starts_that_the_second_editor_has_not_seen_is_not_replaced(
    operator: Any, things: FakePile
):
    rate_id = operator("GET", "/api/piles/PILE-1/rate").json()["rate_id"]

    def agree(wanted: str | None, seen: str | None) -> Any:
        body = {"rate_id": wanted, "agreement": "Contract 17", "replaces": {"rate_id": seen}}
        return operator("PUT", "/api/sites/HARBOUR/remote-start", body)

    assert agree(rate_id, None).status_code == 200
    assert problem(agree(None, None), 409, "Replaced")["present"] == {"rate_id": rate_id}
    assert agree(None, rate_id).json()["remote_start_rate_id"] is None


def test_of_many_editors_at_the_same_moment_one_comes_through(operator: Any, things: FakePile):
    def rename(number: int) -> int:
        body = {"name": f"Name {number}", "replaces": {"name": HARBOUR["name"]}}
        return operator("PATCH", "/api/sites/HARBOUR", body).status_code

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(rename, range(8)))
    assert sorted(found) == [200] + [409] * 7
    assert operator("GET", "/api/sites/HARBOUR").json()["name"] == f"Name {found.index(200)}"


def test_editors_of_different_fields_keep_what_both_wrote(operator: Any, things: FakePile):
    for field, was, value in (("address", HARBOUR["address"], "2"), ("contact", HARBOUR["contact"], "3")):
        body = {field: value, "replaces": {field: was}}
        assert operator("PATCH", "/api/sites/HARBOUR", body).status_code == 200
    found = operator("GET", "/api/sites/HARBOUR").json()
    assert (found["address"], found["contact"]) == ("2", "3")


def test_of_many_prices_published_at_the_same_moment_one_holds(operator: Any, things: FakePile):
    before = operator("GET", "/api/piles/PILE-1/rate").json()["rate_id"]

    def publish(_: int) -> int:
        return operator("PUT", f"/api/piles/PILE-1/rate?replaces={before}", DEARER).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(publish, range(8))) == [201] + [409] * 7


# Pressed twice: method, address, body, the action of its only line.
SWITCHES: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("PUT", "/api/piles/PILE-1/out-of-service", {"reason": "Other"}, "TakenOutOfService"),
    ("PUT", "/api/piles/PILE-1/connector-power", {"power_w": 7400}, "ConnectorPowerSet"),
    ("PATCH", "/api/piles/PILE-1", {"name": "A"}, "PileRenamed"),
    ("PATCH", "/api/sites/HARBOUR", {"name": "A"}, "SiteChanged"),
    ("POST", "/api/pile-moves", {"selection": "pile:PILE-1", "site_id": "HARBOUR"}, "PileMoved"),
    ("POST", "/api/tags", {"selection": "pile:PILE-1", "add": ["fast"]}, "PileTagged"),
    ("PATCH", "/api/tariffs/city", {"name": "A"}, "TariffRenamed"),
    (
        "PUT",
        "/api/assignments",
        {"tariff_id": "city", "places": ["site:HARBOUR", "connector:PILE-1/1"]},
        "TariffAssigned",
    ),
    ("PUT", "/api/users/anna/role", {"role": "operator"}, "RoleSet"),
    ("PUT", "/api/users/anna/disabled", {"disabled": True}, "UserDisabled"),
)


def count(operator: Any, action: str) -> int:
    return len(operator("GET", f"/api/audit?action={action}").json()["items"])


def test_a_switch_pressed_twice_does_nothing_twice(operator: Any, things: FakePile):
    for method, path, body, action in SWITCHES:
        for _ in range(2):
            answer = operator(method, path, body)
            assert answer.status_code == 200, answer.text
            assert count(operator, action) == len(body.get("places", [1])), action


def test_a_pile_restarts_once_until_it_is_back(operator: Any, things: FakePile, link: FakeLink):
    things.hello(commands=["restart"])

    def asked() -> int:
        assert operator("POST", "/api/piles/PILE-1/restart").status_code == 202
        sent = [open_sealed("command", data, things.key) for data in link.sent("PILE-1", "command")]
        return sum(each["action"] == "restart" for each in sent)

    assert (asked(), asked(), count(operator, "RestartRequested")) == (1, 1, 1)
