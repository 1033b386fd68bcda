"""What must survive a power cut, besides the outbox. Writes only: recovery.py reads it, once, at the start.

    order-<n>   the sealed order that runs on connector n, and the reading it started from
    steps-<n>   the price steps that it has entered, [[step index, begin register], ...]; rewritten once per
                price step
    check-<n>   the newest reading, the stop reason once there is one, and how often the order went on after a
                power cut. At most 128 bytes, so that littlefs keeps it inside its metadata and the rewrite
                every second costs 31 block erases per 1,000. It stays after the order, because a meter that
                forgets goes on from it after a restart
    usage-<n>   of a rate with time in it: [ms that the vehicle has stayed on, [ms of each power tier],
                [[step index, ms of charging]]]; rewritten every second while that grows. At most 128 bytes,
                as check-<n>: its row of the time is that of the newest price step
    times-<n>   and the rows of the price steps before it; rewritten once per price step
    used        order ids seen of late, accepted or rejected: an id starts a pile once. The file
                of an accepted order itself marks its id as used, so accepting an order costs one flash write
    faults      latched faults by connector
    service     the connectors that are out of service, and why
    boots       how often the pile started, and how many orders these starts found running

Every file is framed by its checksum (checksum.py). The store replaces a file as a whole: after a power cut it
is old or new.
"""

import json

from .checksum import framed

USED_MAX = 64
# An id is forgotten although it has not expired if it expires later than this after now: it was refused while
# the pile had no clock. A day, so that a corrected clock forgets no id that may become valid again.
USED_KEPT_S = 86_400
CLOCK_BACK_S = 300  # a clock that is set back by no more than this makes no known order valid again
REFUSED_MAX = 16
GOING_ON = b"-"  # in place of a stop reason


class Journal:
    """Files over a store (drivers/contracts.py). Methods that write raise OSError where the flash refuses.

    lost: names of files that were there and could not be used. used_ids: [[order id, expires_at], ...].
    boots, recoveries: in the life of this flash. service: [[connector, reason], ...].
    """

    def __init__(self, store):
        self.lost = []
        self.used_ids = []
        self._refused_ids = []
        self.boots = self.recoveries = 0
        self.service = []
        self._store = store
        self._is_used_kept = True  # the file is as the list in memory

    # -- the running order ----------------------------------------------------------------------------------

    def open_order(self, connector, order_id, sealed, started_at, start_register_mwh):
        """Makes an order durable. When this returns the relay may close."""
        head = b"%s %d %d\n" % (order_id.encode(), started_at, start_register_mwh)
        self._store.remove("steps-%d" % connector)  # of an earlier order
        self._store.remove("usage-%d" % connector)
        self._store.remove("times-%d" % connector)
        self._store.write("order-%d" % connector, framed(head + sealed))

    def keep_steps(self, connector, boundaries):
        self._write_json("steps-%d" % connector, boundaries)

    def keep_usage(self, connector, used):
        self._write_json("usage-%d" % connector, used)

    def keep_times(self, connector, rows):
        self._write_json("times-%d" % connector, rows)

    def keep_reading(self, connector, order_id, at, register_mwh, stop_reason=None, recoveries=0):
        """The newest reading of the order; at is Unix seconds. With a stop reason the order is over."""
        reason = stop_reason.encode() if stop_reason else GOING_ON
        content = b"%s %d %d %s" % (order_id.encode(), at, register_mwh, reason)
        if recoveries:
            content += b" %d" % recoveries
        self._store.write("check-%d" % connector, framed(content))

    def close_order(self, connector):
        """The order is settled, and the settlement durable."""
        for kind in ("order", "steps", "usage", "times"):
            self._store.remove("%s-%d" % (kind, connector))

    # -- ids ---------------------------------------------------------------------------------------------

    def is_used(self, order_id):
        """Whether the order was accepted or rejected before."""
        for used_id, _ in self.used_ids:
            if used_id == order_id:
                return True
        return order_id in self._refused_ids

    def note_refused(self, order_id):
        """Remembers, in RAM, the id of an order that was refused and not marked as used: a copy of it that
        comes late must not start after the cloud was told Rejected. The last REFUSED_MAX are remembered.
        """
        self._refused_ids.append(order_id)
        if len(self._refused_ids) > REFUSED_MAX:
            self._refused_ids.pop(0)

    def may_be_used(self, made_at, booted_at):
        """Where the used ids are lost: whether an order was made before this boot, and so may have run."""
        return "used" in self.lost and made_at < booted_at

    def consume_id(self, order_id, expires_at, at):
        """Marks an id as used until CLOCK_BACK_S after it expires; `at` is Unix seconds or None. Of more than
        USED_MAX the expired ones are forgotten at once. Durable after keep_ids(), or
        while its order is. Returns False, marking nothing, if USED_MAX ids have not expired.
        """
        used = self.used_ids
        for late_s in (CLOCK_BACK_S, 0):
            if at is not None and (late_s or len(used) >= USED_MAX):
                used = [row for row in used if at - late_s < row[1] <= at + USED_KEPT_S]
        if len(used) >= USED_MAX:
            return False
        self.used_ids = used
        used.append([order_id, expires_at])
        self._is_used_kept = False
        return True

    def consume_id_of_kept(self, order_id, expires_at):
        """Marks the id of an order found in flash as used, beyond any bound."""
        if not self.is_used(order_id):
            self.used_ids.append([order_id, expires_at])
            self._is_used_kept = False

    def keep_ids(self):
        """Makes the used ids durable; to be called before an order leaves flash."""
        if not self._is_used_kept:
            self._write_json("used", self.used_ids)
            self._is_used_kept = True

    # -- faults, service and counters ------------------------------------------------------------------------

    def save_faults(self, faults):
        rows = [[connector, faults[connector][0], faults[connector][1]] for connector in faults]
        self._write_json("faults", rows)

    def save_service(self, out):
        if out != self.service:
            self._write_json("service", out)
            self.service = out

    def count_boot(self, running):
        """Counts this start of the pile, and the orders that it found running."""
        self.boots += 1
        self.recoveries += running
        try:
            self._store.write("boots", framed(b"%d %d" % (self.boots, self.recoveries)))
        except OSError:
            pass  # the count is of no use to a charge

    def _write_json(self, name, value):
        self._store.write(name, framed(json.dumps(value).encode()))
