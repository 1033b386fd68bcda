"""A pile with two slots in a folder of its own, a release to fetch, and a cloud that answers what it asks."""

import binascii
import hashlib
import json
import os
import sys

from pile_protocol import chunk, manifest, messages, topics
from tests.portable.kit import AT, DEVICE_ID, KEY, Pile, sealed, with_changes
from update import checks, configure, download, incoming, install, offer, p256, slots, updater
from update.host import Host

LAZY = (
    chunk,
    checks,
    configure,
    download,
    incoming,
    install,
    manifest,
    offer,
    updater,
)  # imported before the folder changes: a relative path of theirs would end there

SECRET = 0x1F3A_5C77_0123_4567_89AB_CDEF_FEDC_BA98_7654_3210_0F1E_2D3C_4B5A_6978_8796_A5B4
BOUNDS = {"max_current_ma": 35_000, "max_temperature_c": 80, "feed_ma": 0}
RELEASE = 12
MEMBERS = ("release", "version", "board", "mpy", "files")  # of a manifest, in their order
FILES = {"start.mpy": b"start" * 100, "drivers/esp32/board.mpy": b"board" * 700, "empty.mpy": b""}


def multiply(scalar, point):
    """scalar x point, as (x, y)."""
    total = p256.INFINITY
    for bit in range(p256.BITS - 1, -1, -1):
        total = p256.double(total)
        if scalar >> bit & 1:
            total = p256.add(total, point + (1,))
    z = inverse(total[2], p256.P)
    return total[0] * z * z % p256.P, total[1] * z * z * z % p256.P


def inverse(number, modulus):
    return pow(number, modulus - 2, modulus)


def hex_of(*numbers):
    return "".join(["%064x" % number for number in numbers])


PUBLIC = hex_of(*multiply(SECRET, p256.G))


def sign(text, secret=SECRET):
    z = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    k = int.from_bytes(hashlib.sha256(text.encode() + b"k").digest(), "big") % p256.N
    r = multiply(k, p256.G)[0] % p256.N
    s = inverse(k, p256.N) * (z + r * secret) % p256.N
    return hex_of(r, min(s, p256.N - s))


def digest(data):
    return binascii.hexlify(hashlib.sha256(data).digest()).decode()


def manifest_of(files=FILES, **changes):
    rows = [[name, len(files[name]), digest(files[name])] for name in sorted(files)]
    values = {"release": RELEASE, "version": "0.2.0", "board": "board", "mpy": [6, 3], "files": rows}
    values = with_changes(values, changes)
    members = ['"%s":%s' % (name, json.dumps(values[name], separators=(",", ":"))) for name in MEMBERS]
    return "{" + ",".join(members) + "}"  # MicroPython's dict has no order


def offer_of(text=None, key=KEY, **changes):
    """A sealed offer of the release with the manifest `text`, good for an hour."""
    text = manifest_of() if text is None else text
    message = {
        "kind": "update",
        "device_id": DEVICE_ID,
        "issued_at": AT,
        "expires_at": AT + 3_600,
        "release": RELEASE,
        "manifest_sha256": digest(text.encode()),
        "manifest_bytes": len(text),
        "signature": sign(text) if "signature" not in changes else None,
    }
    return sealed(with_changes(message, changes), key)


def configuration(values, version=1, **changes):
    """A sealed configuration, good for an hour."""
    message = {
        "kind": "config",
        "device_id": DEVICE_ID,
        "issued_at": AT,
        "expires_at": AT + 3_600,
        "version": version,
        "values": values,
    }
    return sealed(with_changes(message, changes))


def configure(rig, values, version=1, **changes):
    rig.pile.receive_bytes(topics.CONFIG, configuration(values, version, **changes))
    rig.cycles(2)


class Ticks:
    """In place of the module `time`: every slice takes no time."""

    @staticmethod
    def ticks_ms():
        return 0

    @staticmethod
    def ticks_diff(later, earlier):
        return later - earlier


