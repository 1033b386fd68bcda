"""The answers to what a pile asks for during a download. A module of their own: no other message of an update
needs to be read then.
"""

from . import messages

PART_MAX_BYTES = 1_536  # of a file, in one message: such a message is smaller than most orders
MAX_BYTES = 2_304  # base64, and the members around it
# Not sealed: the manifest is signed, and names each file by its SHA-256.
UPDATE_CHUNK = "{ release RELEASE file M offset n0..16777215 data t4..2048b }"


def decode(data):
    """The message of topics.UPDATE_CHUNK in `data` (bytes), checked field by field. Raises MessageError."""
    value = messages.parse_json(data, MAX_BYTES)
    messages.validate(UPDATE_CHUNK, value)
    return value
