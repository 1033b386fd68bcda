"""Runs the firmware's MQTT client under MicroPython in a test's hands:

    micropython driver.py '{"port": 1883, "keepalive_s": 1, ...}'

Options: port, packet_id (the last one used), full_heaps (how many connections the heap has no room for), and
any of mqtt.Options. JSON lines on stdin are what to do:
{"publish": topic, "payload": text, "qos": 0 or 1} and {"subscribe": [topics]}; each is answered by
{"event": "done"} or {"event": "failed"} with its number, in the order they end. Everything else that happens
is a JSON line on stdout too.
"""

# pyright: reportAttributeAccessIssue=false
# (MicroPython's asyncio has more than CPython's)
import asyncio
import json
import select
import sys

from net import mqtt
from net.errors import LinkError
from net.transport import open_stream

POLL_MS = 5


def tell(event, **values):
    values["event"] = event
    print(json.dumps(values))


def on_change(error):
    if error is None:
        tell("up")
    else:
        tell("down", kind=type(error).__name__, error=str(error))


def on_message(publish):
    payload = publish.payload
    tell(
        "message",
        topic=publish.topic,
        size=publish.size,
        payload=None if payload is None else payload[:20].decode(),
        qos=publish.qos,
    )


async def act(client, number, command):
    try:
        if "publish" in command:
            await client.publish(command["publish"], command["payload"].encode(), command["qos"])
        else:
            await client.subscribe(command["subscribe"])
    except LinkError as error:
        tell("failed", number=number, kind=type(error).__name__, error=str(error))
    else:
        tell("done", number=number)


async def obey(client):
    poller = select.poll()
    poller.register(sys.stdin, select.POLLIN)
    number = 0
    while True:
        while poller.poll(0):
            line = sys.stdin.readline()
            if not line:
                return
            asyncio.create_task(act(client, number, json.loads(line)))  # noqa: RUF006 - the loop holds it here
            number += 1
            await asyncio.sleep_ms(0)
        await asyncio.sleep_ms(POLL_MS)


async def main(settings):
    port = settings.pop("port")
    packet_id = settings.pop("packet_id", 0)
    full_heaps = settings.pop("full_heaps", 0)
    options = mqtt.Options("driver", "driver", "secret", ("will/topic", "gone"), **settings)

    async def connect():
        nonlocal full_heaps
        if full_heaps:
            full_heaps -= 1
            raise MemoryError
        return await open_stream("127.0.0.1", port)

    client = mqtt.Client(options, connect, on_message, on_change)
    client._packet_id = packet_id  # 65,535 real messages would take too long
    asyncio.create_task(client.run())  # noqa: RUF006
    await obey(client)


asyncio.run(main(json.loads(sys.argv[1])))
