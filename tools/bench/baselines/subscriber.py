"""A bare paho subscriber: parses each message and, with a database, commits each before it acknowledges.

Publishes "done" to `answer` after every `count` messages.
"""

import argparse
import json
import os
import socket
import sqlite3
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

options = argparse.ArgumentParser()
options.add_argument("--port", type=int, required=True)
options.add_argument("--topic", required=True)
options.add_argument("--answer", required=True)
options.add_argument("--count", type=int, required=True)
options.add_argument("--qos", type=int, default=1)
options.add_argument("--database")
given = options.parse_args()

came = 0
database = None
if given.database:
    database = sqlite3.connect(given.database, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, payload TEXT)")


def received(client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
    global came
    json.loads(message.payload)
    if database is not None:
        database.execute("INSERT INTO messages (payload) VALUES (?)", (message.payload.decode(),))
    client.ack(message.mid, message.qos)
    came += 1
    if came % given.count == 0:
        client.publish(given.answer, b"done", qos=1)


def opened(_client: paho.Client, _userdata: object, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def connected(client: paho.Client, *_: object) -> None:
    client.subscribe(given.topic, given.qos)


baseline = paho.Client(CallbackAPIVersion.VERSION2, client_id="baseline " + given.topic, manual_ack=True)
baseline.username_pw_set("cloud", os.environ["BASELINE_PASSWORD"])
baseline.max_inflight_messages_set(1000)
baseline.on_socket_open = opened
baseline.on_message = received
baseline.on_connect = connected
baseline.on_subscribe = lambda *_: print("ready", flush=True)
baseline.connect("127.0.0.1", given.port)
baseline.loop_forever()
