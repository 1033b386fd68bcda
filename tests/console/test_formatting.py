"""Numbers and strange text as they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.console import kit
from tools.console import formatting


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [b]text[/b] 充电", "plain [b]text[/b] 充电"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("two\nlines\ttab", "two\\x0alines\\x09tab"),
        ("\x9b2J", "\\x9b2J"),  # one-byte control sequences of old terminals
        ("abc\u202edcba", "abc\\u202edcba"),  # turns the reading direction around
        ("\ud800", "\\ud800"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_what_could_disturb_a_terminal_is_spelled_out(text: str, shown: str) -> None:
    assert formatting.clean(text) == shown


@given(st.text())
def test_cleaned_text_is_one_harmless_line(text: str) -> None:
    shown = formatting.clean(text, 50)
    assert kit.is_harmless(shown), shown


def test_long_text_is_cut_and_says_so() -> None:
    assert formatting.clean("x" * 20, 5) == "xxxxx…"


@pytest.mark.parametrize(
    ("got", "shown"),
    [
        (formatting.kwh(1_234_567), "1.234 kWh"),
        (formatting.kwh(9_876_543_210), "9,876.543 kWh"),
        (formatting.kwh(0), "0.000 kWh"),
        (formatting.kw(7_019_999), "7.01 kW"),
        (formatting.money(148, "CNY", 2), "1.48 CNY"),
        (formatting.money(5, "JPY", 0), "5 JPY"),
        (formatting.money(-5, "KWD", 3), "-0.005 KWD"),
        (formatting.money(1_480, None, None), "1,480 minor"),
        (formatting.price(1_200_000), "1.20"),
        (formatting.price(1_234_567), "1.234567"),
        (formatting.price(3_000_000), "3.00"),
        (formatting.duration(65), "1:05"),
        (formatting.duration(3_725), "1:02:05"),
        (formatting.size(1_023), "1023 B"),
        (formatting.size(43_210), "42.1 KiB"),
        (formatting.age(-5), "now"),
        (formatting.age(59_999), "59 s"),
        (formatting.age(60_000), "1 min"),
        (formatting.age(7_200_000), "2 h"),
        (formatting.age(200_000_000), "2 d"),
        (formatting.utc(1_790_000_000_123), "2026-09-21T14:13:20.123Z"),
    ],
)
def test_numbers_read_as_people_write_them(got: str, shown: str) -> None:
    assert got == shown


def test_a_time_beyond_all_calendars_is_still_shown() -> None:
    assert formatting.utc(10**30).startswith("9999-")
