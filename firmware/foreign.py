"""Files that hide a module of MicroPython: a stray asyncio.py in the root is imported in its place."""

import uos  # with the u, the file system is never asked

from drivers import patterns

_NAMES = (
    "asyncio", "binascii", "errno", "esp32", "gc", "hashlib", "io", "json", "machine", "micropython",
    "network", "ntptime", "os", "random", "select", "socket", "ssl", "struct", "sys", "time", "tls", "vfs",
)  # fmt: skip


def found():
    """The names of such files and folders in the current folder."""
    names = []
    for name in uos.listdir():
        module, _, kind = name.partition(".")
        if module in _NAMES and kind in ("", "py", "mpy"):  # of a network.json there is nothing to import
            names.append(name)
    return names


def tell(board):
    """Says so on the console and on the light, which stays so until the pile gets further."""
    names = found()
    if not names:
        return
    for name in names:
        board.log("%s is in the way of MicroPython's own: remove it (mpremote rm :%s)" % (name, name))
    light = board.indicator()
    light.show(patterns.NO_FLASH)
    light.keep()
