"""Settlements that the cloud has not stored yet: kept in flash, sent in order, chained by their macs.

    out-<first seq, 8 digits>   segments: one settlement a line, appended. A line whose append raised an error
                                may be there all the same
    acked                       the highest sequence number that the cloud has stored, and that one's mac

A segment leaves flash when all its settlements are acknowledged and a newer segment holds the chain's end.
"""

import binascii

from .checksum import framed, unframed

SEGMENT_BYTES = 4096
CAPACITY = 500
_CHECK_BYTES = 9  # 8 hex digits of CRC-32 and a blank in front of each line
_SEQ_MAX = 2**31 - 1


def _line(sealed):
    return b"%08x %s\n" % (binascii.crc32(sealed) & 0xFFFFFFFF, sealed)


def _member(sealed, name):
    """The raw text of a number or word in a settlement of this pile: cheaper than parsing all of it."""
    mark = b'"%s":' % name
    begin = sealed.find(mark)
    if begin < 0:
        raise ValueError
    begin += len(mark)
    return sealed[begin : sealed.find(b",", begin)].strip(b'"')


def _mac(sealed):
    """The 64 hex digits at the end of a sealed message."""
    return _checked_mac(sealed[-66:-2])


def _checked_mac(text):
    if len(binascii.unhexlify(text)) != 32:
        raise ValueError
    return text.decode()


class Settlement:
    """One line of a segment: seq, order_id (str), sealed (bytes)."""

    def __init__(self, line):
        """Raises ValueError for a line that a cut or decay damaged."""
        self.sealed = sealed = line[_CHECK_BYTES:-1]
        if _line(sealed) != line:
            raise ValueError
        self.seq = int(_member(sealed, b"seq"))
        self.order_id = _member(sealed, b"order_id").decode()
        self.mac = _mac(sealed)
        if not 0 < self.seq <= _SEQ_MAX:
            raise ValueError


