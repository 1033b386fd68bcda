"""What an ESP32 has for a pile: the heap that grows, and the chip's own RAM out of which it grows.

The figures are of MicroPython's own ESP32_GENERIC image, 1.27, in an emulator of the chip; an ESP32-C3 and
an ESP32-S3 have more RAM and have not been measured. The heap begins with one area. When it is full it
doubles, or takes the largest free block where that is smaller, and keeps it (py/gc.c, gc_try_add_heap).
"""

from __future__ import annotations

from dataclasses import dataclass

AREA_BYTES = 57_344  # the first area, and the second
AREAS_USABLE_BYTES = 112_000  # of both, without the tables of the collector
BOOT_FREE_BYTES = (
    165_408  # gc.mem_free() at boot: of the first area, and the largest block of the chip's own RAM
)
RAM_FREE_BYTES = 143_564  # the chip's own RAM at boot
SYSTEM_BYTES = 6_972  # what else is taken from it until the pile runs
WIFI_BYTES = 39_808
SOCKETS_BYTES = 5_300
TLS_BYTES = 30_000  # for a moment, at each connection, in blocks of up to 16 KB
STEP_BYTES = 8_192  # what may be allocated between two collections (drivers/esp32/board.py)
TARGET_BYTES = 16_384


@dataclass(frozen=True)
class Verdict:
    """heap_left_bytes: of the first two areas, at the worst moment. ram_left_bytes: of the chip's
    own RAM, during a handshake. spare_bytes: of both together, if the heap were no larger than it must be.
    """

    heap_left_bytes: int
    ram_left_bytes: int
    spare_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the heap never takes a third area: after that no handshake finds its blocks."""
        return self.heap_left_bytes >= 0 and self.ram_left_bytes >= 0

    def __str__(self) -> str:
        return (
            f"on an ESP32: {self.heap_left_bytes} bytes of the heap's first {AREAS_USABLE_BYTES} are left"
            f" at the worst moment, {self.ram_left_bytes} of the chip's own RAM; {self.spare_bytes} to"
            f" spare in all, {TARGET_BYTES} wanted"
        )


def judge(alive_bytes: int, tls: bool) -> Verdict:
    """alive_bytes: the most that was alive in a 32-bit heap."""
    needed = alive_bytes + STEP_BYTES
    tls_bytes = TLS_BYTES if tls else 0
    outside = AREA_BYTES + SYSTEM_BYTES + WIFI_BYTES + SOCKETS_BYTES + tls_bytes
    return Verdict(
        AREAS_USABLE_BYTES - needed,
        RAM_FREE_BYTES - outside,
        BOOT_FREE_BYTES - WIFI_BYTES - tls_bytes - needed,
    )
