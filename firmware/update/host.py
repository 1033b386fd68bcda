"""The part of updates over the air that is always in the heap. The rest is imported while there is something
to do (topics.UPDATES), or while a release or a configuration is on trial.
"""

from pile_protocol import topics
from pile_protocol.errors import ProtocolError

SLICE_MS = 20  # of a control cycle, for work that can be cut into slices
FRESH_MS = 600_000  # after a start; a heap that has no room then has none after another start either
_MODULES = (  # one text takes less heap than many
    "update.updater update.incoming update.offer update.checks update.download update.files update.p256"
    " update.slots update.configure update.overrides update.errors config pile_protocol.updates"
    " pile_protocol.chunk pile_protocol.manifest"
)


class Host:
    """controller: pile.controller. facts: what Updater takes of the board. forget: called with names of
    modules that are to leave the heap. time: the module.

    offer_waits: an offer in flash is to be taken up. trials: trial.Trial of what is on trial.
    """

    def __init__(self, controller, facts, forget, time):
        self.offer_waits = False
        self.trials = []
        self._controller = controller
        self._facts = facts
        self._forget = forget
        self._time = time
        self._updater = None
        self._restart = None  # why the pile is to restart when nothing waits for it
        controller.on_update = self.take

    def take(self, name, data):
        """A message of topics.UPDATES; its seal is good. Raises ProtocolError, OSError."""
        if self._updater is None and name == topics.UPDATE_CHUNK:
            return  # it comes too late
        try:
            self._opened().take(name, data)
        except (ProtocolError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - see _give_up
            self._give_up(error)

    def step(self, now_ms):
        """After each control cycle. Returns None, or why the pile is to restart."""
        if self.trials and self._controller.reason_busy() != "OrderRuns":  # one from before goes on first
            for trial in self.trials:
                reason = self._step_trial(trial, now_ms)
                if reason:
                    return reason
        try:
            if self._updater is not None:
                self._step_updater(self._updater)
            elif self.offer_waits and self._controller.knows_time and self._controller.reason_busy() is None:
                self.offer_waits = False
                self._opened().resume()
        except Exception as error:  # noqa: BLE001 - see _give_up
            self._give_up(error)
        # Not while a message waits that the broker takes for delivered: it may be an order.
        if (
            self._restart
            and self._controller.inbox.is_empty
            and self._controller.reason_busy() != "OrderRuns"
        ):
            return self._restart
        return None

    def begin_trial(self, trial, withhold):
        """withhold: no order is taken until it is confirmed."""
        self.trials.append(trial)
        self.tell(trial.what, "Trial")
        if withhold:
            self._withhold(True)

    def tell(self, what, state, reason=None):
        """Queues a message about a release or a configuration."""
        message = {"state": state}
        message.update(what)
        if reason:
            message["reason"] = reason
        for name in what:
            self._controller.mailbox.newest(name, topics.UPDATE_STATUS, message)

    def _opened(self):
        if self._updater is None:
            from .updater import Updater

            self._updater = Updater(self._controller, self._facts, self._forget)
        return self._updater

    def _close(self):
        """Gives back the heap. An offer stays in flash, and is taken up when it comes again."""
        self._updater = None
        self._forget(_MODULES.split())

    def _give_up(self, error):
        """Ends an update for which the heap has no room, or whose own code fails, such as a damaged module:
        the pile goes on.

        For want of heap, the pile restarts when no order runs, and takes up the offer while its heap is in
        one piece. Soon after a start it does not: a heap that is too small would restart it for ever. An
        error of the code would end every start in the same way, so the offer is removed.
        """
        release = self._updater.release if self._updater else 0
        state = "Waiting"
        reason = "NoMemory"
        if isinstance(error, MemoryError):
            if self._controller.clock.now_ms >= FRESH_MS:
                self._restart = "no memory for an update"
        else:
            from .slots import remove_offer

            remove_offer()
            print("update:", repr(error))
            state = "Refused"
            reason = "Crashed"
        self._close()
        if release:
            self.tell({"release": release}, state, reason)

    def _step_updater(self, updater):
        began_ms = self._time.ticks_ms()
        while updater.step() and self._time.ticks_diff(self._time.ticks_ms(), began_ms) < SLICE_MS:
            pass
        if updater.is_idle:
            self.offer_waits = self.offer_waits or updater.is_waiting
            self._restart = updater.restart or self._restart
            self._close()

    def _step_trial(self, trial, now_ms):
        end = trial.step(now_ms, self._controller.knows_time)
        if end is None:
            return None
        is_confirmed = end == "Confirmed"
        try:
            if is_confirmed:
                trial.subject.confirm()
            else:
                trial.subject.fall_back(end)
        except OSError:
            if is_confirmed:
                return None  # the flash refuses: tried again until the trial ends
        if not is_confirmed:
            return "back from what was on trial: " + end  # at the latest when its starts are used up
        self.trials.remove(trial)
        self.tell(trial.what, end)
        if not self.trials:
            self._controller.traits.pop("on_trial", None)
            self._withhold(False)
            self._forget(("update.trial", "update.slots", "update.overrides"))
        return None

    def _withhold(self, on_trial):
        for connector in self._controller.connectors:
            connector.on_trial = on_trial
