"""The live heap, told on stdout as a JSON line whenever it has grown."""

import gc

GROWN_BYTES = 64

watching = False
_peak_bytes = 0


def look():
    """Called by the rig's watchdog, so once a cycle."""
    global _peak_bytes
    if not watching:
        return
    gc.collect()
    live_bytes = gc.mem_alloc()
    if live_bytes >= _peak_bytes + GROWN_BYTES:
        _peak_bytes = live_bytes
        print('{"live_bytes": %d}' % live_bytes)
