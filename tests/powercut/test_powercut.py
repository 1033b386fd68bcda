"""Power cuts at every flash operation of whole orders, in their short form; `make powercut` is the long
one.
"""

from __future__ import annotations

import pytest

from tools.harness import powercut

SEED = 1
pytestmark = pytest.mark.timeout(600)  # against a rig that hangs; a job takes a few seconds of a processor


@pytest.mark.parametrize("job", powercut.short_jobs(SEED), ids=" ".join)
def test_no_cut_breaks_a_promise(job: tuple[str, ...]) -> None:
    figures = powercut.cut([job], workers=1)
    assert figures.violations == []
    assert figures.cuts >= (20 if job[0] in ("update", "some") else 60)
    assert max(figures.lost_ms, figures.lost_use_ms) <= powercut.LOST_MAX_MS


def test_the_short_form_is_at_least_five_hundred_cuts() -> None:
    """Each job has at least 60 of them, and each operation of the flash is one."""
    assert sum(60 for job in powercut.short_jobs(SEED) if job[0] not in ("update", "some")) >= 500


def test_an_hour_of_charging_wears_the_flash_little() -> None:
    """By the mean of all blocks; how even they are takes the long form."""
    assert powercut.wear("charge", 1).years_by_mean > powercut.LIFE_MIN_YEARS
