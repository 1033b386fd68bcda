"""What all boards of an ESP32 share. A board.py imports every name from here once its relays are open."""

FEED = None
TRIAL_MS = None
GC_STEP_BYTES = 8_192
REST_MS = 100  # the light and the watchdog need ten cycles a second

_RESET_CAUSES = ("Unknown", "PowerOn", "Hard", "Watchdog", "DeepSleep", "Soft")  # by machine.reset_cause()


def store():
    from drivers.files import FileStore

    return FileStore("flash")


def watchdog():
    from drivers.esp32.watchdog import Watchdog

    return Watchdog()


def set_utc(at):
    from drivers.esp32 import rtc

    rtc.set_utc(at)


def set_calendar(at):
    from drivers.esp32 import rtc

    rtc.set_calendar(at)


def utc():
    from drivers.esp32 import rtc

    return rtc.utc()


def chip():
    import binascii

    import machine

    return binascii.hexlify(machine.unique_id()).decode()


def reset_cause():
    """A brown-out counts as PowerOn; machine.reset() and a panic of the chip count as Hard."""
    import machine

    cause = machine.reset_cause()
    return _RESET_CAUSES[cause] if 0 <= cause < len(_RESET_CAUSES) else "Unknown"


def restart():
    import machine

    machine.reset()


def memory():
    """(heap free, chip RAM free, its lowest since boot), bytes.

    gc.mem_free() of an ESP32 adds the largest free block of the chip's own RAM, into which the heap could
    grow; it is taken off here. idf_heap_info() gives (size, free, largest block, lowest free) of each region.
    The heap is None where the difference is negative: that build does not add the block, or adds another one
    (a board with PSRAM).
    """
    import gc

    import esp32

    free = largest = lowest = 0
    for region in esp32.idf_heap_info(esp32.HEAP_DATA):
        free += region[1]
        largest = max(largest, region[2])
        lowest += region[3]
    heap = gc.mem_free() - largest
    return None if heap < 0 else heap, free, lowest


def log(text):
    print(text)
