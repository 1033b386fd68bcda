"""The bench commands work: every row gives its figures, and the page is made of them. No timing decides."""

import json

import pytest

from tools.bench import __main__ as bench
from tools.bench import report
from tools.bench.figures import Figure, interleave, percentile

pytestmark = pytest.mark.system


def test_samples_are_taken_in_turns_and_who_goes_first_changes():
    asked = []

    def sample(who: str) -> float:
        asked.append(who)
        return float(len(asked))

    ours, baseline = interleave(3, lambda: sample("ours"), lambda: sample("baseline"))
    assert asked == ["ours", "baseline", "baseline", "ours", "ours", "baseline"]
    assert (ours, baseline) == ([1, 4, 5], [2, 3, 6])


def test_a_ratio_is_the_median_of_the_rounds_own():
    figure = Figure("x", "1/s", [10, 20, 90], [20, 20, 30], at_least=1)
    assert figure.ratios() == [0.5, 1, 3]
    assert (figure.ratio, figure.met) == (1, True)


@pytest.mark.parametrize(
    "bounds, met", [({}, None), ({"at_most": 2}, False), ({"at_least": 2}, True), ({"limit": 8}, False)]
)
def test_whether_a_target_is_met(bounds, met):
    assert Figure("x", "ms", [9], [3], **bounds).met is met


def test_a_figure_without_a_stick_is_stated():
    figure = Figure("x", "bytes", [9])
    assert (figure.ratio, figure.met, figure.target) == (None, None, "stated")


def test_percentiles():
    assert percentile([3, 1, 2], 50) == 2
    assert percentile(list(range(100)), 99) == 99


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("row", bench.ROWS)
def test_every_row_gives_figures(row, tmp_path):
    assert bench.main(["--only", row, "--rounds", "1", "--scale", "0.02", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "performance.json").read_text())
    assert list(found) == [row]
    figures = [Figure.from_json(each) for each in found[row]["figures"]]
    assert figures and all(min(figure.ours) >= 0 for figure in figures)
    assert f"ONLY={row}" in (tmp_path / "performance.md").read_text()


def test_a_row_that_did_not_run_keeps_its_figures(tmp_path):
    old = {
        "at": "2026-01-01",
        "machine": {"cpu": "x"},
        "rounds": 5,
        "figures": [Figure("a", "s", [1]).as_json()],
    }
    report.save(
        {"pages": old}, {"pages": "Pages"}, tmp_path / "performance.json", tmp_path / "performance.md"
    )
    assert report.load(tmp_path / "performance.json") == {"pages": old}
    assert "2026-01-01, 5 rounds, machine 1" in (tmp_path / "performance.md").read_text()
