"""Whole updates over the air, cut at every flash operation: offer, download, switch, trial, and its end; and
a configuration over the air. Prints what came of it as one JSON object.

    micropython updates.py update PLOT AGE TEAR SEED STRIDE CUTS

PLOT: a key of PLOTS. STRIDE: every how many-th operation. CUTS: 2 for a second cut soon after the first, at
an operation that SEED chooses.
"""

import binascii
import hashlib
import json
import os
import random
import sys

import vfs
from cloud import NONCE, Order, seal_message
from flash import CLEAN, Device, PowerCut
from story import used_flash
from world import DEVICE_ID, MOUNT, PULSES, Pile, World

import launcher
from pile_protocol import chunk, manifest, messages, topics
from update import (
    checks,
    configure,
    download,
    files,
    incoming,
    install,
    offer,
    overrides,
    p256,
    slots,
    trial,
    updater,
)  # fmt: skip
from update.host import Host

LAZY = (
    chunk,
    checks,
    configure,
    download,
    files,
    incoming,
    install,
    manifest,
    offer,
    updater,
)  # imported before the folder changes: a relative path of theirs would end there
OLD, NEW = 11, 12
FILES = {
    "start.mpy": b"start" * 60,
    "pile/recovery.mpy": b"recovery" * 500,
    "ratelock.mpy": b"ratelock" * 700,
}
FACTS = ("rig", (6, 3), {"max_current_ma": 35_000, "max_temperature_c": 80, "feed_ma": 0})
CYCLES_MAX = 1_500  # of one life
LIVES_MAX = 14
DARK_MS = 2_000
ON_TIME_MS, MOST_MS = 500, 3_000  # of a trial
SECRET = 0x0C0FFEE0_DEADBEEF_01234567_89ABCDEF_76543210_FEDCBA98_0BADF00D_00C0FFEE


def hash_of(data):
    return binascii.hexlify(hashlib.sha256(data).digest()).decode()


def multiply(scalar, point):
    total = p256.INFINITY
    for bit in range(p256.BITS - 1, -1, -1):
        total = p256.double(total)
        if scalar >> bit & 1:
            total = p256.add(total, point + (1,))
    z = pow(total[2], p256.P - 2, p256.P)
    return total[0] * z * z % p256.P, total[1] * z * z * z % p256.P


def sign(text):
    z = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    r = multiply(z, p256.G)[0] % p256.N
    s = pow(z, p256.N - 2, p256.N) * (z + r * SECRET) % p256.N
    return "%064x%064x" % (r, min(s, p256.N - s))


ROWS = [[name, len(FILES[name]), hash_of(FILES[name])] for name in FILES]
# MicroPython's objects have no order, and a manifest has.
MANIFEST = '{"release":%d,"version":"0.2.0","board":"rig","mpy":[6,3],"files":%s}' % (
    NEW,
    json.dumps(ROWS).replace(", ", ","),
)
SIGNATURE = sign(MANIFEST)
PUBLIC = "%064x%064x" % multiply(SECRET, p256.G)


class Plot:
    """answers: whether the cloud tells the time while the release or the configuration is on trial. order:
    one comes during the download. configuration: that is sent in place of a release.
    """

    def __init__(self, answers=True, order=False, configuration=None):
        self.answers = answers
        self.order = order
        self.configuration = configuration


PLOTS = {
    "confirmed": Plot(),
    "back": Plot(answers=False),
    "order": Plot(order=True),
    "configuration": Plot(configuration={"ntp": "ntp.example.org"}),
    "configuration-back": Plot(answers=False, configuration={"broker": {"host": "gone", "port": 1}}),
}
CONFIG = {"device_id": DEVICE_ID, "key": "00" * 32, "broker": {"host": "here", "port": 1883}}


