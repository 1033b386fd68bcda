"""Files that hide a module of MicroPython: asyncio.py in the root folder is imported instead of asyncio."""

import uos  # MicroPython never looks for this name in the file system, as it would for `os`

_NAMES = (
    "asyncio binascii errno esp32 gc hashlib io json machine micropython network ntptime os random select"
    " socket ssl struct sys time tls vfs"
)


def found():
    """The names of such files and folders in the current folder."""
    hidden = _NAMES.split()
    names = []
    for name in uos.listdir():
        module, _, kind = name.partition(".")
        if module in hidden and kind in ("", "py", "mpy"):  # a network.json is never imported
            names.append(name)
    return names


def tell(board):
    """Prints such names on the console; the light shows NO_FLASH until the pile has started."""
    names = found()
    if not names:
        return
    for name in names:
        board.log("%s is in the way of MicroPython's own: remove it (mpremote rm :%s)" % (name, name))
    # Imported here, because it brings the whole firmware, and the heap is to be whole until main.py.
    from drivers import patterns

    light = board.indicator()
    light.show(patterns.NO_FLASH)
    light.keep()
