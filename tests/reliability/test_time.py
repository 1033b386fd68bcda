"""Time on the real interpreters: the fields again under MicroPython, and the tick wrap as it really comes."""

from __future__ import annotations

import platform
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from tests.micropython import interpreter32, run_files
from tools.harness.phone import Phone
from tools.harness.sim_pile import interpreter

FIELDS = Path(__file__).with_name("test_time_fields.py")
WRAP_MS = 1 << 30


def run_fields(command: list[str]) -> None:
    done = run_files(FIELDS, command=command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_time_fields_on_micropython():
    run_fields(interpreter())


@pytest.mark.timeout(400)
def test_time_fields_on_32_bits():
    run_fields(interpreter32())


# -- the wrap ------------------------------------------------------------------------------------------------


def monotonic_s() -> float:
    """The clock that MicroPython's ticks are made of on this machine."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def shifted(command: list[str], lead_s: int) -> tuple[list[str], float]:
    """`command` in a time namespace whose ticks wrap in `lead_s`; and when that is, on our own clock."""
    now_s = monotonic_s()
    offset_s = WRAP_MS * (int(now_s) * 1000 // WRAP_MS + 1) // 1000 - int(now_s) - lead_s
    wrap_s = WRAP_MS * (int(now_s) * 1000 // WRAP_MS + 1) / 1000 - offset_s
    return ["unshare", "-U", "-r", "-T", "--fork", "--monotonic", str(offset_s), *command], wrap_s


def namespaced() -> list[str]:
    """The 32-bit interpreter, where this kernel lets us have a clock of our own; else skips."""
    command = interpreter32()
    if platform.system() != "Linux":
        pytest.skip("time namespaces are Linux's")
    argv, wrap_s = shifted([*command, "-c", "import time; print(time.ticks_ms())"], 30)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode or not WRAP_MS - 40_000 < int(done.stdout) < WRAP_MS:
        pytest.skip(f"no time namespace here: {done.stderr.strip()[-100:] or done.stdout}")
    assert wrap_s > monotonic_s() + 20
    return command


@pytest.mark.system
@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_ticks_wrap_for_real_in_the_middle_of_an_order(own_system, sim_pile, monkeypatch):
    """The whole firmware on a 32-bit interpreter, 12.4 days after power-up: charges, wraps, charges, settles.

    It showed that the simulated car took the wrap for minus 12 days, and gave back what it had been given.
    """
    command = namespaced()
    for lead_s in (15, 40, 90):  # a busy machine may not come to charging before the first
        argv, wrap_s = shifted(command, lead_s)
        monkeypatch.setenv("MICROPYTHON", shlex.join(argv))
        pile = sim_pile(own_system, speed=600, extra=("--battery-wh", "10000000"))
        order = Phone(own_system.base_url).order(pile.device_id)
        closed = pile.wait_for(lambda line: line["event"] == "relay closed")
        if monotonic_s() < wrap_s - 2:
            break
        pile.stop()
    else:
        pytest.skip("this machine is too busy to charge before the wrap")
    before = order.wait_for_event(lambda e: e.name == "meter" and e.data["energy_mwh"] > 0).data
    # The first meter value from after the wrap: the order's seconds went on as ours did.
    passed_s = wrap_s + 2 - monotonic_s() + before["elapsed_s"]
    after = order.wait_for_event(lambda e: e.name == "meter" and e.data["elapsed_s"] > passed_s, 120).data
    assert monotonic_s() > wrap_s
    assert after["register_mwh"] > before["register_mwh"]
    order.stop()
    opened = pile.wait_for(lambda line: line["event"] == "relay opened")
    view = order.wait_for_state("Settled")
    settlement = view["settlement"]
    assert view["reason"] == "Remote" and not settlement["flagged"], settlement["flags"]
    charged_s = (opened["at_us"] - closed["at_us"]) / 1_000_000
    assert abs(settlement["ended_at"] - settlement["started_at"] - charged_s) < 3
    assert settlement["energy_mwh"] > after["energy_mwh"] - 1
    # And the next order, on ticks that have begun anew.
    pile.wait_until(lambda shown: not shown["connectors"][0]["busy"])
    again = Phone(own_system.base_url).order(pile.device_id, limits={"duration_s": 3})
    assert again.wait_for_state("Settled")["reason"] == "TimeLimitReached"
