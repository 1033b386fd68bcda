"""How fast charging wears the flash out; prints one JSON object.

micropython wear.py charge HOURS        the whole controller, ten cycles a second
micropython wear.py checkpoints HOURS   only the checkpoint of every second, which is nearly all of the wear:
                                        long enough to see how evenly littlefs spreads it
"""

import json
import sys

import vfs
from cloud import Cloud, Order
from flash import Device
from story import used_flash
from world import BASE_AT, MOUNT, Pile, World

from drivers.files import FileStore
from pile.journal import Journal

HOUR_MS = 3_600_000


def charge(flash, hours):
    """One order with a price change every hour."""
    world = World()
    world.wires[0].plant.battery_wh = 10**9
    order = Order("A-1", 1, {"duration_s": 86_400}, step_s=[-100] + [i * 3_600 for i in range(1, 25)])
    cloud = Cloud(world, [order])
    world.durable_order = lambda number: order
    pile = Pile(world, flash)
    pile.boot()
    cloud.connected()
    while world.now_ms < hours * HOUR_MS:
        pile.cycle()
        cloud.cycle(pile)
    if order.state != "Charging":
        raise SystemExit("the order is %s" % order.state)


def checkpoints(flash, hours):
    vfs.mount(vfs.VfsLfs2(Device(flash)), MOUNT)
    journal = Journal(FileStore(MOUNT + "/flash"))
    for i in range(hours * 3_600):
        journal.keep_reading(1, "20250615-0001-A", BASE_AT + i, i * 1_944)


def main(how, hours):
    flash = used_flash(1)
    flash.erases = [0] * len(flash.erases)
    (charge if how == "charge" else checkpoints)(flash, int(hours))
    print(json.dumps({"hours": int(hours), "erases": sum(flash.erases), "worst": max(flash.erases)}))


main(*sys.argv[1:])
