"""Bytes and erases that one order programs into littlefs: for the order itself, and for an hour of charging.

Arguments: hours. The controller runs on a RAM disk of 4 KB blocks, its clock by hand. Prints JSON.
"""

import json
import os
import sys

from control import Bench

from drivers.files import FileStore

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
bench = Bench(FileStore("/lfs/flash"))
base = device.counts()
bench.start()
begun = device.counts()
seconds = int(3600 * float(sys.argv[1]))
for _ in range(seconds):
    bench.cycle(1_000, 1_944)
charged = device.counts()
bench.connector.order.session.stop("Remote")
for _ in range(30):
    bench.cycle(100)
outbox = bench.controller.outbox
if outbox.depth != 1:
    raise ValueError("the order is not settled")
seq, sealed = outbox.head()
outbox.acknowledge(seq, sealed[-66:-2].decode())
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
