"""The checksum around every file in flash: its content, a newline, the CRC-32 of the content in hex."""

import binascii

TRAILER_BYTES = 9


def framed(content):
    """`content` (bytes) with its checksum line."""
    return content + b"\n%08x" % (binascii.crc32(content) & 0xFFFFFFFF)


def unframed(data):
    """The content of framed bytes, or None if the checksum does not fit."""
    content = data[:-TRAILER_BYTES]
    return content if len(data) >= TRAILER_BYTES and framed(content) == data else None
