"""The files of the slot that an update is written to. Every method raises OSError if the flash fails."""

import errno
import os

BLOCK_BYTES = 4_096  # a file on littlefs takes whole blocks
_FOLDER = 0x4000  # in st_mode


class SlotFiles:
    """folder: that of the slot, slots.State.other."""

    def __init__(self, folder):
        self._folder = folder

    def size(self, name):
        """The size of a file in bytes; None if there is no such file."""
        try:
            return os.stat(self._path(name))[6]
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return None

    def append(self, name, data):
        """Adds `data` to a file; durable when this returns. Makes the file, and folders around it."""
        path = self._path(name)
        at = path.find("/", len(self._folder) + 1)
        while at > 0:
            try:
                os.mkdir(path[:at])
            except OSError as error:
                if error.errno != errno.EEXIST:
                    raise
            at = path.find("/", at + 1)
        with open(path, "ab") as file:
            file.write(data)

    def open(self, name):
        """A file to read from."""
        return open(self._path(name), "rb")

    def remove(self, name):
        try:
            os.remove(self._path(name))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def room_bytes(self):
        """The free bytes of the flash, plus those that the slot's own files take."""
        stats = os.statvfs(".")
        # littlefs may count a block twice. If it is full, the number of free blocks falls below 0 and wraps.
        free = stats[0] * stats[3] if stats[3] <= stats[2] else 0
        return free + _used_bytes(self._folder)

    def _path(self, name):
        return self._folder + "/" + name


def blocks_bytes(size):
    """The flash that a file of `size` bytes takes, in bytes."""
    return (size + BLOCK_BYTES - 1) // BLOCK_BYTES * BLOCK_BYTES


def _used_bytes(folder):
    used = 0
    try:
        names = os.listdir(folder)
    except OSError:
        return 0  # the folder does not exist
    for name in names:
        stats = os.stat(folder + "/" + name)
        used += _used_bytes(folder + "/" + name) if stats[0] & _FOLDER else blocks_bytes(stats[6])
    return used
