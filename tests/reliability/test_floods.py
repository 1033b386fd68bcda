"""One pile that sends without end fills neither the broker's memory nor the cloud's disk."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_stub.settlements.unsettled import UNSETTLED_MAX_BYTES
from net import mqtt_codec as codec
from pile_protocol import seal, topics
from tests.sim import SimPile
from tools.harness import broker_config
from tools.harness.chain import Chain
from tools.harness.phone import Phone
from tools.harness.processes import HOST
from tools.harness.system import PileIdentity, System

pytestmark = pytest.mark.system

FLOOD = 3_000
LARGE_BYTES = 100_000  # more than the broker takes
ALLOWED_BYTES = 60_000
MEGABYTE = 1 << 20


def memory_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def settlements(chain: Chain, count: int, size: int) -> bytes:
    """PUBLISH packets of sealed settlements of orders that nobody made, each of about `size` bytes."""
    made = []
    for number in range(count):
        body = '{"kind":"settlement","device_id":"%s","order_id":"made-up-%d","seq":%d,"filler":"%s"}'
        filler = "x" * (size - 300)
        text = body % (chain.device_id, number, number + 1, filler)
        payload = seal.seal(text, chain.key)
        topic = topics.topic(chain.device_id, topics.SETTLEMENT)
        made.append(codec.publish(topic, payload, 1, False, number % 65_535 + 1))
    return b"".join(made)


def flood(system: System, identity: PileIdentity, packets: bytes) -> bool:
    """Send all of it as that pile; whether the broker kept the connection."""
    key = bytes.fromhex(identity.key)
    sock = socket.create_connection((HOST, system.broker.port))
    will = (topics.topic(identity.device_id, topics.STATUS), b'{"online":false}')
    sock.sendall(codec.connect("flood", identity.device_id, seal.mqtt_password(key), 600, *will))
    reader = threading.Thread(target=_read_all, args=(sock,), daemon=True)
    reader.start()
    try:
        sock.sendall(packets)
        sock.sendall(codec.DISCONNECT)
        kept = True
    except OSError:
        kept = False
    reader.join(60)
    sock.close()
    return kept


def _read_all(sock: socket.socket) -> None:
    try:
        while sock.recv(1 << 16):
            pass
    except OSError:
        pass


def metric(system: System, name: str) -> float:
    for line in system.operator.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(name)


def wait_until_shown(system: System, name: str) -> None:
    """Returns once the metric is above 0; the broker tells its count every 10 s."""
    deadline = time.monotonic() + 60
    while not metric(system, name):
        assert time.monotonic() < deadline, name
        time.sleep(0.2)


@pytest.mark.long
def test_settlements_without_end_while_the_cloud_is_away(
    own_system: System, sim_pile: Callable[..., SimPile]
):
    honest = sim_pile(own_system, speed=600)
    attacker = own_system.add_pile("ATTACKER")
    chain = Chain(attacker.device_id, bytes.fromhex(attacker.key))
    order = Phone(own_system.base_url).order(honest.device_id, limits={"energy_mwh": 2_000_000})
    order.wait_for_state("Charging", timeout_s=60)
    own_system.stop_cloud()
    before = memory_bytes(own_system.broker.pid)
    assert not flood(own_system, attacker, settlements(chain, FLOOD, LARGE_BYTES))
    assert flood(own_system, attacker, settlements(chain, FLOOD, ALLOWED_BYTES))
    grown = memory_bytes(own_system.broker.pid) - before
    assert grown < broker_config.QUEUED_BYTES + 32 * MEGABYTE, f"{grown // MEGABYTE} MB"
    own_system.start_cloud()
    settled = order.wait_for_state("Settled", timeout_s=120)
    assert settled["energy_mwh"] >= 2_000_000
    wait_until_shown(own_system, "ratelock_broker_dropped")
    wait_until_shown(own_system, 'ratelock_rejects_total{reason="TooManySettlements"}')
    assert (own_system.data / "cloud.db").stat().st_size < 64 * MEGABYTE
    kept = own_system.operator.get("/api/settlements?device_id=ATTACKER&limit=500").json()["items"]
    assert 0 < len(kept) <= UNSETTLED_MAX_BYTES // (ALLOWED_BYTES - 300)
    honest.wait_until(lambda view: view["online"])
