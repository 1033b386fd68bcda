"""The store of a PC, whose file systems truncate a file at opening: a new file takes the place of the old."""

import os

from drivers.files import FileStore

_NEW = ".new"  # being written
_NEXT = ".next"  # whole: it counts, and the old one is to go


class SimStore(FileStore):
    """A power cut is a killed process here: what the kernel has is durable.

    The old file is removed before the new one takes its name. A rename that replaces a file would do in one
    call, but ext4 then writes the data out at once, which costs a millisecond and protects from nothing here.
    """

    def __init__(self, folder):
        super().__init__(folder)
        for name in super().names():
            if name.endswith(_NEXT):  # killed in between
                self._replace(name[: -len(_NEXT)])

    def write(self, name, data):
        super().write(name + _NEW, data)
        os.rename(self._path(name + _NEW), self._path(name + _NEXT))
        self._replace(name)

    def names(self):
        return [name for name in super().names() if not name.endswith(_NEW)]

    def _replace(self, name):
        self.remove(name)
        os.rename(self._path(name + _NEXT), self._path(name))
