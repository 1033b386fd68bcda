"""Bytes and erases that one order programs into littlefs: for the order itself, and for an hour of charging.

Arguments: hours. The controller runs on a RAM disk of 4 KB blocks, its clock by hand. Prints JSON.
"""

import json
import os
import sys

from control import KEY, NOW_AT, order

from drivers.files import FileStore
from pile.clock import CLOUD, Clock
from pile.controller import Controller
from pile.readings import Readings
from pile.safety import Limits

BLOCK_BYTES = 4096
BLOCKS = 256


class Counting:
    """A block device that counts the operations of littlefs."""

    def __init__(self):
        self._data = bytearray(BLOCKS * BLOCK_BYTES)
        self.programmed_bytes = 0
        self.erases = 0

    def readblocks(self, number, buffer, offset=0):
        begin = number * BLOCK_BYTES + offset
        for i in range(len(buffer)):
            buffer[i] = self._data[begin + i]

    def writeblocks(self, number, buffer, offset=None):
        begin = number * BLOCK_BYTES + (offset or 0)
        self._data[begin : begin + len(buffer)] = buffer
        self.programmed_bytes += len(buffer)

    def ioctl(self, operation, argument):
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self.erases += 1
        return 0

    def counts(self):
        return self.programmed_bytes, self.erases


device = Counting()
os.VfsLfs2.mkfs(device)
os.mount(os.VfsLfs2(device), "/lfs")
store = FileStore("/lfs/flash")
readings = Readings()
readings.register_mwh = 0
clock = Clock(0)
clock.tell(NOW_AT, CLOUD)
controller = Controller("BENCH-1", KEY, store, clock, [(readings, Limits())], "bench")
base = device.counts()
ticks_ms = 0


def cycle(passed_ms):
    global ticks_ms
    ticks_ms += passed_ms
    now_ms = clock.tick(ticks_ms)
    controller.step(now_ms)
    readings.relay_closed = controller.connectors[0].commanded
    controller.record(now_ms)


cycle(100)
controller.receive("order", order())
cycle(100)
cycle(100)
readings.power_mw = 7_000_000
begun = device.counts()
seconds = int(3600 * float(sys.argv[1]))
for _ in range(seconds):
    readings.register_mwh += 1_944
    cycle(1_000)
charged = device.counts()
controller.connectors[0].session.stop("Remote")
for _ in range(30):
    cycle(100)
if controller.outbox.depth != 1:
    raise ValueError("the order is not settled")
seq, sealed = controller.outbox.head()
controller.outbox.acknowledge(seq, sealed[-66:-2].decode())
ended = device.counts()
hours = seconds / 3600
print(
    json.dumps(
        {
            "order_bytes": begun[0] - base[0] + ended[0] - charged[0],
            "order_erases": begun[1] - base[1] + ended[1] - charged[1],
            "hour_bytes": (charged[0] - begun[0]) / hours,
            "hour_erases": (charged[1] - begun[1]) / hours,
        }
    )
)
