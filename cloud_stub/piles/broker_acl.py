"""The broker's access list, in mosquitto's own format: who may read and write which topics.

The cloud reaches every pile's topics; a pile (username %u) only its own, each in its direction; a read-only
login (monitors.py) reads MONITORED of every pile and writes nothing.
"""

from collections.abc import Iterable
from pathlib import Path

from pile_protocol import topics

from ..messaging.mqtt import BROKER_DROPPED

CLOUD_USER = "cloud"  # no pile may be called that
# Not the configuration over the air, which may hold the password of a Wi-Fi network, nor releases.
MONITORED = (*(name for name in topics.DOWNWARD if name not in topics.UPDATES), *topics.UPWARD)
MONITOR_PREFIX = "monitor."  # of the user names of read-only logins: no device id has a dot


def text(users: Iterable[str]) -> str:
    """The file's content. users: all who may connect; read-only logins among them get lines of their own."""
    lines = [
        "# Written whenever the broker starts or its users change; changes made here are lost.",
        f"user {CLOUD_USER}",
        f"topic readwrite {topics.PREFIX}#",
        f"topic read {BROKER_DROPPED}",
        "",
    ]
    for user in sorted(user for user in users if user.startswith(MONITOR_PREFIX)):
        lines += [f"user {user}", *(f"topic read {topics.topic('+', name)}" for name in MONITORED)]
        lines += [f"topic deny {topics.topic(user, '#')}", ""]  # the patterns below hold for every user
    lines += [f"pattern read {topics.topic('%u', name)}" for name in topics.DOWNWARD]
    lines += [f"pattern write {topics.topic('%u', name)}" for name in topics.UPWARD]
    return "\n".join(lines) + "\n"


def write(folder: Path, users: Iterable[str]) -> None:
    """Replaces `acl` in the broker's folder as a whole."""
    path = folder / "acl"
    made = path.with_name("acl.new")
    made.unlink(missing_ok=True)
    made.touch(0o600)
    made.write_text(text(users))
    made.replace(path)
