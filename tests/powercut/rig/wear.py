"""How fast charging wears the flash out; prints one JSON object.

micropython wear.py charge HOURS        the whole controller, ten cycles a second
micropython wear.py timed HOURS         the same at a rate with a price of time and power tiers
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
STEP_S = [-100] + [i * 3_600 for i in range(1, 25)]


def charge(flash, hours, **rate):
    """One order with a price change every hour."""
    world = World(uneven=bool(rate))
    world.wires[0].plant.battery_wh = 10**9
    order = Order("A-1", 1, {"duration_s": 86_400}, step_s=STEP_S, rate=rate)
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


def timed(flash, hours):
    charge(
        flash,
        hours,
        time_prices=[1_000_000] * len(STEP_S),
        tiers=[[i * 2_000_000, i * 1_000_000] for i in (1, 2, 3, 4)],
    )


def checkpoints(flash, hours):
    vfs.mount(vfs.VfsLfs2(Device(flash)), MOUNT)
    journal = Journal(FileStore(MOUNT + "/flash"))
    for i in range(hours * 3_600):
        journal.keep_reading(1, "20250615-0001-A", BASE_AT + i, i * 1_944)


def main(how, hours):
    flash = used_flash(1)
    flash.erases = [0] * len(flash.erases)
    {"charge": charge, "timed": timed, "checkpoints": checkpoints}[how](flash, int(hours))
    print(json.dumps({"hours": int(hours), "erases": sum(flash.erases), "worst": max(flash.erases)}))


main(*sys.argv[1:])