class Outbox:
    """Over a store (drivers/contracts.py). `last_seq` and `last_mac` are the end of the chain."""

    def __init__(self, store, capacity=CAPACITY):
        self.last_seq = 0
        self.last_mac = None
        self.damaged = 0
        self._store = store
        self._capacity = capacity
        self._segments = []  # first sequence numbers, rising
        self._segment_bytes = SEGMENT_BYTES  # of the newest; SEGMENT_BYTES: begin another
        self._is_in_order = True  # each segment holds the numbers that its name promises
        self._is_in_doubt = False  # an append raised an error, and may be durable
        self._found_ids = []  # orders whose append raised an error and was durable
        self._head = None  # (seq, sealed) of the oldest that is not acknowledged
        self._acked = 0
        try:
            data = store.read("acked")
            if data:  # an empty file: the power failed before the first acknowledgement was in it
                seq, mac = (unframed(data) or b"").split()
                seq = int(seq)
                self.last_mac = _checked_mac(mac)
                if not 0 < seq <= _SEQ_MAX:
                    raise ValueError
                self._acked = self.last_seq = seq
        except (ValueError, OSError):
            self.last_mac = None
            self.damaged += 1

    def load(self, open_order_ids):
        """Reads the chain's end. Returns the set of those of `open_order_ids` that are settled already."""
        settled = set()
        names = [n for n in self._store.names() if n.startswith("out-") and len(n) == 12 and n[4:].isdigit()]
        self._segments = sorted([int(n[4:]) for n in names])
        for i, first_seq in enumerate(self._segments):
            end_seq = self._segments[i + 1] if i + 1 < len(self._segments) else _SEQ_MAX + 1
            try:
                for found in self._settlements(first_seq):
                    if found is None:
                        self.damaged += 1
                        continue
                    if found.order_id in open_order_ids:
                        settled.add(found.order_id)
                    if not first_seq <= found.seq < end_seq:
                        self._is_in_order = False
                    self._note_end(found)
            except OSError:
                self.damaged += 1
        if self._segments:
            # The newest may be empty after a cut, and what was before it gone: its number is still taken.
            self.last_seq = max(self.last_seq, self._segments[-1] - 1)
            self._acked = self._acked or self._segments[0] - 1
        return settled

    def _note_end(self, found):
        if found.seq > self.last_seq:
            self.last_seq = found.seq
            self.last_mac = found.mac

    @property
    def depth(self):
        """How many settlements wait."""
        return self.last_seq - self._acked

    @property
    def full(self):
        """No room for another: the pile must take no order until the cloud has stored some."""
        return self.depth >= self._capacity

    def has(self, order_id):
        """Whether an add() of this order's settlement that raised an error made it durable all the same. To
        be asked before each add(). Raises OSError where that cannot be read.
        """
        if self._is_in_doubt:
            if self._name(self._segments[-1]) in self._store.names():
                for found in self._settlements(self._segments[-1]):
                    if found is not None and found.seq > self.last_seq:
                        self._note_end(found)
                        self._found_ids.append(found.order_id)
            self._is_in_doubt = False
        return order_id in self._found_ids

    def add(self, sealed):
        """Makes the settlement of sequence number last_seq + 1 durable. Raises OSError."""
        line = b"\n" + _line(sealed)  # the blank line ends what a cut may have left half written
        seq = self.last_seq + 1
        # What takes heap comes first: once the line is durable, nothing may keep it from being counted.
        mac = _mac(sealed)
        head = self._head
        if not self.depth:
            head = seq, sealed  # it is sent next: looking it up would read the segment line by line
        if self._segment_bytes >= SEGMENT_BYTES and self._segments[-1:] != [seq]:
            self._segments.append(seq)
            self._segment_bytes = 0
        self._is_in_doubt = True
        self._store.append(self._name(self._segments[-1]), line)
        self._is_in_doubt = False
        self._segment_bytes += len(line)
        self.last_seq = seq
        self.last_mac = mac
        self._head = head

    def head(self):
        """(seq, sealed bytes) of the settlement to send next, or None."""
        if self._head is None and self.depth:
            self._head = self._find(self._acked + 1)
        return self._head

    def acknowledge(self, seq, mac, keep=False):
        """The cloud has stored the head. Returns False, changing nothing, for any other settlement.

        keep: leave even full segments in flash for now; they show that their orders are settled.
        """
        head = self.head()
        if head is None or head[0] != seq or _mac(head[1]) != mac:
            return False
        self._store.write("acked", framed(b"%d %s" % (seq, mac.encode())))
        self._acked = seq
        self._head = None
        while not keep and self._is_in_order and len(self._segments) > 1 and self._segments[1] <= seq + 1:
            self._store.remove(self._name(self._segments.pop(0)))
        return True

    def _find(self, seq):
        """The undamaged settlement of the lowest number from `seq` on; a damaged one leaves a gap."""
        lowest = None
        for i, first_seq in enumerate(self._segments):
            if self._is_in_order and i + 1 < len(self._segments) and self._segments[i + 1] <= seq:
                continue
            settlements = self._settlements(first_seq)
            try:
                for found in settlements:
                    if found is not None and found.seq >= seq and (lowest is None or found.seq < lowest.seq):
                        lowest = found
                        if self._is_in_order:
                            break
            except OSError:
                pass  # counted as damage at the boot
            settlements.close()
            if lowest is not None and self._is_in_order:
                break
        if lowest is None:
            self._acked = self.last_seq
            return None
        self._acked = lowest.seq - 1
        return lowest.seq, lowest.sealed

    def _settlements(self, first_seq):
        """The settlements of a segment; None for a damaged line. Raises OSError where it cannot be read."""
        lines = self._store.lines(self._name(first_seq))
        try:
            for line in lines:
                if line != b"\n":
                    try:
                        found = Settlement(line)
                    except ValueError:
                        found = None
                    yield found
        finally:
            lines.close()  # closes the file if the caller stops early

    @staticmethod
    def _name(first_seq):
        return "out-%08d" % first_seq
