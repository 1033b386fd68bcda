"""The configuration of mosquitto: one listener, no anonymous clients, an ACL by direction."""

from __future__ import annotations

import os
from pathlib import Path

from cloud_stub.piles.broker_passwords import CLOUD_USER
from pile_protocol import topics

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
# 0 is unlimited: the default of 1000 silently drops acknowledged messages for a cloud that is away.
max_queued_messages 0
# The cloud acknowledges after its commit, many at once; the default of 20 would throttle it.
max_inflight_messages 1000
# Eight times the largest message there is; the sender of anything bigger is disconnected.
max_packet_size 131072
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
    return _CONFIG.format(listener=listener, user=user)


def acl() -> str:
    """The cloud reaches every pile's topics; a device (username %u) only its own, each in its direction."""
    lines = [
        "# Written by tools/harness/broker.py at every start; changes made here are lost.",
        f"user {CLOUD_USER}",
        f"topic readwrite {topics.PREFIX}#",
        "",
    ]
    lines += [f"pattern read {topics.topic('%u', name)}" for name in topics.DOWNWARD]
    lines += [f"pattern write {topics.topic('%u', name)}" for name in topics.UPWARD]
    return "\n".join(lines) + "\n"


def write(folder: Path, listener: str) -> None:
    """Writes mosquitto.conf and acl into `folder`."""
    for name, text in (("mosquitto.conf", config(listener)), ("acl", acl())):
        path = folder / name
        path.write_text(text)
        path.chmod(0o600)
