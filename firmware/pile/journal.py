"""What must survive a power cut, besides the outbox.

    order-<n>   the sealed order that runs on connector n, and the reading it started from
    steps-<n>   the price steps it has entered: [[step index, begin register], ...]; rewritten once per price step
    check-<n>   the newest reading, the stop reason once there is one, and how often the order went on after a power
                cut. At most 128 bytes, so that littlefs keeps it inside its metadata and the rewrite every second
                costs 31 block erases per 1,000. It stays after the order, because a meter that forgets goes on
                from it after a restart
    used        order ids seen and not yet expired, accepted or rejected: an id starts a pile once. The file of an
                accepted order itself marks its id as used, so accepting an order costs one flash write
    faults      latched faults by connector
    boots       how often the pile started, and how many orders these starts found running

Every file is framed by its checksum (checksum.py). One that fails it, cannot be read, or holds something else, reads
as absent and is named in `lost`. The store replaces a file as a whole: after a power cut it is old or new. An empty
file is not damage: littlefs creates a file before it fills it, and the power may fail in between.
"""

import json

from pile_protocol import messages, words

from .checksum import framed, unframed
from .metering import MOST_MWH

USED_MAX = 64
# An id is forgotten although it has not expired if it expires later than this after now: it was refused while the
# pile had no clock. A day, so that a corrected clock forgets no id that may become valid again.
USED_KEPT_S = 86_400
MAX_REGISTER_MWH = 10**12
_GOING_ON = b"-"

# The tables of the files (pile_protocol/checks.py).
_STEPS = "[1..100 ( index n0..99 register_mwh n0..1000000000000 )"
_USED = "[0..%d ( order_id O expires_at A )" % (USED_MAX + messages.MAX_CONNECTORS)  # also of running orders
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
    """An order found in flash. at, register_mwh, boundaries, stop_reason, recoveries: the newest durable ones;
    boundaries is None if they are lost. ran: readings were taken after the start.
    """

    def __init__(self, sealed, started_at, start_register_mwh):
        self.sealed = sealed
        self.started_at = started_at
        self.start_register_mwh = start_register_mwh
        self.at = started_at
        self.register_mwh = start_register_mwh
        self.boundaries = []
        self.ran = False
        self.stop_reason = None
        self.recoveries = 0


class Journal:
    """Files over a store (drivers/contracts.py). Methods that write raise OSError where the flash refuses."""

    def __init__(self, store):
        self.lost = []  # names of files that were there and could not be used
        self.boots = self.recoveries = 0  # in the life of this flash
        self._store = store
        self._used = self._read_json("used", _USED) or []
        self._is_used_kept = True  # the file is as the list in memory
        counts = self._read_words("boots", 2)
        try:
            if counts:
                self.boots, self.recoveries = [_whole(count, 0x7FFFFFFF) for count in counts]
        except ValueError:
            self._lose("boots")

    # -- the running order ----------------------------------------------------------------------------------

    def open_order(self, connector, order_id, sealed, started_at, start_register_mwh):
        """Makes an order durable. When this returns the relay may close."""
        head = b"%s %d %d\n" % (order_id.encode(), started_at, start_register_mwh)
        self._store.remove("steps-%d" % connector)  # of an earlier order
        self._store.write("order-%d" % connector, framed(head + sealed))

    def keep_steps(self, connector, boundaries):
        self._store.write("steps-%d" % connector, framed(json.dumps(boundaries).encode()))

    def keep_reading(self, connector, order_id, at, register_mwh, stop_reason=None, recoveries=0):
        """The newest reading of the running order; at is Unix seconds. With a stop reason the order is over."""
        reason = stop_reason.encode() if stop_reason else _GOING_ON
        content = b"%s %d %d %s" % (order_id.encode(), at, register_mwh, reason)
        if recoveries:
            content += b" %d" % recoveries
        self._store.write("check-%d" % connector, framed(content))

    def close_order(self, connector):
        """The order is settled, and the settlement durable."""
        self._store.remove("order-%d" % connector)
        self._store.remove("steps-%d" % connector)

    def load(self, connector):
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
        if name in self.lost:
            kept.boundaries = None
        elif boundaries:
            kept.boundaries = boundaries
            kept.register_mwh = boundaries[-1][1]
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
        kept = self.load(connector)
        return max(check[2] if check else 0, kept.register_mwh if kept else 0)

    def _check(self, connector):
        """(order id, Unix seconds, register, stop reason or None, recoveries), or None. Releases up to 0.1.0 wrote
        no recoveries.
        """
        name = "check-%d" % connector
        found = self._read_words(name, 4, 5)
        if not found:
            return None
        try:
            order_id, at, register_mwh, reason = found[:4]
            recoveries = _whole(found[4], 1_000) if len(found) == 5 else 0
            reason = None if reason == _GOING_ON else reason.decode()
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

    # -- ids --------------------------------------------------------------------------------------------------

    def is_used(self, order_id):
        for used_id, _ in self._used:
            if used_id == order_id:
                return True
        return False

    def may_be_used(self, made_at, booted_at):
        """Where the used ids are lost: whether an order was made before this boot, and so may have run."""
        return "used" in self.lost and made_at < booted_at

    def consume_id(self, order_id, expires_at, at):
        """Marks an id as used until it expires; `at` is Unix seconds or None. Durable after keep_ids(), or while its
        order is. Returns False, marking nothing, if USED_MAX ids have not expired.
        """
        used = [row for row in self._used if at is None or at < row[1] <= at + USED_KEPT_S]
        if len(used) >= USED_MAX:
            return False
        used.append([order_id, expires_at])
        self._used = used
        self._is_used_kept = False
        return True

    def consume_id_of_kept(self, order_id, expires_at):
        """Marks the id of an order found in flash as used, beyond any bound."""
        if not self.is_used(order_id):
            self._used.append([order_id, expires_at])
            self._is_used_kept = False

    def keep_ids(self):
        """Makes the used ids durable; to be called before an order leaves flash."""
        if not self._is_used_kept:
            self._store.write("used", framed(json.dumps(self._used).encode()))
            self._is_used_kept = True

    # -- faults and counters ----------------------------------------------------------------------------------

    def faults(self):
        """{connector: [fault code, latched_at]}"""
        rows = self._read_json("faults", _FAULTS) or []
        return {row[0]: [row[1], row[2]] for row in rows}

    def save_faults(self, faults):
        rows = [[connector, faults[connector][0], faults[connector][1]] for connector in faults]
        self._store.write("faults", framed(json.dumps(rows).encode()))

    def count_boot(self, running):
        """Counts this start of the pile, and the orders that it found running. Not counted if the flash refuses."""
        self.boots += 1
        self.recoveries += running
        try:
            self._store.write("boots", framed(b"%d %d" % (self.boots, self.recoveries)))
        except OSError:
            pass  # the count is of no use to a charge

    # -- files ------------------------------------------------------------------------------------------------

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
