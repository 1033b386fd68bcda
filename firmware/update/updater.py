"""What the messages of topics.UPDATES lead to: an offered release, from its offer to the start of its trial,
and a configuration over the air. Imported for the first such message, and gone when there is nothing to do.

The offer is kept in flash, in slots.OFFER, until it is refused, cancelled, or goes on trial. So whatever
interrupts the work (an order, a restart) only has to begin it anew: the manifest is verified again, and what
is whole in the slot stays.
"""

import hashlib
import os

from pile.admission import FREE_BYTES_MIN
from pile_protocol import manifest, topics, updates
from pile_protocol.errors import ProtocolError

from . import slots
from .download import Download
from .errors import Refused
from .files import SlotFiles, blocks_bytes

SPARE_BYTES = 32_768  # flash for folders, the manifest, and what is written anew
PROGRESS_MS = 3_000  # between two messages about the progress


class Updater:
    """controller: pile.controller. facts: (the board's name, (version, sub-version) of the .mpy files that
    its MicroPython loads, what it bears by the name of a limit). forget: called with names of modules that are
    to leave the heap.

    restart: why the pile is to restart, as soon as it is not busy. is_waiting: the offer is to be taken up
    again later.
    """

    def __init__(self, controller, facts, forget):
        self.restart = None
        self.is_waiting = False
        self._controller = controller
        self._facts = facts
        self._forget = forget
        self._state = slots.load()
        self._release = 0  # that is worked on; 0 for none
        self._job = None
        self._download = None
        self._total_bytes = 0
        self._told = None  # the last message about the release
        self._told_ms = 0

    @property
    def is_idle(self):
        return self._job is None

    def take(self, name, data):
        """A message of topics.UPDATES; its seal is good. Raises ProtocolError, OSError."""
        message = updates.decode(name, data)
        if name == topics.UPDATE_CHUNK:
            if self._download is not None:
                self._download.take(message)
            return
        if message["device_id"] != self._controller.device_id:
            raise ProtocolError("a message for " + message["device_id"])
        if name == topics.CONFIG:
            self._configure(message)
        elif message["kind"] == "cancel":
            if message["release"] == self._release or not self._release and self._is_kept(message):
                self._release = message["release"]
                self._end("Cancelled")
        elif message["release"] == self._release:
            if self._download is not None:
                self._download.hurry()
        else:
            self._take_offer(message, data)

    def resume(self):
        """Goes on with the offer that is kept in flash."""
        message = _kept_offer()
        if message is None:
            _remove_offer()
        else:
            self._begin(message)

    def step(self):
        """One slice of the work. Returns whether there is more to do at once."""
        if self._job is None:
            return False
        reason = self._controller.reason_busy()
        if reason is not None:
            self._wait(reason)
            return False
        try:
            again = next(self._job)
            self._tell_progress()
            return again
        except StopIteration:
            self._job = None
        except Refused as refused:
            self._end("Refused", refused.reason)
        except OSError:
            self._end("Refused", "StorageFailure")
        return False

    # -- an offered release ----------------------------------------------------------------------------------

    def _take_offer(self, message, data):
        self._stop()
        self._release = message["release"]
        at = self._controller.clock.cloud_at()
        try:
            if at is None or at >= message["expires_at"]:
                raise Refused("Expired")
            self._check(message)
            slots.replace(slots.OFFER, data)
        except Refused as refused:
            self._tell("Refused", refused.reason)
            self._release = 0
            return
        self._begin(message)

    def _check(self, message):
        """Raises Refused where the release must not run here, whatever is in its files."""
        state = self._state
        release = message["release"]
        if "manifest" not in message or "signature" not in message:
            raise Refused("BadManifest")
        if state.slot is None:
            raise Refused("NoSlots")
        if state.on_trial:
            raise Refused("OnTrial")
        if release == state.release:
            raise Refused("AlreadyRuns")
        if release < state.confirmed:
            raise Refused("BelowConfirmed")
        if state.fell_back and state.fell_back[0] == release and not message.get("again"):
            raise Refused("FellBackBefore")

    def _begin(self, message):
        self._release = message["release"]
        reason = self._controller.reason_busy()
        if reason is None:
            self._job = self._work(message)
        else:
            self._wait(reason)

    def _work(self, message):
        """A generator: all of the work, in slices; yields whether there is more to do at once."""
        self._check(message)
        self._tell("Verifying")
        signature = message["signature"]
        text = message["manifest"]
        del message
        yield from self._verify(text, signature)
        try:
            found = manifest.parse(text)
        except ProtocolError:
            raise Refused("BadManifest")
        del text
        self._check_manifest(found)
        yield True
        self._prepare(found, signature)
        self._total_bytes = found.total_bytes
        self._download = Download(found, SlotFiles(self._state.other), self._controller.clock, self._ask)
        yield from self._download.run()
        del found
        self._download = None
        self._tell("Verifying")
        while not self._controller.inbox.is_empty:
            yield False
        self._switch()

    def _verify(self, text, signature):
        """Raises Refused unless `text` is signed with the release key."""
        from .p256 import Verification, public_key

        try:
            key = public_key(slots.release_key() or "")
        except ValueError:
            raise Refused("BadSignature")
        verification = Verification(key, hashlib.sha256(text.encode()).digest(), signature)
        while True:
            result = verification.step()
            if result is not None:
                break
            yield True
        self._forget(("update.p256",))
        if not result:
            raise Refused("BadSignature")

    def _check_manifest(self, found):
        if found.release != self._release:
            raise Refused("BadManifest")
        if found.board != self._facts[0]:
            raise Refused("WrongBoard")
        if found.mpy != self._facts[1]:
            raise Refused("WrongMpy")

    def _prepare(self, found, signature):
        """Leaves in the other slot what belongs to this very manifest, and checks that the rest has room."""
        other = self._state.other
        files = SlotFiles(other)
        try:
            with files.open(slots.SIGNATURE) as file:
                is_begun = file.read() == signature.encode()
        except OSError:
            is_begun = False
        if is_begun:
            files.remove(slots.MANIFEST)
            return
        need_bytes = SPARE_BYTES + sum([blocks_bytes(size) for _, size, _ in found.files])
        if files.room_bytes() < need_bytes + FREE_BYTES_MIN:
            raise Refused("FlashFull")
        slots.empty(other)
        files.append(slots.SIGNATURE, signature.encode())

    def _switch(self):
        """The slot is whole; the next start is its trial."""
        message = _kept_offer()
        if message is None:
            raise Refused("StorageFailure")
        slots.finish(self._state.other, message["manifest"], message["signature"])
        _remove_offer()
        self._state.begin_trial(self._release)
        self.restart = "release %d goes on trial" % self._release

    def _ask(self, question):
        self._controller.mailbox.newest(topics.UPDATE_ASK, topics.UPDATE_ASK, question)

    # -- a configuration -------------------------------------------------------------------------------------

    def _configure(self, message):
        from .configure import take

        answer = {"config_version": message["version"], "state": "Refused"}
        try:
            take(message, self._controller, self._state, self._facts[2])
            self.restart = "configuration %d goes on trial" % message["version"]
            return
        except Refused as refused:
            answer["reason"] = refused.reason
        except OSError:
            answer["reason"] = "StorageFailure"
        self._controller.mailbox.newest("config_version", topics.UPDATE_STATUS, answer)

    # -- the end ---------------------------------------------------------------------------------------------

    def _wait(self, reason):
        """Stops; the offer stays in flash."""
        self._stop()
        self._tell("Waiting", reason)
        self.is_waiting = True

    def _end(self, state, reason=None):
        """Stops for good."""
        self._stop()
        _remove_offer()
        self._tell(state, reason)
        self._release = 0

    def _stop(self):
        if self._job is not None:
            self._job.close()
        self._job = self._download = None

    def _is_kept(self, message):
        kept = _kept_offer()
        return kept is not None and kept["release"] == message["release"]

    # -- what the cloud is told ------------------------------------------------------------------------------

    def _tell_progress(self):
        download = self._download
        if download is None:
            return
        state = ("Downloading", None) if download.is_answered else ("Waiting", "Unanswered")
        if state != self._told or self._controller.clock.now_ms - self._told_ms >= PROGRESS_MS:
            self._tell(*state)

    def _tell(self, state, reason=None):
        self._told = (state, reason)
        self._told_ms = self._controller.clock.now_ms
        message = {"release": self._release, "state": state}
        if reason:
            message["reason"] = reason
        if self._download is not None:
            message["done_bytes"] = self._download.done_bytes
            message["total_bytes"] = self._total_bytes
        self._controller.mailbox.newest("release", topics.UPDATE_STATUS, message)


def _kept_offer():
    """The message in flash; None where there is none that can be used."""
    try:
        with open(slots.OFFER, "rb") as file:
            return updates.decode(topics.UPDATE, file.read())
    except (OSError, ProtocolError):
        return None


def _remove_offer():
    try:
        os.remove(slots.OFFER)
    except OSError:
        pass  # it is not there
