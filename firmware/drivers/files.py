"""The store contract over a file system that replaces a file's content when it is closed (littlefs does)."""

import errno
import os

_FOLDER = 0x4000  # in st_mode


class FileStore:
    """Files in one folder. On littlefs a file opened with "wb" is old until close() and new after it, at any
    cut; a short one is rewritten inside its metadata, which spares the flash.
    """

    def __init__(self, folder):
        self._folder = folder
        try:
            os.mkdir(folder)
        except OSError:
            # It is there already; or a file is in its place, or there is nothing to store in: OSError.
            if not os.stat(folder)[0] & _FOLDER:
                raise OSError(errno.EEXIST)

    def read(self, name):
        try:
            with open(self._path(name), "rb") as file:
                return file.read()
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return None

    def write(self, name, data):
        with open(self._path(name), "wb") as file:
            file.write(data)

    def append(self, name, data):
        with open(self._path(name), "ab") as file:
            file.write(data)

    def lines(self, name):
        with open(self._path(name), "rb") as file:
            for line in file:
                yield line

    def remove(self, name):
        try:
            os.remove(self._path(name))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def names(self):
        return os.listdir(self._folder)

    def free_bytes(self):
        stats = os.statvfs(self._folder)
        # littlefs may count a block twice: where it is full, the number of free ones falls below 0 and wraps.
        return stats[0] * stats[3] if stats[3] <= stats[2] else 0

    def _path(self, name):
        return self._folder + "/" + name
