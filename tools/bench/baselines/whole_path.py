"""The whole path without business logic: HTTP, a durable commit, MQTT to a MicroPython, back, a commit, HTTP.

Arguments: HTTP port, MQTT port, database. One thread commits all that is queued, as the cloud's writer does.
"""

import asyncio
import itertools
import os
import queue
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import uvicorn
from paho.mqtt.enums import CallbackAPIVersion

from pile_protocol import topics

DOWN = topics.topic("BASELINE", "down")

http_port, mqtt_port, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
jobs: "queue.SimpleQueue[tuple[str, bytes, Callable[[], object]]]" = queue.SimpleQueue()
waiting: dict[bytes, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}
numbers = itertools.count()


def write() -> None:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS orders (name TEXT, payload BLOB)")
    while True:
        group = [jobs.get()]
        while not jobs.empty():
            group.append(jobs.get())
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO orders VALUES (?, ?)", [(name, data) for name, data, _ in group])
        database.execute("COMMIT")
        for _, _, then in group:
            then()


def received(client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
    data = bytes(message.payload)

    def then() -> None:
        client.ack(message.mid, message.qos)
        loop, event = waiting.pop(data[:8])
        loop.call_soon_threadsafe(event.set)

    jobs.put(("settled", data, then))


def opened(_client: paho.Client, _userdata: object, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def connected(client: paho.Client, *_: object) -> None:
    client.subscribe(topics.topic("BASELINE", "up"), 1)


mqtt = paho.Client(CallbackAPIVersion.VERSION2, client_id="baseline path", manual_ack=True)
mqtt.username_pw_set("cloud", os.environ["BASELINE_PASSWORD"])
mqtt.max_inflight_messages_set(1000)
mqtt.on_socket_open = opened
mqtt.on_message = received
mqtt.on_connect = connected
mqtt.on_subscribe = lambda *_: print("ready", flush=True)


async def app(scope: dict, receive: Callable, send: Callable) -> None:
    if scope["type"] != "http":
        return
    body = (await receive())["body"]
    name = b"%08d" % next(numbers)
    event = asyncio.Event()
    waiting[name] = (asyncio.get_running_loop(), event)
    data = name + body
    jobs.put(("confirmed", data, lambda: mqtt.publish(DOWN, data, 1)))
    await event.wait()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


listener = socket.create_server(("127.0.0.1", http_port), backlog=1024)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
threading.Thread(target=write, daemon=True).start()
mqtt.connect("127.0.0.1", mqtt_port)
mqtt.loop_start()
config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
uvicorn.Server(config).run([listener])
