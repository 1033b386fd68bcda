"""The store of a PC, whose file systems truncate a file at opening: a new file is renamed over the old."""

import os

from drivers.files import FileStore

_NEW = ".new"


class SimStore(FileStore):
    def write(self, name, data):
        super().write(name + _NEW, data)
        os.rename(self._path(name + _NEW), self._path(name))

    def names(self):
        return [name for name in super().names() if not name.endswith(_NEW)]