class Flash:
    """A folder in which slot a runs; slot b is where updates go. leave() goes back and removes it."""

    def __init__(self, state=("a", 11, 0, 0, None), release=11):
        self._before = os.getcwd()
        self.folder = "/tmp/ratelock-" + binascii.hexlify(os.urandom(8)).decode()
        os.mkdir(self.folder)
        os.chdir(self.folder)
        os.mkdir("a")
        write("a/manifest.json", json.dumps({"release": release}).encode())
        write("release.pub", PUBLIC.encode())
        write("config.json", b'{"device_id": "pile"}')
        slots.write(list(state))
        self.run("a")

    def run(self, slot):
        """The firmware runs from this slot."""
        sys.path[:] = [slot] + [each for each in sys.path if each not in slots.SLOTS]

    def leave(self):
        sys.path[:] = [each for each in sys.path if each not in slots.SLOTS]
        os.chdir(self._before)
        remove_tree(self.folder)


def remove_tree(folder):
    for name in os.listdir(folder):
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            remove_tree(path)
        else:
            os.remove(path)
    os.rmdir(folder)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def read(path):
    """The content of a file; None where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def in_flash(test):
    """Runs a test with a Rig; the folder is removed whatever happens."""

    def run():
        flash = Flash()
        try:
            test(Rig(flash))
        finally:
            flash.leave()

    return run


class Rig:
    """A pile, its Host, and a cloud: `answers` is called with each question and gives the chunks that the
    cloud sends for it.
    """

    def __init__(self, flash):
        self.flash = flash
        self.files = dict(FILES)
        self.manifest = manifest_of()
        self.answers = self.chunks
        self.questions = []
        self.told = []
        self.boot()

    def boot(self, told_at=AT):
        """Starts the pile anew; what is in flash stays."""
        if hasattr(self, "pile"):
            self.pile.on_cycle = None
            self.pile.boot(told_at)
        else:
            self.pile = Pile()
        self.host = Host(self.pile.controller, ("board", (6, 3), BOUNDS), lambda names: None, Ticks)
        self.host.offer_waits = slots.is_offer_kept()
        self.restart = None
        self.pile.on_cycle = self._after_cycle

    def cycles(self, count, passed_ms=100):
        """Control cycles; stops where the pile asks for a restart."""
        for _ in range(count):
            if self.restart:
                return
            self.pile.cycle(1, passed_ms)
            self._exchange()

    def until_restart(self, cycles=2_000):
        self.cycles(cycles)
        assert self.restart, self.told[-3:]

    def offer(self, text=None, **changes):
        self.manifest = text or manifest_of()
        self.pile.receive_bytes(topics.UPDATE, offer_of(self.manifest, **changes))
        self._exchange()

    def cancel(self, release=RELEASE, expires_at=AT + 60):
        message = {"kind": "cancel", "device_id": DEVICE_ID, "issued_at": AT - 60, "expires_at": expires_at}
        self.pile.receive_bytes(topics.UPDATE, sealed(with_changes(message, {"release": release})))

    def acknowledge(self):
        """The cloud has stored the settlement that waits."""
        _, data = self.pile.controller.outbox.head()
        self.pile.acknowledge(json.loads(data))

    def chunks(self, question):
        return [self.chunk(question)]

    def chunk(self, question, **changes):
        """The right answer to a question."""
        known = list(self.files.values()) + [self.manifest.encode()]
        (data,) = [each for each in known if digest(each) == question["file"]]
        part = data[question["offset"] : question["offset"] + question["bytes"]]
        answer = {name: question[name] for name in ("release", "file", "offset")}
        answer["data"] = binascii.b2a_base64(part).decode().strip()
        return with_changes(answer, changes)

    def states(self):
        """[(state, reason or None), ...] as told, each once where it comes several times in a row."""
        found = []
        for message in self.told:
            state = message["state"], message.get("reason")
            if found[-1:] != [state]:
                found.append(state)
        return found

    def _after_cycle(self):
        self.restart = self.restart or self.host.step(self.pile.clock.now_ms)
        if self.restart:
            self.pile.again = False  # what waits is lost

    def _exchange(self):
        mailbox = self.pile.controller.mailbox
        while True:
            item = mailbox.peek()
            if item is None:
                return
            name, message = item
            mailbox.done(name, message)
            if name == topics.UPDATE_ASK:
                self.questions.append(message)
                for chunk in self.answers(message):
                    self.pile.receive_bytes(topics.UPDATE_CHUNK, messages.encode(chunk).encode())
            elif name == topics.UPDATE_STATUS:
                messages.validate(_status_table(), message)
                self.told.append(message)


def _status_table():
    from pile_protocol import wire

    return wire.UPDATE_STATUS
