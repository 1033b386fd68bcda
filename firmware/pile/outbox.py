"""Settlements that the cloud has not stored yet: kept in flash, sent in order, chained by their macs.

    out-<first seq, 8 digits>   segments: framed lines, a settlement each, appended (k or k+1 after a cut)
    acked                       the highest sequence number that the cloud has stored, and that one's mac

A segment leaves flash when all its settlements are acknowledged and a newer segment holds the chain's end.
The one queue of settlements: nothing else is ever resent.
"""

import binascii

from .records import framed, unframed

SEGMENT_BYTES = 4096
CAPACITY = 500
_CHECK_BYTES = 9  # 8 hex digits of CRC-32 and a blank in front of each line


def _line(sealed):
    return b"%08x %s\n" % (binascii.crc32(sealed) & 0xFFFFFFFF, sealed)


def _sealed(line):
    """The settlement in a line of a segment, or None where a cut or decay damaged it."""
    sealed = line[_CHECK_BYTES:-1]
    return sealed if sealed and _line(sealed) == line else None


def _member(sealed, name):
    """The raw text of a number or word in a settlement of this pile: cheaper than parsing all of it."""
    mark = b'"%s":' % name
    begin = sealed.find(mark) + len(mark)
    end = sealed.find(b",", begin)
    return sealed[begin:end].strip(b'"')


def _mac(sealed):
    """The 64 hex digits at the end of a sealed message."""
    return sealed[-66:-2].decode()


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
        self._head = None  # (seq, sealed) of the oldest that is not acknowledged
        self._acked = 0
        try:
            data = store.read("acked")
            if data:  # an empty file: the power went before the first acknowledgement was in it
                seq, mac = (unframed(data) or b"").split()
                self._acked = self.last_seq = int(seq)
                self.last_mac = mac.decode()
        except (ValueError, OSError):
            self.damaged += 1

    def load(self, open_order_ids):
        """Reads the chain's end. Returns those of `open_order_ids` that are settled already."""
        settled = []
        names = [n for n in self._store.names() if n.startswith("out-") and len(n) == 12 and n[4:].isdigit()]
        self._segments = sorted([int(n[4:]) for n in names])
        for first_seq in self._segments:
            for sealed in self._lines(first_seq):
                if sealed is None:
                    self.damaged += 1
                    continue
                order_id = _member(sealed, b"order_id").decode()
                if order_id in open_order_ids:
                    settled.append(order_id)
                seq = int(_member(sealed, b"seq"))
                if seq > self.last_seq:
                    self.last_seq = seq
                    self.last_mac = _mac(sealed)
        if self._segments:
            # The newest may be empty after a cut, and what was before it gone: its number is still taken.
            self.last_seq = max(self.last_seq, self._segments[-1] - 1)
            self._acked = self._acked or self._segments[0] - 1
        return settled

    @property
    def depth(self):
        """How many settlements wait."""
        return self.last_seq - self._acked

    @property
    def full(self):
        """No room for another: the pile must take no order until the cloud has stored some."""
        return self.depth >= self._capacity

    def add(self, sealed):
        """Makes the settlement of sequence number last_seq + 1 durable. Raises OSError."""
        line = b"\n" + _line(sealed)  # the blank line ends what a cut may have left half written
        seq = self.last_seq + 1
        # What takes heap comes first: once the line is durable, nothing may keep it from being counted.
        mac = _mac(sealed)
        head = self._head
        if not self.depth:
            head = seq, sealed  # it is sent next: looking it up would read the segment byte by byte
        if self._segment_bytes >= SEGMENT_BYTES and self._segments[-1:] != [seq]:
            self._segments.append(seq)
            self._segment_bytes = 0
        self._store.append(self._name(self._segments[-1]), line)
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
        while not keep and len(self._segments) > 1 and self._segments[1] <= seq + 1:
            self._store.remove(self._name(self._segments.pop(0)))
        return True

    def _find(self, seq):
        """The oldest undamaged settlement from `seq` on; damaged ones are gone: the chain shows it."""
        for i, first_seq in enumerate(self._segments):
            if i + 1 < len(self._segments) and self._segments[i + 1] <= seq:
                continue
            for sealed in self._lines(first_seq):
                found = 0 if sealed is None else int(_member(sealed, b"seq"))
                if found >= seq:
                    self._acked = found - 1
                    return found, sealed
        self._acked = self.last_seq
        return None

    def _lines(self, first_seq):
        """The settlements of a segment; None for a damaged line, or for all that cannot be read."""
        try:
            for line in self._store.lines(self._name(first_seq)):
                if line != b"\n":
                    yield _sealed(line)
        except OSError:
            yield None

    @staticmethod
    def _name(first_seq):
        return "out-%08d" % first_seq
