"""What the messages of topics.UPDATES lead to: an offered release, from its offer to the start of its trial,
and a configuration over the air. Imported for the first such message, and gone when there is nothing to do.

The offer is kept in flash until it is refused, cancelled, or goes on trial. So whatever interrupts the work
(an order, a restart) only has to begin it anew: the manifest is verified again, and what is whole in the slot
stays.

Each step has modules of its own, which leave the heap before the next one: beside the firmware there is room
for one step, and not for all.
"""

import binascii
import json

from pile_protocol import topics
from pile_protocol.errors import ProtocolError

from .errors import Refused
from .slots import FETCHED

PROGRESS_MS = 3_000  # between two messages about the progress


class Updater:
    """controller: pile.controller. facts: (the board's name, (version, sub-version) of the .mpy files that
    its MicroPython loads, what it bears by the name of a limit). forget: called with names of modules that
    are to leave the heap.

    release: the one that is worked on; 0 for none. restart: why the pile is to restart. is_waiting: the offer
    is to be taken up again later.
    """

    def __init__(self, controller, facts, forget):
        self.restart = None
        self.is_waiting = False
        self._controller = controller
        self._facts = facts
        self._forget = forget
        self.release = 0
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
        if name == topics.UPDATE_CHUNK:
            from pile_protocol import chunk

            message = chunk.decode(data)
            if self._download is not None:
                self._download.take(message)
            return
        message = self._decoded(name, data)
        if message["device_id"] != self._controller.device_id:
            raise ProtocolError("a message for " + message["device_id"])
        if name == topics.CONFIG:
            self._configure(message)
        elif message["kind"] == "cancel":
            at = self._controller.clock.cloud_at()
            if at is None or at >= message["expires_at"]:
                return  # it comes too late, or anew
            if message["release"] == self.release or not self.release and self._is_kept(message):
                self.release = message["release"]
                self._end("Cancelled")
        elif message["release"] == self.release:
            if self._download is not None:
                self._download.hurry()
        else:
            self._take_offer(message)

    def resume(self):
        """Goes on with the offer that is kept in flash."""
        message = self._kept()
        if message is None:
            self._offer().remove()
        else:
            self.release = message["release"]
            self._begin()

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

    def _offer(self):
        """The module, until _forget_offer()."""
        from . import offer

        return offer

    def _forget_offer(self):
        self._forget(("update.offer", "update.slots"))

    def _decoded(self, name, data):
        from pile_protocol import updates

        try:
            return updates.decode(name, data)
        finally:
            self._forget(("pile_protocol.updates",))

    def _kept(self):
        """The offer in flash; None where there is none that can be used."""
        message = self._offer().kept()
        self._forget_offer()
        return message

    def _is_kept(self, message):
        kept = self._kept()
        return kept is not None and kept["release"] == message["release"]

    def _take_offer(self, message):
        try:
            self._offer().keep(message, self._controller.clock.cloud_at())
        except Refused as refused:  # what is under way goes on
            answer = {"release": message["release"], "state": "Refused", "reason": refused.reason}
            self._controller.mailbox.newest("refused", topics.UPDATE_STATUS, answer)
            self._forget_offer()
            return
        self._stop()
        self._forget_offer()
        self.release = message["release"]
        self._begin()

    def _begin(self):
        reason = self._controller.reason_busy()
        if reason is None:
            self._job = self._work()
        else:
            self._wait(reason)

    def _work(self):
        """A generator: all of the work, in slices; yields whether there is more to do at once."""
        message = self._needed()
        self._offer().check(message)
        self._tell("Verifying")
        key = self._offer().release_key()
        self._forget_offer()
        signature = message["signature"]
        digest = message["manifest_sha256"]
        yield from self._verify(key, digest, signature)
        from .download import Download
        from .files import SlotFiles, row

        download = Download(self.release, self._controller.clock, self._ask)
        self._download = download
        yield from download.fetch(SlotFiles("."), FETCHED, message["manifest_bytes"], digest)
        del message
        need_bytes = self._read_manifest()
        yield True
        slot = self._offer().prepare(signature, need_bytes)
        self._forget_offer()
        download.done_bytes = number = 0
        while True:
            file = row(number)
            if file is None:
                break
            yield from download.fetch(slot, *file)
            number += 1
        self._download = download = None
        self._forget(("update.download", "update.files", "pile_protocol.chunk"))
        self._tell("Verifying")
        while not self._controller.inbox.is_empty:
            yield False
        self._offer().switch(self.release)
        self.restart = "release %d goes on trial" % self.release

    def _needed(self):
        message = self._kept()
        if message is None:
            raise Refused("StorageFailure")
        return message

    def _verify(self, key, digest, signature):
        """Raises Refused unless the manifest with this SHA-256 is signed with the release key."""
        from .p256 import Verification, public_key

        try:
            point = public_key(key)
        except ValueError:
            raise Refused("BadSignature")
        verification = Verification(point, binascii.unhexlify(digest), signature)
        while True:
            result = verification.step()
            if result is not None:
                break
            yield True
        self._forget(("update.p256",))
        if not result:
            raise Refused("BadSignature")

    def _read_manifest(self):
        """Checks the fetched manifest. Returns the bytes of flash that its files take. Raises Refused, OSError."""
        from pile_protocol import manifest

        from .files import blocks_bytes

        try:
            with open(FETCHED) as file:
                found = manifest.checked(json.load(file))
        except (ValueError, ProtocolError):
            raise Refused("BadManifest")
        self._forget(("pile_protocol.manifest",))
        if found.release != self.release:
            raise Refused("BadManifest")
        if found.board != self._facts[0]:
            raise Refused("WrongBoard")
        if found.mpy != self._facts[1]:
            raise Refused("WrongMpy")
        self._total_bytes = found.total_bytes
        return sum([blocks_bytes(file[1]) for file in found.files])

    def _ask(self, question):
        self._controller.mailbox.newest(topics.UPDATE_ASK, topics.UPDATE_ASK, question)

    # -- a configuration -------------------------------------------------------------------------------------

    def _configure(self, message):
        from .configure import take

        version = message["version"]
        reason = take(message, self._controller, self._facts[2])
        if reason is None:
            self.restart = "configuration %d goes on trial" % version
            return
        answer = {"config_version": version, "state": "Refused", "reason": reason}
        self._controller.mailbox.newest("refused", topics.UPDATE_STATUS, answer)

    # -- the end ---------------------------------------------------------------------------------------------

    def _wait(self, reason):
        """Stops; the offer stays in flash."""
        self._stop()
        self._tell("Waiting", reason)
        self.is_waiting = True

    def _end(self, state, reason=None):
        """Stops for good."""
        self._stop()
        self._offer().remove()
        self._tell(state, reason)
        self.release = 0

    def _stop(self):
        if self._job is not None:
            self._job.close()
        self._job = self._download = None
        self._total_bytes = 0

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
        message = {"release": self.release, "state": state}
        if reason:
            message["reason"] = reason
        if self._download is not None and self._total_bytes:
            message["done_bytes"] = self._download.done_bytes
            message["total_bytes"] = self._total_bytes
        self._controller.mailbox.newest("release", topics.UPDATE_STATUS, message)
