"""Whatever is written to a simulated pile's stdin or command line, it answers, and goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tools import ROOT
from tools.harness.sim_pile import environment, interpreter

# A board's bench that tells every 20 ms that it still turns.
BENCH = """
import time
from drivers.sim.hardware import Bench
from drivers.sim.plant import Plant
bench = Bench([Plant(7000, 1, 60000), Plant(7000, 1, 60000)])
while bench.listening:
    bench.catch_up()
    bench.tell("turn")
    time.sleep_ms(20)
"""


class Running:
    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]):
        self._stdin = stdin
        self._stdout = stdout

    def write(self, data: bytes) -> None:
        self._stdin.write(data)
        self._stdin.flush()

    def next(self, *events: str) -> dict[str, Any]:
        for line in self._stdout:
            told = json.loads(line)
            if told["event"] in events:
                return told
        pytest.fail("the bench has ended")

    def answer(self) -> dict[str, Any]:
        return self.next("changed", "not understood")


@pytest.fixture
def bench() -> Iterator[Running]:
    with subprocess.Popen(
        [*interpreter(), "-c", BENCH], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Running(process.stdin, process.stdout)
        process.stdin.close()
        process.stdout.read()
        assert process.wait(60) == 0


NONSENSE = [
    b"\xff\xfe", b'{"plug": "\xc3"}', b"x" * 100_000, b"[" * 1_000, b"null", b"7", b'"plug"', b"[]", b"{",
    b'{"power_w": "abc"}', b'{"power_w": null}', b'{"power_w": -1}', b'{"power_w": 1.5}',
    b'{"power_w": true}',
    b'{"power_w": 1000000000000000000000000000000}', b'{"battery_wh": 0}', b'{"estop": "false"}',
    b'{"estop": 0}', b'{"stop_button": 1}',
    b'{"temperature_c": "hot"}', b'{"current_ma": []}', b'{"no such word": 1}',
    b'{"plug": false, "connector": 0}', b'{"plug": false, "connector": 3}',
    b'{"plug": false, "connector": -1}',
    b'{"plug": false, "connector": "1"}', b'{"plug": false, "connector": true}',
    b'{"plug": false, "power_w": -1}',
]  # fmt: skip


def test_nonsense_is_not_understood_and_changes_nothing(bench: Running) -> None:
    for line in NONSENSE:
        bench.write(line + b"\n")
        assert bench.answer()["event"] == "not understood", line[:80]
    bench.write(b'{"plug": false, "connector": 2}\r\n')
    assert bench.answer()["what"] == "plug"


@pytest.mark.parametrize(
    "change",
    [{"plug": False}, {"power_w": 0}, {"battery_wh": 1}, {"meter": False}, {"current_ma": None},
     {"temperature_c": -40}, {"temperature_c": None}, {"stop_button": True}],
)  # fmt: skip
def test_what_a_world_may_be_is_done(bench: Running, change: dict[str, Any]) -> None:
    bench.write(json.dumps(change).encode() + b"\n")
    answer = bench.answer()
    assert {answer["what"]: answer["value"]} == change


def test_half_a_line_stops_nothing_and_is_a_line_once_it_is_whole(bench: Running) -> None:
    bench.write(b'{"plug": ')
    for _ in range(5):
        bench.next("turn")
    bench.write(b"false}\n\n")
    assert bench.answer()["value"] is False


GOOD = {"--device-id": "P-1", "--key": "5a" * 32, "--mqtt": "mqtt://127.0.0.1:1883"}


@pytest.mark.parametrize(
    ("option", "value"),
    [("--imp-per-kwh", "0"), ("--speed", "0"), ("--speed", "-1"), ("--connectors", "0"),
     ("--connectors", "9"),
     ("--power-w", "-1"), ("--battery-wh", "0"), ("--power-w", "much"), ("--key", "@no such file"),
     ("--key", "z" * 64), ("--mqtt", "mqtt://127.0.0.1:port"), ("--mqtt", "mqtt://127.0.0.1:99999"),
     ("--mqtt", "mqtt://[::1"), ("--mqtt", "http://127.0.0.1:1"), ("--sim", "{"), ("--sim", "[]")],
)  # fmt: skip
def test_an_argument_that_cannot_be_is_one_sentence(tmp_path, option: str, value: str) -> None:
    words = [word for pair in {**GOOD, "--data": str(tmp_path), option: value}.items() for word in pair]
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "sim_pile.py"), *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode
    assert "Traceback" not in done.stderr
    assert option in done.stderr.splitlines()[-1] or value.strip("@") in done.stderr.splitlines()[-1]


# The file takes 20 ms to write. Tells what a sample shows, and what flowed until its time.
SLOW_DISK = """
import time
from drivers.sim.hardware import Bench, SimMeter
from drivers.sim.plant import Plant
class SlowBench(Bench):
    def _remember(self):
        time.sleep_ms(20)
plant = Plant(7000, 1000, 60000)
meter = SimMeter(SlowBench([plant], "world.json"), plant, 1600, interval_ms=500, step_mwh=1)
plant.coil = True
meter.poll()
time.sleep_ms(500)
meter.poll()
shown_mwh = meter.register_mwh
plant.advance(meter.sampled_ms)
print(shown_mwh, plant.delivered_mwh)
"""


def test_a_sample_shows_all_that_flowed_until_its_time_however_slow_the_disk(tmp_path: Path):
    told = subprocess.run(
        [*interpreter(), "-c", SLOW_DISK],
        env=environment(),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=60,
    )
    shown_mwh, flowed_mwh = map(int, told.stdout.split())
    assert shown_mwh == flowed_mwh > 0
