"""The messages of an update over the air that a pile reads before the download: tables as in messages.py. A
module of their own, because a pile imports it only for such a message. chunk.py has those of the download.
"""

from . import messages, topics

MANIFEST_MAX_BYTES = 8_000
OFFERED_MANIFEST_MAX_BYTES = 3_000  # in the offer itself
OFFER_MAX_BYTES = 4_096
CONFIG_MAX_BYTES = 4_096

# kind update: manifest_sha256, manifest_bytes and signature are those of the release for this pile's board;
# the pile fetches the manifest as it fetches a file. again: a person offers a release from which this pile
# went back. kind cancel: the download of `release` is to be dropped.
# manifest: in place of the first two, for a pile whose hello does not tell `fetches_manifest`, and from a
# cloud that does not know that member.
UPDATE = (
    "{ kind =update|cancel device_id D issued_at A expires_at A release RELEASE"
    " manifest_sha256? M manifest_bytes? n2..%d manifest? t2..%dp signature? t128..128h again? b mac M }"
    % (MANIFEST_MAX_BYTES, OFFERED_MANIFEST_MAX_BYTES)
)
# values: a member that is absent stays as it is; null takes it back to what was written by cable.
CONFIG = (
    "{ kind =config device_id D issued_at A expires_at A version n1..2147483647 values {"
    " wifi2? ? { ssid t1..32a password t0..63p !}"
    " broker? ? { host t1..253p port n1..65535 !}"
    " ca? ? t64..3000a"
    " ntp? ? t1..253p"
    " limits? ? { max_current_ma? n1000..200000 max_temperature_c? n40..120 feed_ma? n1000..1000000 !}"
    " !} mac M }"
)

BY_TOPIC = {topics.UPDATE: UPDATE, topics.CONFIG: CONFIG}
MAX_BYTES = {topics.UPDATE: OFFER_MAX_BYTES, topics.CONFIG: CONFIG_MAX_BYTES}


def decode(name, data):
    """The message of topic `name` in `data` (bytes), checked field by field. Raises MessageError.
    Does not check the seal: see seal.check, which comes first.
    """
    value = messages.parse_json(data, MAX_BYTES[name], is_trusted=True)
    messages.validate(BY_TOPIC[name], value)
    return value