class Story:
    """One plot on a copy of `flash`, from power-up to power-up. cuts_at: the flash operations that power cuts
    hit, each counted from 1 after the cut before.
    """

    def __init__(self, plot, flash, cuts_at=(), tear=CLEAN, seed=0):
        self.plot = plot
        self.flash = flash.copy()
        self.cuts_at = list(cuts_at)
        self.tear = tear
        self.seed = seed
        self.operations = self.cuts = self.lives = 0
        self.world = World(1, PULSES)
        self.world.durable_order = self.durable_order
        self.order = None
        self.settled = []
        self.version = 0  # of the configuration in effect, in the life that runs

    def tell(self):
        while self.lives < LIVES_MAX:
            self.lives += 1
            left = self.cuts_at[0] - self.operations if self.cuts_at else 0
            pile = Pile(self.world, self.flash, left, self.tear, self.seed)
            place = sys.path[:]
            is_over = False
            try:
                pile.mount()
                os.chdir(MOUNT)
                is_over = self.live(pile)
                self.operations += pile.device.operations
            except PowerCut:
                self.cuts += 1
                self.cuts_at.pop(0)
                self.operations = 0
            finally:
                sys.path[:] = place
                os.chdir("/")
                pile.end()
                self.world.cut(DARK_MS, False)
            if is_over:
                return self
        self.wrong("it does not end")
        return self

    def wrong(self, text):
        self.world.violated(text)

    def durable_order(self, number):
        if self.is_on_trial:
            self.wrong("the relay closed on trial")
        return self.order

    def live(self, pile):
        """One life; whether the story is over. Raises PowerCut."""
        if launcher.choose() is None:
            self.wrong("no slot is whole: the pile is lost")
            return True
        state = slots.load()
        self.is_on_trial = state.on_trial
        for slot, release in launcher.whole_slots().items():
            if release == NEW and not self.is_complete(slot):
                self.wrong("slot %s has a manifest, and is not complete" % slot)
        pile.start()
        host, found = self.host(pile, state)
        has_told = False
        for _ in range(CYCLES_MAX):
            pile.cycle()
            reason = host.step(pile.controller.clock.now_ms)
            if reason:
                if self.world.wires[0].plant.coil or pile.controller.outbox.depth:
                    self.wrong("it restarts with an order, or a settlement that nobody has")
                return False
            if not has_told and (self.plot.answers or not (state.on_trial or found.on_trial)):
                has_told = True
                self.tell_time(pile)
                self.offer(pile, state, found)
            self.exchange(pile)
            if has_told and self.is_over(pile, state, found):
                return True
        self.wrong("nothing happens any more")
        return True

    def host(self, pile, state):
        """The pile's Host, and its Overrides, as assembly.py makes them."""
        controller = pile.controller
        host = Host(controller, FACTS, lambda names: None, self.world)
        if state.on_trial:
            what = {"release": state.release}
            host.begin_trial(trial.Trial(state, what, ON_TIME_MS, MOST_MS, 100), True)
        found = overrides.Overrides()
        found.start()
        if found.on_trial:
            host.begin_trial(trial.Trial(found, {"config_version": 1}, 0, MOST_MS, 100), False)
        host.offer_waits = slots.is_offer_kept()
        return host, found

    def is_over(self, pile, state, found):
        if self.plot.configuration is not None:
            if self.plot.answers:
                return found.version == 1 and not found.on_trial
            return found.fell_back == (1, "NoCloud") or found.fell_back == (1, "Crashed")
        if self.plot.answers:
            if self.plot.order and not self.settled and not self.cuts:  # a cut may lose the order itself
                return False
            return state.release == NEW and not state.on_trial
        return state.release == OLD and state.fell_back is not None

    # -- the cloud -------------------------------------------------------------------------------------------

    def tell_time(self, pile):
        pile.controller.hello(NONCE)
        message = {"kind": "time", "device_id": DEVICE_ID, "nonce": NONCE, "at": self.world.at()}
        pile.receive(topics.TIME, seal_message(**message))

    def offer(self, pile, state, found):
        """What a cloud sends to each greeting until it has come to an end."""
        at = self.world.at()
        message = {"device_id": DEVICE_ID, "issued_at": at, "expires_at": at + 3_600}
        if self.plot.configuration is not None:
            if found.version == 0 and not found.fell_back:
                message.update({"kind": "config", "version": 1, "values": self.plot.configuration})
                pile.receive(topics.CONFIG, seal_message(**message))
        elif state.release == OLD and not state.fell_back and not slots.is_offer_kept():
            message.update({"kind": "update", "release": NEW, "signature": SIGNATURE})
            message.update({"manifest_sha256": hash_of(MANIFEST.encode()), "manifest_bytes": len(MANIFEST)})
            pile.receive(topics.UPDATE, seal_message(**message))

    def exchange(self, pile):
        controller = pile.controller
        while True:
            item = controller.mailbox.peek()
            if item is None:
                break
            controller.mailbox.done(*item)
            if item[0] == topics.UPDATE_ASK:
                self.answer(pile, item[1])
        head = controller.outbox.head()
        if head is not None:
            settlement = json.loads(head[1])
            self.settled.append(settlement["order_id"])
            ack = {"kind": "ack", "device_id": DEVICE_ID, "order_id": settlement["order_id"], "seq": head[0]}
            pile.receive(
                topics.SETTLEMENT_ACK,
                seal_message(settlement_mac=settlement["mac"], status="Stored", **ack),
            )

    def answer(self, pile, question):
        if self.plot.order and self.order is None and question["offset"]:
            self.order = Order("A-1", 1, {"duration_s": 1})
            pile.receive(topics.ORDER, self.order.send(self.world.at()))
            return  # the answer is lost
        for data in [MANIFEST.encode()] + list(FILES.values()):
            if hash_of(data) == question["file"]:
                part = data[question["offset"] : question["offset"] + question["bytes"]]
                chunk = {name: question[name] for name in ("release", "file", "offset")}
                chunk["data"] = binascii.b2a_base64(part).decode().strip()
                pile.receive(topics.UPDATE_CHUNK, messages.encode(chunk).encode())

    def is_complete(self, slot):
        try:
            for name in FILES:
                with open(slot + "/" + name, "rb") as file:
                    if file.read() != FILES[name]:
                        return False
            return True
        except OSError:
            return False


