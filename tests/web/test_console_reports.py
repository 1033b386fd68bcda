"""The operator's console in a real browser: energy and revenue."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.cloud.fakes import BILLS_ALL, EVERY_COMPONENT
from tests.web.conftest import AXE, Watch, row
from tests.web.fleet import DAY_RATE, Fleet


def test_energy_and_revenue_are_drawn_and_told(fleet: Fleet, console: Callable[..., Page], watch: Watch):
    pile = fleet.pile("PILE-1", rate=DAY_RATE)
    orders = [fleet.charged(pile, mwh) for mwh in (1_000_000, 2_000_000)]
    fleet.charged(pile, 3_000_000, pay=False, total_minor=1)
    fleet.counted_today()
    revenue = sum(order.view()["total_minor"] for order in orders)
    page = console("/reports")
    expect(page.get_by_text("3.0 kWh", exact=True).first).to_be_visible()
    expect(
        page.get_by_role("img", name=f"Revenue by day, ¥{revenue // 100}.{revenue % 100:02} in total")
    ).to_be_visible()
    expect(page.get_by_role("img", name="Energy by day, 3.0 kWh in total")).to_be_visible()
    expect(page.get_by_text("1 flagged settlement is not counted.")).to_be_visible()
    expect(row(page, "Session fees")).to_contain_text("¥1.00")
    watch.allow("404")
    page.get_by_label("Pile id").fill("PILE-9")
    expect(page.get_by_text("There is no pile with that id.")).to_be_visible()
    page.get_by_label("Pile id").fill("")
    page.get_by_role("button", name="7 days").click()
    page.get_by_text("The days as a table").click()
    expect(page.get_by_role("table", name="Energy and revenue by day").get_by_role("row")).to_have_count(8)

    able = fleet.pile("PILE-2", rate=None)
    able.hello(**BILLS_ALL)
    rate = EVERY_COMPONENT | {
        "periods": [EVERY_COMPONENT["periods"][0] | {"time_price": 360_000_000}],
        "tiers": [{"up_to_w": 400, "price": 180_000_000}],
        "idle": {"price": 6_000_000, "after_s": 0, "max_minor": 2_000},
    }
    made = fleet.operator.put("/api/piles/PILE-2/rate?allow_unusual=true", rate)
    assert made.status == 201, made.body
    bill = fleet.charged(able, 100_000, stay_s=31).view()["settlement"]
    fleet.counted_today()
    page.get_by_label("Pile id").fill("PILE-2")
    sums = {
        "Time": sum(line[3] for line in bill["times"]),
        "Power tiers": sum(line[3] for line in bill["tiers"]),
        "Staying on": bill["idle"]["idle_minor"],
        "Tax in all of these": bill["tax_minor"],
    }
    for name, minor in sums.items():
        assert minor, name
        expect(row(page, name)).to_contain_text(f"¥{minor // 100}.{minor % 100:02}")
    expect(page.get_by_text("Time, tiers, staying on, minimum")).to_be_visible()


def test_two_currencies_are_told_apart(fleet: Fleet, console: Callable[..., Page]):
    """Both yuan and yen are written with the same sign."""
    fleet.charged(fleet.pile("PILE-1"), 1_000_000)
    yen = DAY_RATE | {"currency": "JPY", "time_zone": "Asia/Tokyo"}
    fleet.charged(fleet.pile("PILE-2", rate=yen), 50_000_000)
    fleet.counted_today()
    page = console("/reports")
    expect(page.get_by_text("¥1.70 CNY", exact=True).first).to_be_visible()
    for name in ("By period, CNY", "By period, JPY", "Revenue by day, CNY", "Revenue by day, JPY"):
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.evaluate(AXE)
    rules = page.evaluate(
        "axe.run(document, {runOnly: ['landmark-unique']}).then((found) => found.violations)"
    )
    assert rules == []
