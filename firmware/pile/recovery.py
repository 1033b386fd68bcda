"""What the start of a pile reads from flash: its files (journal.py), and the orders that a power cut
interrupted.

A file that fails its checksum, cannot be read, or holds something else reads as absent and is named in the
journal's `lost`. An empty file is not damage: littlefs creates a file before it fills it, and the power may
fail in between. Only assembly.py imports this module, so that its code leaves the heap after the start.
"""

import json

from pile_protocol import messages, words

from . import admission
from .checksum import unframed
from .journal import GOING_ON, USED_MAX
from .metering import MOST_MWH
from .open_order import OpenOrder

MAX_REGISTER_MWH = 10**12

# The tables of the files (pile_protocol/checks.py).
_STEPS = "[1..100 ( index n0..99 register_mwh n0..1000000000000 )"
_TIMES = "[0..100 ( index n0..99 time_ms n0..864000000 )"
_USAGE = "( stay_ms n0..86400000 tiers_ms [0..4 n0..864000000 times " + _TIMES + " )"
_USED = "[0..%d ( order_id O expires_at A )" % (USED_MAX + messages.MAX_CONNECTORS)  # also of running orders
_SERVICE = "[0..8 ( connector C reason t1..20w )"
_FAULTS = "[0..8 ( connector C fault =%s at ? A )" % "|".join(words.FAULT_CODES)


def _whole(text, most):
    """The whole number in `text` (bytes), from 0 to most. Raises ValueError."""
    number = int(text)
    if not 0 <= number <= most:
        raise ValueError
    return number


def _can_be_of(kept, boundaries):
    """Whether price steps found in flash begin where the order does, and rise."""
    index = -1
    register_mwh = kept.start_register_mwh
    if boundaries[0][1] != register_mwh or boundaries[-1][1] - register_mwh > MOST_MWH:
        return False
    for step, begin_mwh in boundaries:
        if step <= index or begin_mwh < register_mwh:
            return False
        index = step
        register_mwh = begin_mwh
    return True


class KeptOrder:
    """An order found in flash. at, register_mwh, boundaries, used, stop_reason, recoveries: the newest
    durable ones; boundaries is None if they are lost, used where there is nothing. ran: readings were taken
    after the start.
    """

    def __init__(self, sealed, started_at, start_register_mwh):
        self.sealed = sealed
        self.started_at = started_at
        self.start_register_mwh = start_register_mwh
        self.at = started_at
        self.register_mwh = start_register_mwh
        self.boundaries = None  # type: list | None
        self.used = None  # type: list | None
        self.ran = False
        self.stop_reason = None
        self.recoveries = 0


