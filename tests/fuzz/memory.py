"""Under MicroPython: what a hundred thousand bad messages leave behind in the heap.

    micropython tests/fuzz/memory.py COUNT

They go the way that bytes from the broker go: MQTT decoder, topic, controller. Prints JSON: the bytes in use
before and after, once what is kept on purpose (the newest words for the cloud) has been taken out.
"""

import gc
import json
import sys

from run import add_paths

add_paths()

from net import mqtt_codec  # noqa: E402 - not before the paths
from pile_protocol import messages, seal, topics  # noqa: E402
from pile_protocol.errors import TopicError  # noqa: E402
from tests.fuzz.mutate import Random, damaged  # noqa: E402
from tests.portable.kit import DEVICE_ID, KEY, Pile, order  # noqa: E402

_NAMES = (topics.ORDER, topics.COMMAND, topics.TIME, topics.SETTLEMENT_ACK)
WARM_UP = 2_000


def send(pile, decoder, random, good):
    name = random.choice(_NAMES)
    bad = good
    while bad == good:
        bad = damaged(random, good)
    packet = mqtt_codec.publish(topics.topic(DEVICE_ID, name), bad, 1, False, 1 + random.below(65_535))
    at = random.below(len(packet))
    for piece in (packet[:at], packet[at:]):
        for _, publish in decoder.feed(piece):
            try:
                _, received = topics.parse(publish.topic)
            except TopicError:
                continue
            pile.receive_bytes(received, publish.payload)


def run(count):
    pile = Pile()
    decoder = mqtt_codec.Decoder()
    random = Random(count)
    good = seal.seal(messages.encode(order()), KEY)
    for _ in range(WARM_UP):
        send(pile, decoder, random, good)
    pile.said()
    gc.collect()
    before = gc.mem_alloc()
    for n in range(count):
        send(pile, decoder, random, good)
        if n % 100 == 0:
            pile.cycle()
            pile.store.log = []
        if pile.relays[1]:
            raise AssertionError("a damaged message closed the relay")
    pile.said()
    pile.store.log = []
    gc.collect()
    return {"count": count, "before": before, "after": gc.mem_alloc(), "dropped": pile.controller.dropped}


print(json.dumps(run(int(sys.argv[1]))))
