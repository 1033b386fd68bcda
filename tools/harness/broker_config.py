"""The configuration of mosquitto: no anonymous clients, an ACL by direction, bounds for each client."""

from __future__ import annotations

import os
from pathlib import Path

from cloud_stub.piles import broker_acl, broker_passwords

QUEUED_MESSAGES = 200_000
QUEUED_BYTES = 64 << 20  # of one client: some 100,000 settlements
PACKET_BYTES = 65 << 10
MEMORY_BYTES = 512 << 20

# Of a listener for piles alone: whatever client id a pile names, it gets its user name for one, so it cannot
# end another client's connection or leave sessions behind. Not where several clients are the user `cloud`.
USERNAME_IS_CLIENT_ID = "use_username_as_clientid true"

# Every path is relative: the broker runs in the folder, on this machine and in its container alike.
_CONFIG = """\
# Written by tools/harness/broker.py at every start; changes made here are lost.
{listener}
{user}
allow_anonymous false
password_file passwd
acl_file acl

# One small message at a time, answered at once: Nagle's algorithm would add 44 ms to each hop.
set_tcp_nodelay true
# For a cloud that is away; the default of 1000 messages would soon be full. What does not fit is dropped and
# counted ($SYS/broker/publish/messages/dropped); a pile sends its settlement until the cloud has stored it.
# mosquitto 2.0 regards max_queued_bytes only where the other two are set.
max_queued_messages {queued_messages}
max_queued_bytes {queued_bytes}
max_inflight_bytes {queued_bytes}
# The cloud acknowledges after its commit, many at once; the default of 20 would throttle it.
max_inflight_messages 1000
# More than the cloud reads of any message; the sender of anything bigger is disconnected.
max_packet_size {packet_bytes}
# Of the whole broker, when all else fails: well above the bounds of queues and retained messages.
memory_limit {memory_bytes}
persistent_client_expiration 14d

# Sessions and retained messages over a restart. No settlement depends on it: piles send until it is stored.
persistence true
persistence_location ./
autosave_interval 30

log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
log_timestamp_format %Y-%m-%dT%H:%M:%S%z
"""


def config(listener: str) -> str:
    # Started by root, mosquitto would become the user `mosquitto`, who cannot enter a folder under /root.
    user = "user root" if os.getuid() == 0 else "# not started by root: runs as who started it"
    return _CONFIG.format(
        listener=listener,
        user=user,
        queued_messages=QUEUED_MESSAGES,
        queued_bytes=QUEUED_BYTES,
        packet_bytes=PACKET_BYTES,
        memory_bytes=MEMORY_BYTES,
    )


def write(folder: Path, listener: str) -> None:
    """Writes mosquitto.conf and acl into `folder`, whose passwd names the users."""
    path = folder / "mosquitto.conf"
    path.write_text(config(listener))
    path.chmod(0o600)
    broker_acl.write(folder, broker_passwords.usernames(folder / "passwd"))
