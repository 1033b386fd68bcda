"""The rig itself: a store or a controller that breaks a promise is found out."""

import os

from story import PLOTS, Cut, tell, used_flash

from drivers.files import FileStore
from pile import recovery
from pile.journal import Journal
from pile.mailbox import Mailbox
from pile.outbox import Outbox


def _violations(plot="pulse"):
    flash = used_flash(0)
    operations = tell(PLOTS[plot], flash, []).operations[0]
    found = []
    for k in range(1, operations + 1):
        found += tell(PLOTS[plot], flash, [Cut(k)]).violations
    return found


def _found(text, plot="pulse"):
    return [violation for violation in _violations(plot) if text in violation]


def check_the_firmware_as_it_is_breaks_no_promise():
    assert _violations() == []


def check_a_store_that_removes_before_it_renames():
    """Of 62 cuts, 14 left no file at all."""

    def write(self, name, data):
        with open(self._path("new"), "wb") as file:
            file.write(data)
        self.remove(name)
        os.rename(self._path("new"), self._path(name))

    kept = FileStore.write
    FileStore.write = write
    try:
        assert _violations()
    finally:
        FileStore.write = kept


def check_a_relay_that_closes_for_an_order_not_yet_durable():
    kept = Journal.open_order
    Journal.open_order = lambda *arguments: None
    try:
        assert _found("not durable")
    finally:
        Journal.open_order = kept


def check_a_settlement_told_before_it_is_durable():
    kept = Mailbox.order_status

    def tell_early(self, order_id, connector, state, reason, at):
        kept(self, order_id, connector, "Settled" if state == "Finishing" else state, reason, at)

    Mailbox.order_status = tell_early
    try:
        assert _found("before that was durable")
    finally:
        Mailbox.order_status = kept


def check_a_pile_that_forgets_that_it_settled():
    """The settlement is durable, the order is still in flash, and the pile takes it up again."""
    kept = Outbox.load

    def load(self, open_order_ids):
        kept(self, open_order_ids)
        return []

    Outbox.load = load
    try:
        assert _found("2 settlements")
    finally:
        Outbox.load = kept


def check_checkpoints_too_far_apart():
    """Every ten seconds instead of every second."""
    kept = Journal.keep_reading

    def keep_reading(self, connector, order_id, at, register_mwh, stop_reason=None, recoveries=0):
        if stop_reason or at % 10 == 0:
            kept(self, connector, order_id, at, register_mwh, stop_reason, recoveries)

    Journal.keep_reading = keep_reading
    try:
        assert _found("lost")
    finally:
        Journal.keep_reading = kept


def check_a_meter_read_too_high():
    """A reading that the meter never gave is billed."""
    kept = recovery.register_mwh
    recovery.register_mwh = lambda store, connector: kept(store, connector) + 2_000
    try:
        assert _found("more")
    finally:
        recovery.register_mwh = kept
