"""The files of the slot that an update is written to. Every method raises OSError if the flash fails."""

import errno
import os


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

    def _path(self, name):
        return self._folder + "/" + name