def prepare(flash):
    """A pile as deployed: a release in slot a."""
    vfs.mount(vfs.VfsLfs2(Device(flash)), MOUNT)
    os.chdir(MOUNT)
    os.mkdir("a")
    slots.write(["a", OLD, 0, 0, None])
    for name, text in (
        ("a/" + slots.MANIFEST, json.dumps({"release": OLD})),
        (slots.KEY, PUBLIC),
        ("config.json", json.dumps(CONFIG)),
    ):
        with open(name, "w") as file:
            file.write(text)
    os.chdir("/")
    vfs.umount(MOUNT)


def main(_, name, age, tear, seed, stride, cuts):
    launcher.print = lambda *_: None  # its line for the console
    flash = used_flash(int(age))
    prepare(flash)
    plot = PLOTS[name]
    figures = {"stories": 0, "cuts": 0, "remounts": 0, "lost_mwh": 0, "lost_ms": 0, "unbilled_mwh": 0}
    figures["violations"] = []
    operations = Story(plot, flash).tell().operations
    random.seed(int(seed))
    # Chosen before the first story, because the flash seeds the same generator.
    seconds = [random.randrange(1, random.choice((12, 60, 300))) for _ in range(operations + 1)]
    for k in range(1, operations + 1, int(stride)):
        cuts_at = (k, seconds[k]) if int(cuts) == 2 else (k,)
        story = Story(plot, flash, cuts_at, tear, int(seed)).tell()
        figures["stories"] += 1
        figures["cuts"] += story.cuts
        figures["remounts"] += story.lives - 1
        if len(set(story.settled)) > 1:
            story.wrong("one order has two settlements")
        figures["violations"] += [
            "cut %s at operation %d: %s" % (tear, k, text) for text in story.world.violations
        ]
    print(json.dumps(figures))


main(*sys.argv[1:])
