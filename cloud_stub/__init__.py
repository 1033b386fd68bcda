"""RateLock's cloud: HTTP for phones and operators, MQTT for piles, one database behind both."""

import sys
from pathlib import Path

# The wire contract is one set of files, kept where the pile's own file system is.
_FIRMWARE = str(Path(__file__).resolve().parent.parent / "firmware")
if _FIRMWARE not in sys.path:
    sys.path.append(_FIRMWARE)
