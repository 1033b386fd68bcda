"""What the board asks of `esp32`: regions of the chip's own RAM, as (size, free, largest block, lowest
free).

gc.mem_free() of a PC's interpreter counts the heap alone, so no block may be taken off it: the largest is 0.
"""

HEAP_DATA = 0


def idf_heap_info(capabilities):
    return [(200_000, 60_000, 0, 30_000)]
