"""What must survive a power cut, besides the outbox.

    order-<n>   the sealed order that runs on connector n, and the readings it started from
    steps-<n>   its price steps begun so far: [[step index, register_mwh], ...]; rewritten once per price step
    check-<n>   the newest reading, and the stop reason once there is one; at most 128 bytes, so that littlefs
                keeps it inside its metadata and the rewrite every second costs 31 block erases per 1,000. It
                stays after the order: without it a meter that forgets would begin at 0 again
    used        order ids seen and not yet expired, accepted or rejected: an id starts a pile once. Until an
                accepted one is in it, order-<n> stands for it: its relay waits for one write, not for two
    faults      latched faults by connector

Every file is framed by its checksum (records.py); one that fails it, cannot be read, or holds something else,
reads as absent and is named in `lost`. The store replaces a file as a whole: old or new, never half. An empty
file is no damage: littlefs makes a file before it fills it, and the power may go in between.
"""

import json

from pile_protocol import messages, words

from .records import framed, unframed

USED_MAX = 64
_GOING_ON = "-"

# The tables of the files (pile_protocol/checks.py); a register has at most 2^53 mWh.
_STEPS = "[1..100 ( index n0..99 register_mwh n0..9007199254740992 )"
_USED = "[0..%d ( order_id O expires_at A )" % (
    USED_MAX + messages.MAX_CONNECTORS
)  # with those of running orders
_FAULTS = "[0..8 ( connector C fault =%s at ? A )" % "|".join(words.FAULT_CODES)


class Journal:
    """Records over a store (drivers/contracts.py). Writing raises OSError where the flash refuses."""

    def __init__(self, store):
        self.lost = []  # names of files that were there and could not be used
        self._store = store
        self._used = self._read_json("used", _USED) or []
        self._used_kept = True  # as it is in memory

    # -- the running order ----------------------------------------------------------------------------------

    def open_order(self, connector, order_id, sealed, started_at, start_register_mwh):
        """Makes an order durable. When this returns the relay may close."""
        head = b"%s %d %d\n" % (order_id.encode(), started_at, start_register_mwh)
        self._store.remove("steps-%d" % connector)  # of an earlier order
        self._store.write("order-%d" % connector, framed(head + sealed))

    def steps(self, connector, boundaries):
        self._store.write("steps-%d" % connector, framed(json.dumps(boundaries).encode()))

    def checkpoint(self, connector, order_id, at, register_mwh, stop_reason=None):
        """The newest reading of the running order; at is Unix seconds. With a stop reason it is over."""
        content = b"%s %d %d %s" % (order_id.encode(), at, register_mwh, (stop_reason or _GOING_ON).encode())
        self._store.write("check-%d" % connector, framed(content))

    def close_order(self, connector):
        """The order is settled, and the settlement durable."""
        self._store.remove("order-%d" % connector)
        self._store.remove("steps-%d" % connector)

    def load(self, connector):
        """The order that was running, or None: {"sealed": bytes, "started_at", "start_register_mwh",
        "at", "register_mwh", "boundaries", "ran", "stop_reason"}. at, register_mwh and boundaries are the
        newest durable ones; boundaries is None where they are lost. ran: readings were taken after the start.
        """
        content = self._read("order-%d" % connector)
        if content is None:
            return None
        head, _, sealed = content.partition(b"\n")
        try:
            order_id, started_at, start_register_mwh = head.split()
            started_at = int(started_at)
            start_register_mwh = int(start_register_mwh)
        except ValueError:
            self._lose("order-%d" % connector)
            return None
        steps = "steps-%d" % connector
        boundaries = self._read_json(steps, _STEPS) or []
        check = self._check(connector)
        record = {
            "sealed": sealed,
            "started_at": started_at,
            "start_register_mwh": start_register_mwh,
            "at": started_at,
            "register_mwh": start_register_mwh,
            "boundaries": None if steps in self.lost else boundaries,
            "ran": "check-%d" % connector in self.lost,
            "stop_reason": None,
        }
        if boundaries:
            record["register_mwh"] = max(start_register_mwh, boundaries[-1][1])
        if check and check[0] == order_id:
            record["at"] = max(check[1], started_at)
            record["register_mwh"] = max(check[2], record["register_mwh"])
            record["ran"] = True
            record["stop_reason"] = check[3]
        return record

    def register_mwh(self, connector):
        """The newest durable register, from which a meter without a memory goes on; 0 on a new pile."""
        check = self._check(connector)
        record = self.load(connector)
        return max(check[2] if check else 0, record["register_mwh"] if record else 0)

    def _check(self, connector):
        content = self._read("check-%d" % connector)
        if content is None:
            return None
        try:
            order_id, at, register_mwh, reason = content.split()
            reason = reason.decode()
            if reason == _GOING_ON:
                reason = None
            elif reason not in words.STOP_REASONS:
                raise ValueError
            return order_id, int(at), int(register_mwh), reason
        except ValueError:
            self._lose("check-%d" % connector)
            return None

    # -- ids and faults -------------------------------------------------------------------------------------

    def is_used(self, order_id):
        for used_id, _ in self._used:
            if used_id == order_id:
                return True
        return False

    def may_be_used(self, made_at, booted_at):
        """Where the used ids are lost: whether an order was made before this boot, and so may have run."""
        return "used" in self.lost and made_at < booted_at

    def use(self, order_id, expires_at, at):
        """Remembers an id for as long as an order of that id could be valid; `at` is Unix seconds or None.
        It is durable after keep_used(), or while its order is.

        Returns False, remembering nothing, where USED_MAX ids are still valid.
        """
        used = [row for row in self._used if at is None or row[1] > at]
        if len(used) >= USED_MAX:
            return False
        used.append([order_id, expires_at])
        self._used = used
        self._used_kept = False
        return True

    def remember(self, order_id, expires_at):
        """The id of an order found in flash is used, whatever the file says."""
        if not self.is_used(order_id):
            self._used.append([order_id, expires_at])
            self._used_kept = False

    def keep_used(self):
        """Makes the used ids durable; to be called before an order leaves flash."""
        if not self._used_kept:
            self._store.write("used", framed(json.dumps(self._used).encode()))
            self._used_kept = True

    def faults(self):
        """{connector: [fault code, latched_at]}"""
        rows = self._read_json("faults", _FAULTS) or []
        return {row[0]: [row[1], row[2]] for row in rows}

    def save_faults(self, faults):
        rows = [[connector, faults[connector][0], faults[connector][1]] for connector in faults]
        self._store.write("faults", framed(json.dumps(rows).encode()))

    # -- files ----------------------------------------------------------------------------------------------

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

    def _read_json(self, name, table):
        content = self._read(name)
        if content is None:
            return None
        try:
            value = json.loads(content)
            messages.validate(table, value)
            return value
        except ValueError:  # a MessageError is one too
            self._lose(name)
            return None

    def _lose(self, name):
        if name not in self.lost:
            self.lost.append(name)
