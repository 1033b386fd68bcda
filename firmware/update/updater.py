"""What the messages of topics.UPDATES lead to: an offered release, from its offer to the start of its trial,
and a configuration over the air. Imported for the first such message, and gone when there is nothing to do.

The offer is kept in flash, in slots.OFFER, until it is refused, cancelled, or goes on trial. So whatever
interrupts the work (an order, a restart) only has to begin it anew: the manifest is verified again, and what
is whole in the slot stays.
"""

import hashlib

from pile.admission import FREE_BYTES_MIN
from pile_protocol import topics
from pile_protocol.errors import ProtocolError

from . import slots
from .errors import Refused

SPARE_BYTES = 32_768  # flash for folders, the manifest, and what is written anew
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
        self._state = slots.load()
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
        from pile_protocol import updates

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
        message = _kept_offer()
        if message is None:
            slots.remove_offer()
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
        at = self._controller.clock.cloud_at()
        try:
            if at is None or at >= message["expires_at"]:
                raise Refused("Expired")
            self._check(message)
        except Refused as refused:  # what is under way goes on
            answer = {"release": message["release"], "state": "Refused", "reason": refused.reason}
            self._controller.mailbox.newest("refused", topics.UPDATE_STATUS, answer)
            return
        self._stop()
        slots.replace(slots.OFFER, data)
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
        self.release = message["release"]
        reason = self._controller.reason_busy()
        if reason is None:
            self._job = self._work(message)
        else:
            self._wait(reason)

    def _work(self, message):
        """A generator: all of the work, in slices; yields whether there is more to do at once."""
        self._check(message)
        self._tell("Verifying")
        yield from self._verify(message["manifest"], message["signature"])
        rows = self._parse(message["manifest"])
        yield True
        self._prepare(rows, message["signature"])
        del message
        yield True
        from .download import Download
        from .files import SlotFiles

        self._total_bytes = sum([size for _, size, _ in rows])
        files = SlotFiles(self._state.other)
        self._download = Download(self.release, rows, files, self._controller.clock, self._ask)
        yield from self._download.run()
        self._download = None
        self._tell("Verifying")
        while not self._controller.inbox.is_empty:
            yield False
        self._switch()

    def _verify(self, text, signature):
        """Raises Refused unless `text` is signed with the release key."""
        from .p256 import Verification, public_key

        self._forget(("pile_protocol.updates",))
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

    def _parse(self, text):
        """The files of the manifest. Raises Refused."""
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
        return found.files

    def _prepare(self, rows, signature):
        """Leaves in the other slot what belongs to this very manifest, and checks that the rest has room."""
        from .files import SlotFiles, blocks_bytes

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
        need_bytes = SPARE_BYTES + sum([blocks_bytes(size) for _, size, _ in rows])
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
        slots.remove_offer()
        self._state.begin_trial(self.release)
        self.restart = "release %d goes on trial" % self.release

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
        slots.remove_offer()
        self._tell(state, reason)
        self.release = 0

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
        message = {"release": self.release, "state": state}
        if reason:
            message["reason"] = reason
        if self._download is not None:
            message["done_bytes"] = self._download.done_bytes
            message["total_bytes"] = self._total_bytes
        self._controller.mailbox.newest("release", topics.UPDATE_STATUS, message)


def _kept_offer():
    """The message in flash; None where there is none that can be used."""
    from pile_protocol import updates

    try:
        with open(slots.OFFER, "rb") as file:
            return updates.decode(topics.UPDATE, file.read())
    except (OSError, ProtocolError):
        return None