class Reader:
    """The files of the journal over a store; `lost` gets the names of those that could not be used."""

    def __init__(self, store, lost):
        self.lost = lost
        self._store = store

    def order(self, connector):
        """The KeptOrder of a connector, or None."""
        name = "order-%d" % connector
        content = self._read(name)
        if content is None:
            return None
        head, _, sealed = content.partition(b"\n")
        try:
            order_id, started_at, start_register_mwh = head.split()
            kept = KeptOrder(
                sealed,
                _whole(started_at, messages.AT_MAX),
                _whole(start_register_mwh, MAX_REGISTER_MWH),
            )
        except ValueError:
            self._lose(name)
            return None
        name = "steps-%d" % connector
        boundaries = self._read_json(name, _STEPS) or []
        if boundaries and not _can_be_of(kept, boundaries):
            self._lose(name)
        kept.boundaries = None if name in self.lost else boundaries
        if kept.boundaries:
            kept.register_mwh = boundaries[-1][1]
        kept.used = self._read_json("usage-%d" % connector, _USAGE)
        over = self._read_json("times-%d" % connector, _TIMES)
        if over and kept.used and kept.used[2]:
            newest = kept.used[2][0][0]  # of a cut between the two files: the row that goes on is in both
            kept.used[2] = [row for row in over if row[0] < newest] + kept.used[2]
        self._load_reading(kept, connector, order_id)
        return kept

    def _load_reading(self, kept, connector, order_id):
        check = self._check(connector)
        if check and check[0] == order_id and check[2] - kept.start_register_mwh > MOST_MWH:
            self._lose("check-%d" % connector)
        kept.ran = "check-%d" % connector in self.lost
        if check and check[0] == order_id and not kept.ran:
            kept.at = max(check[1], kept.started_at)
            kept.register_mwh = max(check[2], kept.register_mwh)
            kept.ran = True
            kept.stop_reason = check[3]
            kept.recoveries = check[4]

    def register_mwh(self, connector):
        """The newest durable register, from which a meter without a memory goes on; 0 on a new pile."""
        check = self._check(connector)
        kept = self.order(connector)
        return max(check[2] if check else 0, kept.register_mwh if kept else 0)

    def _check(self, connector):
        """(order id, Unix seconds, register, stop reason or None, recoveries), or None. Releases up to 0.1.0
        wrote no recoveries.
        """
        name = "check-%d" % connector
        found = self._read_words(name, 4, 5)
        if not found:
            return None
        try:
            order_id, at, register_mwh, reason = found[:4]
            recoveries = _whole(found[4], 1_000) if len(found) == 5 else 0
            reason = None if reason == GOING_ON else reason.decode()
            if reason is not None and reason not in words.STOP_REASONS:
                raise ValueError
            return (
                order_id,
                _whole(at, messages.AT_MAX),
                _whole(register_mwh, MAX_REGISTER_MWH),
                reason,
                recoveries,
            )
        except ValueError:
            self._lose(name)
            return None

    def used_ids(self):
        return self._read_json("used", _USED) or []

    def faults(self):
        """{connector: [fault code, latched_at]}"""
        rows = self._read_json("faults", _FAULTS) or []
        return {row[0]: [row[1], row[2]] for row in rows}

    def service(self):
        """[[connector, reason], ...] of what is out of service."""
        return self._read_json("service", _SERVICE) or []

    def counts(self):
        """(how often the pile started, how many orders these starts found running)"""
        found = self._read_words("boots", 2)
        try:
            if found:
                return _whole(found[0], 0x7FFFFFFF), _whole(found[1], 0x7FFFFFFF)
        except ValueError:
            self._lose("boots")
        return 0, 0

    def _read(self, name):
        try:
            data = self._store.read(name)
        except OSError:
            self._lose(name)
            return None
        if not data:
            return None
        content = unframed(data)
        if content is None:
            self._lose(name)
        return content

    def _read_words(self, name, least, most=None):
        """The words of a file, or None where there is none or it has too few or too many."""
        content = self._read(name)
        if content is None:
            return None
        found = content.split()
        if least <= len(found) <= (most or least):
            return found
        self._lose(name)
        return None

    def _read_json(self, name, table):
        content = self._read(name)
        if content is None:
            return None
        try:
            value = json.loads(content)
            messages.validate(table, value)
            return value
        except (ValueError, RuntimeError):  # a MessageError is a ValueError; RuntimeError: nested too deep
            self._lose(name)
            return None

    def _lose(self, name):
        if name not in self.lost:
            self.lost.append(name)


def take_up(controller, store, key):
    """Lets a new Controller go on from what the store holds: used ids, faults, orders that a power cut
    interrupted. Closes orders whose settlement is durable.
    """
    journal = controller.journal
    reader = Reader(store, journal.lost)
    journal.used_ids = reader.used_ids()
    journal.boots, journal.recoveries = reader.counts()
    controller.faults.load(reader.faults())
    journal.service = reader.service()
    controller.set_service(journal.service)
    keeper = controller.keeper
    found = {}
    for connector in controller.connectors:
        if "faults" in journal.lost:
            keeper.latch(connector)  # there may have been one
        kept = reader.order(connector.number)
        if kept is None:
            continue
        try:
            order = admission.read_order(kept.sealed, key)
        except admission.Refusal:
            order = None
        else:
            journal.consume_id_of_kept(order["order_id"], order["expires_at"])
        if (
            order is None
            or order["device_id"] != controller.device_id
            or order["connector"] != connector.number
            or not order["issued_at"] <= kept.started_at < order["expires_at"]
        ):
            keeper.latch(connector)  # of another key, place or time: this pile cannot bill it
            keeper.close_later(connector.number)
        else:
            found[order["order_id"]] = (connector, order, kept)
    for order_id in controller.outbox.load(list(found)):
        keeper.close_later(found.pop(order_id)[0].number)
    for connector, order, kept in found.values():
        connector.order = OpenOrder.recover(
            connector.number, order, kept, controller.clock.now_ms, connector.limits
        )
        if connector.order.session.stop_reason == "PowerQuality":
            keeper.latch(connector, "UnderVoltage")
    journal.count_boot(len(found))


def register_mwh(store, connector):
    """The newest durable register, from which a meter without a memory goes on; 0 on a new pile."""
    return Reader(store, []).register_mwh(connector)
