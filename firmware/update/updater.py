"""What the messages of topics.UPDATES lead to: an offered release, from its offer to the start of its trial,
and a configuration over the air. Imported for the first such message, and gone when there is nothing to do.

The offer is kept in flash until it is refused, cancelled, or goes on trial. So whatever interrupts the work
(an order, a restart) only has to begin it anew: the manifest is verified again, and what is whole in the slot
stays.

Each step has modules of its own, which leave the heap before the next one: beside the firmware there is room
for one step, and not for all.
"""

import hashlib

from pile_protocol import topics
from pile_protocol.errors import ProtocolError

from .errors import Refused

PROGRESS_MS = 3_000  # between two messages about the progress
HASH_CHARACTERS = 256  # of the manifest at a time


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
            self._take_offer(message, data)

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
        """The message in flash; None where there is none that can be used."""
        data = self._offer().kept()
        self._forget_offer()
        try:
            return None if data is None else self._decoded(topics.UPDATE, data)
        except ProtocolError:
            return None

    def _is_kept(self, message):
        kept = self._kept()
        return kept is not None and kept["release"] == message["release"]

    def _take_offer(self, message, data):
        try:
            self._offer().keep(message, data, self._controller.clock.cloud_at())
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
        text, signature = message["manifest"], message["signature"]
        del message
        key = self._offer().release_key()
        self._forget_offer()
        yield from self._verify(key, text, signature)
        files = self._parse(text)
        del text
        yield True
        slot = self._offer().prepare(files, signature)
        self._forget_offer()
        yield True
        yield from self._fetch(files, slot)
        del files, slot
        self._forget(("update.download", "update.files", "pile_protocol.chunk"))
        self._tell("Verifying")
        while not self._controller.inbox.is_empty:
            yield False
        message = self._needed()
        self._offer().switch(message)
        self.restart = "release %d goes on trial" % self.release

    def _needed(self):
        message = self._kept()
        if message is None:
            raise Refused("StorageFailure")
        return message

    def _verify(self, key, text, signature):
        """Raises Refused unless `text` is signed with the release key."""
        digest = hashlib.sha256()
        for begin in range(0, len(text), HASH_CHARACTERS):  # a copy of all of it may not find its place
            digest.update(text[begin : begin + HASH_CHARACTERS].encode())
        digest = digest.digest()
        from .p256 import Verification, public_key

        try:
            point = public_key(key)
        except ValueError:
            raise Refused("BadSignature")
        verification = Verification(point, digest, signature)
        while True:
            result = verification.step()
            if result is not None:
                break
            yield True
        self._forget(("update.p256",))
        if not result:
            raise Refused("BadSignature")

    def _parse(self, text):
        """The files of the manifest, for files.rows(). Raises Refused."""
        from pile_protocol import manifest

        try:
            found = manifest.parse(text)
        except ProtocolError:
            raise Refused("BadManifest")
        self._forget(("pile_protocol.manifest",))
        if found.release != self.release:
            raise Refused("BadManifest")
        if found.board != self._facts[0]:
            raise Refused("WrongBoard")
        if found.mpy != self._facts[1]:
            raise Refused("WrongMpy")
        self._total_bytes = found.total_bytes
        return "\n".join(["%s %d %s" % tuple(file) for file in found.files])

    def _fetch(self, files, slot):
        from .download import Download

        self._download = Download(self.release, files, slot, self._controller.clock, self._ask)
        yield from self._download.run()
        self._download = None

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
        if self._download is not None:
            message["done_bytes"] = self._download.done_bytes
            message["total_bytes"] = self._total_bytes
        self._controller.mailbox.newest("release", topics.UPDATE_STATUS, message)
