"""Handles the messages of topics.UPDATES: a release from its offer to the start of its trial, and a
configuration over the air. Imported for the first such message, and removed from the heap when there is
nothing to do.

The offer is kept in flash until it is refused, cancelled, or goes on trial. After an interruption (an order,
a restart) the work begins again from the offer: the manifest is verified again, and the complete files in the
slot are kept.

Each step has its own modules, which are removed from the heap before the next step, because the heap has room
for the firmware and one step only.
"""

import binascii
import json

from pile_protocol import topics

from .slots import FETCHED, ROWS

PROGRESS_MS = 3_000  # between two messages about the progress


class Refused(Exception):
    """The pile refuses an offered release or a configuration. `reason` is one of wire.UPDATE_REASONS."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class Updater:
    """controller: pile.controller. facts: (the board's name, (version, sub-version) of the .mpy files that
    its MicroPython loads, the board's limits by name). forget: called with the names of modules to remove
    from the heap.

    release: the release under way; 0 for none. manifest_bytes: of its offer. restart: the reason of a
    restart, or None. is_waiting: whether to continue with the offer later.
    """

    def __init__(self, controller, facts, forget):
        self.restart = None
        self.is_waiting = False
        self._controller = controller
        self._facts = facts
        self._forget = forget
        self.release = 0
        self.manifest_bytes = 0
        self._job = None
        self._download = None
        self._total_bytes = 0
        self._told = None  # (state, reason) of the last message about the release
        self._told_ms = 0

    @property
    def is_idle(self):
        return self._job is None

    def take(self, name, data):
        """Handles a message of topics.UPDATES whose seal is valid. Raises ProtocolError, OSError."""
        if name == topics.UPDATE_CHUNK:
            from pile_protocol import chunk

            message = chunk.decode(data)
            if self._download is not None:
                self._download.take(message)
            return
        from pile_protocol import updates

        try:
            message = updates.decode(name, data)
        finally:
            del updates
            self._forget(("pile_protocol.updates",))
        from . import incoming

        try:
            incoming.take(self, self._controller, self._facts[2], name, message)
        finally:
            self._forget(("update.incoming", "update.configure"))
            self._forget_offer()

    def resume(self):
        """Continues with the offer in flash."""
        offer = self._offer()
        message = offer.kept()
        if message is None:
            offer.remove()
        else:
            self.begin(message["release"])
        self._forget_offer()

    def begin(self, release):
        """Begins with the offer in flash, which is of this release. Stops the release under way."""
        self._stop()
        self.release = release
        reason = self._controller.reason_busy()
        if reason is None:
            self._job = self._work()
        else:
            self._wait(reason)

    def hurry(self):
        """Repeats an open request at once, because the cloud can be reached."""
        if self._download is not None:
            self._download.hurry()

    def end(self, state, reason=None):
        """Stops for good."""
        self._stop()
        self._offer().remove()
        self._forget_offer()
        self._tell(state, reason)
        self.release = 0

    def step(self):
        """Does one slice of the work. Returns whether the next one can follow at once."""
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
            self.end("Refused", refused.reason)
        except OSError:
            self.end("Refused", "StorageFailure")
        return False

    # -- an offered release ----------------------------------------------------------------------------------

    def _offer(self):
        """Imports the module; _forget_offer() removes it from the heap."""
        from . import offer

        return offer

    def _forget_offer(self):
        self._forget(("update.offer", "update.slots"))

    def _work(self):
        """A generator: does all of the work in slices; yields whether the next one can follow at once."""
        offer = self._offer()
        message = offer.kept()
        if message is None:
            raise Refused("StorageFailure")
        offer.check(message)
        self._tell("Verifying")
        key = offer.release_key()
        del offer
        self._forget_offer()
        self.manifest_bytes = message["manifest_bytes"]
        digest = message["manifest_sha256"]
        signature = message["signature"]
        from . import p256

        is_valid = False
        try:
            for is_valid in p256.verification(p256.public_key(key), binascii.unhexlify(digest), signature):
                yield is_valid is None
        except ValueError:  # the key of this pile is damaged
            pass
        if not is_valid:
            raise Refused("BadSignature")
        del key, p256
        self._forget(("update.p256",))
        from .files import SlotFiles

        yield from self._fetch(SlotFiles("."), ((FETCHED, message["manifest_bytes"], digest),))
        del message, digest, SlotFiles
        self._forget(("update.files",))
        from .checks import read_manifest

        total_bytes, need_bytes = yield from read_manifest(self.release, self._facts[0], self._facts[1])
        del read_manifest
        self._forget(("update.checks", "pile_protocol.manifest"))
        yield True
        from .install import prepare

        slot = prepare(signature, need_bytes)
        del prepare, signature
        self._forget(("update.install", "update.slots"))
        self._total_bytes = total_bytes
        with open(ROWS) as rows:
            yield from self._fetch(slot, map(json.loads, rows))
        self._tell("Verifying")
        while not self._controller.inbox.is_empty:
            yield False
        from .install import switch

        switch(self.release)
        self.restart = "release %d goes on trial" % self.release

    def _fetch(self, slot, files):
        """A generator: fetches files, given as (name, bytes, SHA-256 in hex)."""
        from .download import Download

        download = Download(self.release, self._controller.clock, self._ask)
        self._download = download
        for name, size, sha256 in files:
            yield from download.fetch(slot, name, size, sha256)
        self._download = None
        self._forget(("update.download", "update.files", "pile_protocol.chunk"))

    def _ask(self, question):
        self._controller.mailbox.newest(topics.UPDATE_ASK, topics.UPDATE_ASK, question)

    # -- the end ---------------------------------------------------------------------------------------------

    def _wait(self, reason):
        """Stops; the offer stays in flash."""
        self._stop()
        self._tell("Waiting", reason)
        self.is_waiting = True

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
        if download.is_answered and not self._total_bytes:
            return  # the manifest is not fetched yet, so the size is not known
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
