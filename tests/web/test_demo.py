"""The page that `make demo` names at its end, on the system that `make run` has up."""

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from tests.tools.test_run import environment, running
from tools import ROOT
from tools.harness.api_client import Client

pytestmark = pytest.mark.system


@pytest.mark.long
def test_while_make_run_is_up_the_demo_ends_with_the_address_of_its_receipt(tmp_path: Path, open_page):
    env = environment(tmp_path / "a folder")
    base_url = f"http://127.0.0.1:{env['RATELOCK_HTTP_PORT']}"
    with running(env) as (run, lines):
        assert f"{base_url}/p/PILE-1" in "".join(lines), "".join(lines)
        before = set(psutil.Process(run.pid).children(recursive=True))
        demo = subprocess.run(
            [sys.executable, "-m", "tools.demo"], cwd=ROOT, env=env, capture_output=True, text=True
        )
        assert demo.returncode == 0, demo.stdout + demo.stderr
        *_, told, last = demo.stdout.splitlines()
        found = re.fullmatch(r"DEMO OK order=(\S+) energy_kwh=\S+ total=(\S+) CNY rate=(r-\S+)", last)
        assert found, last
        order_id, total, rate_id = found.groups()
        address = told.split()[-1]
        assert re.fullmatch(rf"{base_url}/p/DEMO-1\?order={order_id}#\S+", address), told

        page = open_page(address)
        credited = "1.00"  # and refunded, which the receipt shows
        left_minor = int(total.replace(".", "")) - int(credited.replace(".", ""))
        expect(page.locator("#total")).to_have_text(f"¥{left_minor // 100}.{left_minor % 100:02}")
        expect(page.locator(".pill.good")).to_have_text("Paid")
        expect(page.locator(".facts").last).to_contain_text(rate_id)
        assert Client(base_url).get("/api/piles/DEMO-1").json()["online"] is False
        assert Client(base_url).get("/api/piles/PILE-1").json()["online"] is True
        assert set(psutil.Process(run.pid).children(recursive=True)) == before
