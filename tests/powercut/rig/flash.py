"""NOR flash that loses its power: 512 blocks of 4 KB, as a MicroPython block device."""

import random

BLOCKS = 512
BLOCK_BYTES = 4096
_ERASED = b"\xff" * BLOCK_BYTES
_GHOST = [bytearray(BLOCK_BYTES) for _ in range(BLOCKS)]

# What the operation that the cut hits leaves behind.
CLEAN = "clean"  # nothing of it
PART = "part"  # a part of it, old bytes behind
NOISE = "noise"  # a part of it, noise behind
WHOLE = "whole"  # all of it, but nobody is told
TEARS = (CLEAN, PART, NOISE, WHOLE)


class PowerCut(BaseException):
    """The pile stops here. Not an Exception: no handler of the firmware may live on."""


class Flash:
    """What outlives a cut: each block's bytes (None: erased) and how often it was erased."""

    def __init__(self, blocks=None):
        self.blocks = blocks or [None] * BLOCKS
        self.erases = [0] * BLOCKS

    def copy(self):
        """The same bytes, not yet worn."""
        return Flash([None if block is None else bytearray(block) for block in self.blocks])


class Device:
    """A Flash under power until operation number `cut_at` (from 1; 0: for ever); programs and erases count.

    The operation that the cut hits is torn and raises. What the falling firmware still does on its way out
    (a `with` closes its file, a finaliser too) reaches only a copy that nobody looks at: refusing it would
    put an OSError in PowerCut's place. `seed` makes the torn bytes.
    """

    def __init__(self, flash, cut_at=0, tear=CLEAN, seed=0):
        self.operations = 0
        self._flash = flash
        self._blocks = flash.blocks
        self._cut_at = cut_at
        self._tear = tear
        self._seed = seed
        self._is_ghost = False

    def cut(self):
        """The power goes. From here on nothing reaches the flash."""
        for ghost, block in zip(_GHOST, self._blocks):
            ghost[:] = block or _ERASED
        self._blocks = _GHOST
        self._is_ghost = True

    def readblocks(self, number, buffer, offset=0):
        if self._is_ghost:
            _copy(buffer, 0, self._blocks[number], offset, len(buffer))
        else:
            block = self._blocks[number] or _ERASED
            buffer[:] = block[offset : offset + len(buffer)]

    def writeblocks(self, number, buffer, offset=0):
        if self._is_ghost:
            _copy(self._blocks[number], offset, buffer, 0, len(buffer))
            return
        data = bytes(buffer)
        block = self._blocks[number]
        if block is None:
            block = self._blocks[number] = bytearray(_ERASED)
        self.operations += 1
        if self.operations == self._cut_at:
            _program(block, offset, self._torn(data, block[offset : offset + len(data)]))
            self.cut()
            raise PowerCut
        _program(block, offset, data)

    def ioctl(self, operation, argument):
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self._erase(argument)
        return 0

    def _erase(self, number):
        if self._is_ghost:
            _copy(self._blocks[number], 0, _ERASED, 0, BLOCK_BYTES)
            return
        self.operations += 1
        if self.operations == self._cut_at:
            self._blocks[number] = bytearray(self._torn(_ERASED, self._blocks[number] or _ERASED))
            self.cut()
            raise PowerCut
        self._blocks[number] = None
        self._flash.erases[number] += 1

    def _torn(self, new, old):
        """What the cut leaves where `new` was to replace `old`."""
        if self._tear == CLEAN:
            return old
        if self._tear == WHOLE:
            return new
        random.seed(self._seed * 65_537 + self.operations)
        done = random.randrange(1, len(new))
        if self._tear == PART:
            return new[:done] + old[done:]
        return new[:done] + bytes([random.getrandbits(8) for _ in range(len(new) - done)])


def _copy(to, to_offset, source, offset, count):
    """Byte by byte: a slice would take heap, which a finaliser finds locked."""
    for i in range(count):
        to[to_offset + i] = source[offset + i]


def _program(block, offset, data):
    """Programming can only clear bits; littlefs reads back what it wrote and would notice."""
    end = offset + len(data)
    if block[offset:end] != _ERASED[: len(data)]:
        data = bytes([old & new for old, new in zip(block[offset:end], data)])
    block[offset:end] = data
