"""Every view of the console with something to see in it, for the tests that walk through all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from playwright.sync_api import Page, expect

from tests.cloud.releases import UpdatingPile, archive
from tests.web.conftest import axe_problems, overflow
from tests.web.fleet import DAY_RATE, Fleet

# What the data says; not in English, so that a walk in Chinese finds what is left of it.
NORTH, SOUTH, OLD, EAST = "北门充电站", "南门充电站", "旧场地", "东门充电站"
NOTE = "已到现场抄表"
SITE, TARIFF = "港口停车场", "假日电价"

# For each address of VIEWS in console-views.js what to open, and the text or the selector that it shows then.
EXAMPLES: dict[str, list[tuple[str, str]]] = {
    "/piles": [("/piles", SOUTH)],
    "/piles/:id": [("/piles/PILE-1", NORTH), ("/piles/PILE-2", "6.91 kW"), ("/piles/PILE-4", OLD)],
    "/piles/:id/rate": [("/piles/PILE-1/rate", ".versions li")],
    "/sites": [("/sites", SITE)],
    "/sites/:id": [("/sites/SITE-1", SOUTH)],
    "/tariffs": [("/tariffs", TARIFF)],
    "/tariffs/:id": [("/tariffs/T-1", SOUTH)],
    "/tariffs/:id/prices": [
        ("/tariffs/T-1/prices", ".versions li"),
        ("/tariffs/T-2/prices", ".more fieldset"),
    ],
    "/calendars": [("/calendars", TARIFF)],
    "/orders": [("/orders", "· 1")],
    "/orders/:id": [("/orders/{order}", ".facts .mono"), ("/orders/{credited}", "已退还")],
    "/flagged": [("/flagged", "¥0.05"), ("/flagged?reviewed=true", NOTE)],
    "/flagged/:id": [("/flagged/2", ".differs"), ("/flagged/3", NOTE)],
    "/payments": [("/payments", ".card tbody a")],
    "/payments/:id": [("/payments/{hold}", ".facts .mono")],
    "/payment-days": [("/payment-days", ".card tbody td")],
    "/free-vend": [("/free-vend", NOTE)],
    "/updates": [("/updates", ".card a[href='#/updates/1']")],
    "/updates/:id": [("/updates/1", ".card meter")],
    "/reports": [("/reports", ".chart .bar")],
    "/people": [("/people", "anna7")],
    "/webhooks": [("/webhooks", "example1.org")],
    "/audit": [("/audit", NOTE), ("/audit?account=anna7", "anna7")],
    "/account": [("/account", ".facts")],
}


def populate(fleet: Fleet) -> dict[str, str]:
    """A fleet with one of everything; what stands in braces in EXAMPLES."""
    pile = fleet.pile("PILE-1", NORTH, rate=DAY_RATE)
    credited = fleet.charged(pile, 1_000_000)
    fleet.credit(credited, 5)
    calls = (("capture", 170, "Done"), ("refund", 5, "Refused"))
    hold = fleet.hold("PILE-1", credited.order_id, "RefundRefused", *calls, captured_minor=170, reason="0")
    free = fleet.operator.post("/api/free-vend", {"reason": NOTE, "uses_max": 3})
    assert free.status == 201
    fleet.charged(pile, 2_000_000, pay=False, total_minor=5)
    fleet.counted_today()
    other = fleet.pile("PILE-2", SOUTH)
    order, _ = fleet.order(other)
    fleet.charge(other, order)
    fleet.report(pile, said={2: {"status": "Faulted", "fault": "GroundFailure"}}, clock="Unset")
    fleet.pile("PILE-3", rate=None, online=False)
    old = fleet.pile("PILE-4", OLD)
    fleet.charged(old, 2_000_000, pay=False, total_minor=5)
    decision = {"decision": "release", "note": NOTE}
    assert fleet.operator.post("/api/settlements/3/review", decision).status == 201
    assert fleet.operator.request("DELETE", "/api/piles/PILE-4").status == 200
    account = {"name": "anna7", "role": "operator", "password": "correct horse battery"}
    assert fleet.operator.post("/api/users", account).status == 201
    webhook = {"name": "0", "url": "https://example1.org/0", "kinds": ["order", "flagged"]}
    assert fleet.operator.post("/api/webhooks", webhook).status == 201
    token = {"name": "export-1", "permissions": ["read"], "days": 30}
    assert fleet.operator.post("/api/tokens", token).status == 201
    sites_and_tariffs(fleet)
    updatable(fleet, "PILE-5")
    return {"credited": credited.order_id, "order": order.order_id, "hold": hold}


def sites_and_tariffs(fleet: Fleet) -> None:
    """A site with a pile, and its tariff, whose holidays differ; another version of it is to come."""
    send = fleet.operator.request
    site = {"site_id": "SITE-1", "name": SITE, "address": "1", "time_zone": "Asia/Shanghai", "contact": "2"}
    holiday = {"name": TARIFF, "calendar": "C-1", "periods": DAY_RATE["periods"][:1]}
    version = DAY_RATE | {"time_zone": None, "days": [holiday]}
    parts = {
        "tiers": [{"up_to_w": 200, "price": 200_000}, {"up_to_w": 500, "price": 300_000}],
        "idle": {"price": 6_000_000, "after_s": 900, "max_minor": 2000},
        "minimum_minor": 100,
        "tax_per_mille": 130,
        "offers": [{"kind": "money", "cost_minor": 500}, {"kind": "full"}],
    }
    for method, path, body in (
        ("POST", "/api/sites", site),
        ("POST", "/api/pile-moves", {"selection": "pile:PILE-2", "site_id": "SITE-1"}),
        ("POST", "/api/tags", {"selection": "pile:PILE-2", "add": ["快充"]}),
        ("PUT", "/api/calendars/C-1", {"name": TARIFF, "days": {"2030-10-01": NOTE}}),
        ("POST", "/api/tariffs", {"tariff_id": "T-1", "name": TARIFF}),
        ("POST", "/api/tariffs", {"tariff_id": "T-2", "name": TARIFF}),
        ("POST", "/api/tariffs/T-2/versions", version | parts),
        ("PUT", "/api/assignments", {"tariff_id": "T-1", "places": ["site:SITE-1", "connector:PILE-2/2"]}),
        ("POST", "/api/tariffs/T-1/versions", version),
        ("POST", f"/api/tariffs/T-1/versions?from_at={int(time.time()) + 86_400}", version),
    ):
        assert send(method, path, body).status < 300, path


def updatable(fleet: Fleet, device_id: str) -> None:
    """A pile that can be updated over the air, release 12, and its rollout."""
    pile = fleet.pile(device_id, EAST)
    UpdatingPile(pile, fleet.link).come()
    assert fleet.operator.post("/api/releases", archive(12)).status == 201
    body = {"release": 12, "selection": f"pile:{device_id}"}
    assert fleet.operator.post("/api/rollouts", body).status == 201


def walk(page: Page, known: dict[str, str]) -> Iterator[str]:
    """Open each example in turn; gives its address once it shows what it should."""
    for examples in EXAMPLES.values():
        for address, shown in examples:
            page.evaluate("to => (location.hash = to)", address.format(**known))
            found = page.locator(shown) if shown.startswith(".") else page.get_by_text(shown)
            expect(found.first).to_be_visible()
            yield address


def check_view(page: Page, address: str) -> None:
    found = axe_problems(page)
    assert found == [], f"{address}: {found}"
    assert overflow(page) == 0, address
