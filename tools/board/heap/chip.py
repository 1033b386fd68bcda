"""What a chip has for a pile: the heap that grows, and the chip's own RAM out of which it grows.

A heap begins with one area. When it is full it doubles, or takes the largest free block where that is
smaller, and keeps it (py/gc.c, gc_try_add_heap).
"""

from __future__ import annotations

from dataclasses import dataclass

AREA_BYTES = 57_344  # the first area, and the second
AREA_USABLE_BYTES = 56_000  # of one, without the tables of the collector
AREAS_USABLE_BYTES = 112_000  # of both
STEP_BYTES = 8_192  # what may be allocated between two collections (drivers/esp32/board.py)
TARGET_BYTES = 16_384  # to spare with TLS

# Taken from the chip's own RAM, in an emulator of the ESP32; the other chips are taken to need as much.
SYSTEM_BYTES = 6_972  # until the pile runs
WIFI_BYTES = 39_808
SOCKETS_BYTES = 5_300
TLS_BYTES = 30_000  # for a moment, at each connection, in blocks of up to 16 KB


@dataclass(frozen=True)
class Chip:
    """ram_free_bytes: of the chip's own RAM at boot, beside the heap's first area. No PSRAM."""

    name: str
    ram_free_bytes: int
    source: str


CHIPS = (
    Chip("ESP32", 143_564, "MicroPython's ESP32_GENERIC image, 1.27, in an emulator of the chip"),
    Chip(
        "ESP32-C3",
        139_264,
        "estimate: the largest block that a board told at boot, 1.22 (micropython issue 14293)",
    ),
    Chip(
        "ESP32-S3",
        173_332,
        "estimate: 230,676 free of the largest region, heap in PSRAM, 1.20 (micropython issue 12075), less"
        " the first area",
    ),
)


@dataclass(frozen=True)
class Verdict:
    """heap_left_bytes: of the heap's first two areas, at the worst moment. ram_left_bytes: of the chip's own
    RAM, with TLS during a handshake.
    """

    chip: Chip
    tls: bool
    heap_left_bytes: int
    ram_left_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the heap never takes a third area (after that no handshake finds its blocks), and with TLS
        the chip's own RAM has TARGET_BYTES to spare.
        """
        return self.heap_left_bytes >= 0 and self.ram_left_bytes >= (TARGET_BYTES if self.tls else 0)

    def __str__(self) -> str:
        return (
            f"{self.chip.name}{' with TLS' if self.tls else ''}: {'fits' if self.fits else 'DOES NOT FIT'};"
            f" {self.heap_left_bytes} bytes of the heap's first {AREAS_USABLE_BYTES} are left at the worst"
            f" moment, {self.ram_left_bytes} of the chip's own RAM"
        )


def judge(alive_bytes: int, tls: bool, chip: Chip = CHIPS[0]) -> Verdict:
    """alive_bytes: the most that was alive in a 32-bit heap."""
    needed = alive_bytes + STEP_BYTES
    second_bytes = AREA_BYTES if needed > AREA_USABLE_BYTES else 0
    taken = second_bytes + SYSTEM_BYTES + WIFI_BYTES + SOCKETS_BYTES + (TLS_BYTES if tls else 0)
    return Verdict(chip, tls, AREAS_USABLE_BYTES - needed, chip.ram_free_bytes - taken)
