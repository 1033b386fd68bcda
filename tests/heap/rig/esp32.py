"""What the board asks of `esp32`: regions of the chip's own RAM, as (size, free, largest block, lowest
free).
"""

HEAP_DATA = 0


def idf_heap_info(capabilities):
    return [(200_000, 60_000, 40_000, 30_000)]
