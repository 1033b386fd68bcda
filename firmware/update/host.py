"""The part of updates over the air that is always in the heap. The other modules are imported only while an
update runs (topics.UPDATES), or while a release or a configuration is on trial.
"""

from pile_protocol import topics
from pile_protocol.errors import ProtocolError

SLICE_MS = 20  # of a control cycle, for work that can be cut into slices
FRESH_MS = 600_000  # uptime; if the heap has no room before this, a restart would not help
_MODULES = (  # one text takes less heap than many
    "update.updater update.incoming update.offer update.checks update.install update.download update.files"
    " update.p256 update.slots update.configure update.overrides config"
    " pile_protocol.updates pile_protocol.chunk pile_protocol.manifest"
)


class Host:
    """controller: pile.controller. facts: as in Updater. forget: called with the names of modules to remove
    from the heap. time: the module.

    offer_waits: whether to continue with the offer in flash. trials: a trial.Trial for each subject on trial.
    """

    def __init__(self, controller, facts, forget, time):
        self.offer_waits = False
        self.trials = []
        self._controller = controller
        self._facts = facts
        self._forget = forget
        self._time = time
        self._updater = None
        self._restart = None  # the reason of a restart that waits until no order runs
        controller.on_update = self.take

    def take(self, name, data):
        """Handles a message of topics.UPDATES whose seal is valid. Raises ProtocolError, OSError."""
        if self._updater is None and name == topics.UPDATE_CHUNK:
            return  # a late chunk: no download is open
        try:
            self._opened().take(name, data)
        except (ProtocolError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - see _give_up
            self._give_up(error)

    def step(self, now_ms):
        """Called after each control cycle. Returns None, or the reason of a restart."""
        if self.trials and self._controller.reason_busy() != "OrderRuns":  # a resumed order ends first
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
        # No restart while the inbox holds a message: it may be an order, and the broker counts it as
        # delivered.
        if (
            self._restart
            and self._controller.inbox.is_empty
            and self._controller.reason_busy() != "OrderRuns"
        ):
            return self._restart
        return None

    def begin_trial(self, trial, withhold):
        """Starts a trial. withhold: refuse orders until it is confirmed."""
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
        """Frees the heap. An offer stays in flash, and is continued when it comes again."""
        self._updater = None
        self._forget(_MODULES.split())

    def _give_up(self, error):
        """Ends an update that has no room in the heap, or whose own code fails, such as a damaged module. The
        pile goes on charging.

        MemoryError: the offer stays in flash. The pile restarts when no order runs, and continues while its
        heap is not fragmented. It does not restart before FRESH_MS, because a heap that is too small would
        cause endless restarts. Other errors: the offer is removed, because the error would occur again at
        each start.
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
                return None  # the flash failed: tried again until the trial ends
        if not is_confirmed:
            # If fall_back() failed too, the trial ends when its starts are used up.
            return "back from what was on trial: " + end
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
