"""`make demo` holds what it tells, and would notice if it did not."""

import re
import subprocess
import sys

import pytest

from pile_protocol import pricing
from tools import ROOT
from tools.demo import receipt, screen, story


@pytest.mark.system
def test_the_demo_ends_well_and_says_so_on_its_last_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"DEMO OK order=\S+ energy_kwh=\d+\.\d{3} total=\d+\.\d\d CNY rate=\S+", last)
    assert "\x1b" not in done.stdout  # no colour where it is no terminal


def test_a_claim_that_does_not_hold_ends_the_story() -> None:
    story.claim(1 == 1, "sums")
    with pytest.raises(story.ClaimFailed, match="sums"):
        story.claim(1 == 2, "sums")


@pytest.mark.parametrize("mwh", [0, 1, 416_666, 416_667, 5_080_000, 123_456_789])
def test_the_receipt_comes_to_what_the_price_engine_comes_to(mwh: int) -> None:
    rate = {"steps": [[0, 800_000, 400_000, "flat"]], "minor_digits": 2, "session_fee_minor": 50}
    total, fee, periods = pricing.bill(rate, [(0, mwh)])
    assert receipt.total_minor(periods, 50, 2) == total
    assert receipt.lines_minor({"periods": periods, "session_fee_minor": fee}) == total


def test_another_rate_prices_the_same_energy() -> None:
    dearer = {"periods": [[0, 2_000_000, 0, "flat"]]}
    assert receipt.repriced([[0, 1, 1, "flat", 10**6, 0, 0]], dearer) == [
        [0, 2_000_000, 0, "flat", 10**6, 0, 0]
    ]


def test_amounts_are_written_as_people_write_them() -> None:
    assert [screen.money(5, 2), screen.money(660, 2), screen.money(12, 0), screen.money(1, 3)] == [
        "0.05",
        "6.60",
        "12",
        "0.001",
    ]
    assert (screen.kwh(5_080_999), screen.unit_price(800_000), screen.unit_price(1_234_500)) == (
        "5.080",
        "0.80",
        "1.2345",
    )
