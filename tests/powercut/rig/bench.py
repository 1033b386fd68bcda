"""One pile on the rig, driven by hand: what the checks of check_*.py share."""

import json

import vfs
from cloud import NONCE, Order, seal_message
from flash import Device
from story import used_flash
from world import DEVICE_ID, KEY, MOUNT, PULSES, Pile, World

from pile_protocol import seal, topics

CAR_S = 10  # how long the checks let an order run


class Bench:
    """flash survives cut(); `pile` is the life that runs now. One bench at a time: a new one unmounts the
    last.
    """

    _last = None

    def __init__(self, connectors=1, kind=PULSES):
        if Bench._last is not None:
            Bench._last.pile.end()
        Bench._last = self
        self.world = World(connectors, kind)
        self.world.durable_order = lambda number: None
        self.world.violated = lambda text: None  # story.py is for promises; a check asks for what it is about
        self.flash = used_flash(1)
        self.orders = {}
        self.boot()

    # -- power ----------------------------------------------------------------------------------------------

    def boot(self, clock=True, rtc=False):
        self.pile = Pile(self.world, self.flash, rtc=rtc)
        self.pile.boot()
        self.controller = self.pile.controller
        self.cycle(3)
        if clock:
            self.tell_time()

    def cut(self, dark_ms=20_000, unplug=False):
        self.pile.end()
        self.world.cut(dark_ms, unplug)

    def reboot(self, **options):
        self.cut()
        self.boot(**options)

    def files(self):
        """A mount of what is in flash; only while the pile is off."""
        return vfs.VfsLfs2(Device(self.flash))

    def damage(self, name, content):
        """Replaces a file's content while the pile is off."""
        files = self.files()
        with files.open("/flash/" + name, "wb") as file:
            file.write(content)

    # -- messages -------------------------------------------------------------------------------------------

    def tell_time(self):
        """The cloud's answer to a greeting, and a cycle in which an order that goes on becomes durable."""
        self.controller.hello(NONCE)
        self.receive(topics.TIME, kind="time", nonce=NONCE, at=self.world.at())
        self.cycle()

    def receive(self, name, **message):
        self.pile.receive(name, seal_message(device_id=DEVICE_ID, **message))

    def order(self, order_id, connector=1, **limits):
        limits.setdefault("duration_s", 3_600)
        self.orders[order_id] = order = Order(order_id, connector, limits)
        self.send(order_id)
        return order

    def send(self, order_id):
        self.pile.receive(topics.ORDER, self.orders[order_id].send(self.world.at()))

    def stop(self, order_id):
        self.command("stop", order_id=order_id)

    def reset(self, connector=1):
        self.command("reset", connector=connector)

    def command(self, action, **values):
        at = self.world.at()
        self.receive(
            topics.COMMAND, kind="command", action=action, issued_at=at, expires_at=at + 60, **values
        )

    def acknowledge(self):
        """The cloud stores the oldest settlement. Returns it, or None where none waits."""
        head = self.controller.outbox.head()
        if head is None:
            return None
        seal.check(head[1], KEY)
        settlement = json.loads(head[1])
        self.receive(
            topics.SETTLEMENT_ACK,
            kind="ack",
            order_id=settlement["order_id"],
            seq=head[0],
            settlement_mac=settlement["mac"],
            status="Stored",
        )
        return settlement

    def acknowledge_all(self):
        """[settlement, ...] in the order they were sent."""
        settlements = []
        while True:
            settlement = self.acknowledge()
            if settlement is None:
                return settlements
            settlements.append(settlement)

    # -- what happens ---------------------------------------------------------------------------------------

    def cycle(self, count=1):
        for _ in range(count):
            self.pile.cycle()

    def seconds(self, count):
        self.cycle(10 * count)

    def charged(self, order_id):
        """An order from its acceptance to its settlement, which waits in the outbox."""
        self.order(order_id)
        self.seconds(CAR_S)
        self.stop(order_id)
        self.seconds(2)

    def closed(self, number=1):
        return self.world.wires[number - 1].plant.coil

    def delivered_mwh(self, number=1):
        return self.world.wires[number - 1].plant.delivered_mwh

    def said(self):
        """[(order_id, state, reason), ...] since this was last asked."""
        mailbox = self.controller.mailbox
        said = []
        while True:
            item = mailbox.peek()
            if item is None:
                return said
            mailbox.done(*item)
            if item[0] == topics.ORDER_STATUS:
                said.append((item[1]["order_id"], item[1]["state"], item[1]["reason"]))

    def status(self):
        return self.controller.status({})

    def works(self, order_id):
        """Whether a new order runs and is settled."""
        self.charged(order_id)
        return self.acknowledge_all()[-1]["order_id"] == order_id


def fill(folder=MOUNT):
    """Fills the mounted file system to the last block. Returns the file to remove again."""
    path = folder + "/junk"
    block = bytes(4096)
    try:
        while True:
            with open(path, "ab") as file:
                file.write(block)
    except OSError:
        return path
