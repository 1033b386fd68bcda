"""Runs on the MicroPython under measurement.

    run.py IMAGE RIG boot          the pile itself: boot.py and main.py of the working folder, which has the
                                   slots, or of the image; with `watch` it tells its live heap as that grows
    run.py IMAGE RIG import NAMES  what each import costs

IMAGE: a folder of .mpy files, or a ROMFS image; that is mapped into memory, so that its code stays outside
the heap as it does in a chip's flash. Without ffi (not every unix port has it) the image lies in the heap,
and its size is told so that it can be left out.
"""

import gc
import os
import sys


def _mapped(path):
    """(the bytes of a file, how many of them lie in the heap)."""
    size = os.stat(path)[6]
    try:
        import ffi
        import uctypes

        libc = ffi.open("libc.so.6")
        fd = libc.func("i", "open", "si")(path, 0)
        address = libc.func("p", "mmap", "piiiii")(0, size, 1, 2, fd, 0)  # PROT_READ, MAP_PRIVATE
        return uctypes.bytearray_at(address, size), 0
    except ImportError:
        with open(path, "rb") as file:
            return file.read(), size


def _mount(image):
    if not image.endswith(".romfs"):
        return 0
    import vfs

    data, in_heap_bytes = _mapped(image)
    vfs.mount(vfs.VfsRom(data), "/rom")
    sys.path.insert(0, "/rom")
    return in_heap_bytes


def _tell(name):
    import micropython

    gc.collect()
    print("#", name, gc.mem_alloc())
    micropython.qstr_info()


def main():
    _, image, rig, what = sys.argv[:4]
    del sys.path[:]
    sys.path.extend((rig, ".frozen"))
    import esp32  # noqa: F401 - a chip's own modules are not in its heap
    import machine  # noqa: F401
    import measure
    import network  # noqa: F401

    in_heap_bytes = _mount(image)
    _tell("base")
    print("# image", in_heap_bytes)
    in_folder = not image.endswith(".romfs")
    if what == "import":
        sys.path.insert(0, image)
        for name in sys.argv[4:]:
            __import__(name)
            _tell(name)
        return
    measure.watching = "watch" in sys.argv
    sys.path.insert(0, "")
    for name in ("boot.py", "main.py"):
        with open(("" if in_folder else "/rom/") + name) as file:
            code = compile(file.read(), name, "exec")  # the text does not stay in the heap, as on a chip
        exec(code, {"__name__": "__main__"})


main()
