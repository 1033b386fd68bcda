"""Twelve sites with a hundred piles of real firmware: each role, both languages, light, dark, two widths.

Pictures go into build/screenshots/hundred, to be looked at.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import DESKTOP, NARROW, axe_problems, overflow
from tests.web.fleet import DAY_RATE
from tools import ROOT
from tools.bench import machine
from tools.bench.orderflow import Flow
from tools.bench.swarm import Swarm
from tools.harness.phone import Phone
from tools.harness.system import PileIdentity, System

PASSWORD = "correct horse battery"
PICTURES = ROOT / "build" / "screenshots" / "hundred"
SPEED = 80  # times the clock's, so that a charge of hours takes a minute
REST_MS = 1_000
SITES, PILES = 12, 100
VIEWS = {
    "viewer": [
        "/piles",
        "/piles?site_id=S-03",
        "/piles/P-007",
        "/sites",
        "/sites/S-03",
        "/tariffs",
        "/reports",
    ],
    "operator": ["/piles/P-007", "/piles/P-007/rate", "/tariffs/T-1", "/orders", "/flagged", "/calendars"],
    "owner": ["/piles/P-003", "/people", "/updates", "/audit", "/account"],
}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One tariff for all; orders behind them and some that run; one pile out of service, one off."""
    data = tmp_path_factory.mktemp("hundred")
    with System(data, env={"RATELOCK_ORDERS_PER_MINUTE": "1000"}) as system:
        send = system.operator.request
        for number in range(SITES):
            site = {"site_id": f"S-{number:02}", "name": f"Car park {number}", "time_zone": "Asia/Shanghai"}
            assert send("POST", "/api/sites", site | {"address": "1 Long Road", "contact": "a"}).status == 201
        lines = [f"P-{number:03},Bay {number},1,S-{number % SITES:02},fast" for number in range(PILES)]
        answer = send(
            "POST", "/api/pile-imports", {"csv": "\n".join(["device_id,name,connectors,site,tags", *lines])}
        )
        assert answer.status == 201
        keys = csv.DictReader(io.StringIO(answer.body.decode()))
        assert send("POST", "/api/tariffs", {"tariff_id": "T-1", "name": "All car parks"}).status == 201
        places = [f"site:S-{number:02}" for number in range(SITES)]
        assert send("PUT", "/api/assignments", {"tariff_id": "T-1", "places": places}).status < 300
        assert send("POST", "/api/tariffs/T-1/versions", DAY_RATE).status == 201
        for role in VIEWS:
            account = {"name": role, "role": role, "password": PASSWORD}
            assert send("POST", "/api/users", account).status == 201
        with Swarm(data / "piles", system.broker.port, machine.interpreters()[0], SPEED, REST_MS) as swarm:
            for row in keys:
                swarm.add(PileIdentity(row["device_id"], row["key"], 1))
            flow = Flow(system, swarm.piles)
            flow.wait_until_online(240)
            flow.close()
            work(system, swarm)
            yield system


def work(system: System, swarm: Swarm) -> None:
    phone = Phone(system.base_url)
    for number in range(0, 12, 3):
        order = phone.order(f"P-{number:03}", limits={"energy_mwh": 500_000})
        total = order.wait_for_state("Settled", timeout_s=90)["total_minor"]
        if number:
            assert order.pay(total).status == 200
    for number in (7, 14, 21):
        phone.order(f"P-{number:03}", limits={"duration_s": 36_000}).wait_for_state("Charging", timeout_s=60)
    swarm.kill_pile(swarm.piles[50])
    body = {"reason": "Damaged", "note": "Cable cut", "connector": 0}
    assert system.operator.put("/api/piles/P-003/out-of-service", body).status == 200


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("viewport", [DESKTOP, NARROW], ids=["desktop", "360 px"])
@pytest.mark.parametrize(
    ("locale", "scheme"),
    [("en-GB", "light"), ("zh-CN", "dark"), ("en-GB", "dark"), ("zh-CN", "light")],
    ids=["English light", "Chinese dark", "English dark", "Chinese light"],
)
def test_each_role_sees_a_hundred_piles(
    crowd: System, open_page: Callable[..., Page], locale: str, scheme: str, viewport: dict[str, int]
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for role, addresses in VIEWS.items():
        page = open_page(crowd.base_url + "/console", locale=locale, color_scheme=scheme, viewport=viewport)
        page.locator("#login-name").fill(role)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.locator("#view h1").first).to_be_visible()
        for address in addresses:
            page.evaluate("to => (location.hash = to)", address)
            expect(page.locator("#view h1").first).to_be_visible()
            page.wait_for_load_state("networkidle")
            if address.startswith("/piles?"):
                expect(page.locator("#view tbody tr")).to_have_count(9)
            assert overflow(page) == 0, (role, address)
            view = address.replace("/", "-").replace("?", "-")
            name = f"{role}{view}-{locale}-{scheme}-{viewport['width']}.png"
            page.screenshot(path=str(PICTURES / name), full_page=True)
            assert axe_problems(page) == [], (role, address)
