"""An `esp32` for the unix port: the chip's own RAM, as idf_heap_info() gives it."""

HEAP_DATA = 4
HEAP_EXEC = 1

regions = [(7_288, 5_000, 4_000, 3_000), (113_840, 38_000, 31_744, 20_000)]  # (size, free, largest, lowest)


def idf_heap_info(capabilities):
    return list(regions)
