"""Numbers as the pages write and read them, in the browser, against exact arithmetic."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from playwright.sync_api import Page

from cloud_stub.pages import assets
from tests.web.fleet import Fleet


@pytest.fixture
def page(fleet: Fleet, open_page: Callable[..., Page]) -> Page:
    return open_page(f"{fleet.url}/")


def call(page: Page, module: str, expression: str, *arguments: object):
    """`expression` over the module `m` and the arguments `a`."""
    address = f"/static/{assets.version()}/{module}"
    script = f"async (a) => {{ const m = await import('{address}'); return {expression}; }}"
    return page.evaluate(script, list(arguments))


def test_amounts_are_exact_in_every_size(page: Page):
    for value in (0, 1, 5, 99, 100, 123_456, 10**12, 10**12 - 1):
        for digits in (0, 2, 3, 4, 6):
            text = call(page, "format.js", "m.decimal(a[0], a[1])", value, digits)
            assert Decimal(text) == Decimal(value).scaleb(-digits)
            assert len(text.partition(".")[2]) == digits
    assert call(page, "format.js", "m.decimal(-5, 2)") == "-0.05"


def test_money_prices_energy_and_time_read_as_the_locale_writes_them(page: Page):
    script = """(([locale]) => {
        const f = m.formats(locale, "Asia/Shanghai");
        return [
            f.money(123456789, "CNY", 2), f.money(320, "JPY", 0), f.price(800000, "CNY"),
            f.price(123456, "CNY"), f.kwh(1234567), f.kwh(5000000, 6, 0), f.kw(6_900_000, 1),
            f.clock(59), f.clock(3661), f.time(1764500000),
        ];
    })(a)"""
    assert call(page, "format.js", script, "en-GB") == [
        "¥1,234,567.89",
        "¥320",
        "¥0.80",
        "¥0.123456",
        "1.235",
        "5",
        "6.9",
        "0:59",
        "1:01:01",
        "18:53",
    ]
    assert call(page, "format.js", script, "zh-CN")[:2] == ["¥1,234,567.89", "¥320"]


TYPED = [
    ("2.5", 2, 250),
    (" 2,50 ", 2, 250),
    ("2.505", 2, None),
    ("2.500", 2, 250),
    ("7", 0, 7),
    ("7.0", 0, 7),
    ("7.5", 0, None),
    ("0.000001", 6, 1),
    ("", 2, None),
    (".5", 2, None),
    ("-1", 2, None),
    ("1e3", 2, None),
    ("1.2.3", 2, None),
    ("12345678901", 0, None),
]


def test_a_typed_number_is_taken_exactly_or_not_at_all(page: Page):
    for text, digits, expected in TYPED:
        assert call(page, "phone-limits.js", "m.parseDecimal(a[0], a[1])", text, digits) == expected, text


def test_limits_are_whole_numbers_in_their_units_and_the_wrong_ones_are_named(page: Page):
    def read(energy: str, cost: str, time: str):
        texts = {"energy": energy, "cost": cost, "time": time}
        return call(page, "phone-limits.js", "m.readLimits(a[0], 2)", texts)

    assert read("", "", "") == {"limits": {}, "wrong": []}
    assert read("5", "12.5", "90") == {
        "limits": {"energy_mwh": 5_000_000, "cost_minor": 1_250, "duration_s": 5_400},
        "wrong": [],
    }
    assert read("1000", "9999999999", "1440")["wrong"] == []
    assert read("1000.001", "0", "1441")["wrong"] == ["energy", "cost", "time"]
