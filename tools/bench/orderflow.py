"""A stream of orders over many piles. A free pile gets the next; "Stored" or a refusal frees it again."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from pile_protocol import topics
from tools.bench import http_load
from tools.bench.swarm import Pile
from tools.harness.processes import HOST, ProcessError
from tools.harness.system import System

LIMITS = {"energy_mwh": 1_000}


class Flow:
    """Orders at every pile that does not wait for the acknowledgement of a settlement.

    confirmed: order id -> (pile, when it was sent in Unix microseconds). stored: ids of settled orders.
    """

    def __init__(self, system: System, piles: list[Pile]):
        self._system = system
        self._rate_ids: dict[str, str] = {}
        self._piles = {pile.device_id: pile for pile in piles}
        self._lock = threading.Lock()
        self._free = [pile.device_id for pile in piles]
        self.confirmed: dict[str, tuple[str, int]] = {}
        self.stored: list[str] = []
        self.refused: dict[str, int] = {}
        self._busy: set[str] = set()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="flow")
        client.username_pw_set("cloud", system.broker.cloud_password)
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._connected
        client.on_message = self._acknowledged
        client.connect(HOST, system.broker.port)
        client.loop_start()
        self._client = client

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def online(self) -> set[str]:
        """The piles that the cloud shows online and free; remembers their rates."""
        found = set()
        after = ""
        while True:
            page = self._system.operator.get(f"/api/piles?limit=500{after}").json()
            for view in page["items"]:
                self._rate_ids[view["device_id"]] = view["rate_id"]
                if view["online"] and view["clock_set"] and not view["connectors"][0]["busy"]:
                    found.add(view["device_id"])
            if page["next"] is None:
                return found & set(self._piles)
            after = f"&after={page['next']}"

    def wait_until_online(self, timeout_s: float) -> float:
        """Returns how long it took until all were online and free. Raises ProcessError."""
        began = time.monotonic()
        while True:
            missing = set(self._piles) - self.online()
            took_s = time.monotonic() - began
            if not missing:
                return took_s
            if took_s > timeout_s:
                raise ProcessError(f"{len(missing)} piles are not online, such as {sorted(missing)[:3]}")
            time.sleep(0.25)

    def run(self, clients: int, seconds: float, per_second: float | None = None) -> float:
        """Orders for `seconds`; returns the stored orders per second. per_second: a limit, None for full
        speed.
        """
        before = len(self.stored)
        began = time.monotonic()
        asyncio.run(self._run(clients, began + seconds, clients / per_second if per_second else 0))
        return (len(self.stored) - before) / (time.monotonic() - began)

    async def _run(self, clients: int, until: float, pause_s: float) -> None:
        await asyncio.gather(*(self._order_on(until, pause_s, pause_s * n / clients) for n in range(clients)))

    async def _order_on(self, until: float, pause_s: float, first_s: float) -> None:
        connection = None
        await asyncio.sleep(first_s)
        while time.monotonic() < until:
            due = time.monotonic() + pause_s
            device_id = self._take()
            if device_id is None:
                await asyncio.sleep(0.005)
                continue
            try:
                connection = connection or await http_load.Connection.open(self._system.http_port)
                await self._order(connection, device_id)
            except (OSError, asyncio.IncompleteReadError):  # the cloud is away
                connection = None
                self._give_back(device_id, "NoCloud")
                await asyncio.sleep(0.2)
            if pause_s and connection:  # a server closes an idle connection after a while
                connection.close()
                connection = None
            await asyncio.sleep(max(0, min(due, until) - time.monotonic()))
        if connection:
            connection.close()

    async def _order(self, connection: http_load.Connection, device_id: str) -> None:
        body = {
            "device_id": device_id,
            "connector": 1,
            "rate_id": self._rate_ids[device_id],
            "limits": LIMITS,
        }
        key = secrets.token_hex(16)
        request = http_load.post("/api/orders", json.dumps(body).encode(), Idempotency_Key=key)
        sent_us = time.time_ns() // 1000
        answer = await connection.ask(request)
        if answer.status != 201:
            self._give_back(device_id, json.loads(answer.body).get("code", str(answer.status)))
            return
        order_id = json.loads(answer.body)["order_id"]
        with self._lock:
            self.confirmed[order_id] = (device_id, sent_us)

    def _take(self) -> str | None:
        with self._lock:
            if not self._free:
                return None
            device_id = self._free.pop(0)
            self._busy.add(device_id)
            return device_id

    def _give_back(self, device_id: str, code: str) -> None:
        with self._lock:
            self.refused[code] = self.refused.get(code, 0) + 1
            if device_id in self._busy:
                self._busy.remove(device_id)
                self._free.append(device_id)

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe(
            [(topics.topic("+", name), 0) for name in (topics.SETTLEMENT_ACK, topics.ORDER_STATUS)]
        )

    def _acknowledged(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        told = json.loads(message.payload)
        device_id, name = topics.parse(message.topic)
        if name == topics.ORDER_STATUS:
            if told["state"] == "Rejected":
                self._give_back(device_id, told["reason"])
            return
        with self._lock:
            self.stored.append(told["order_id"])
            if device_id in self._busy:
                self._busy.remove(device_id)
                self._free.append(device_id)
