"""Whether a chip has the memory for a configuration: a classic ESP32 has none for compiled files and TLS."""

from __future__ import annotations

import json
from typing import Any

from tools.board.deploy import DeployError
from tools.board.deploy.line import Line

CONFIG = "config.json"
TOO_SMALL = ("esp32",)  # docs/hardware.md, "Heap"
PSRAM_BYTES = 1_000_000  # gc.mem_free() of a chip without PSRAM is below
_IN_FILES = "any([name in os.listdir() for name in ('slots.state', 'ratelock.mpy', 'app.mpy', 'app.py')])"
REFUSAL = (
    "MQTT over TLS does not fit a classic ESP32 whose firmware lies in files: connections fail for want of"
    " memory, and settlements stay unsent. Use an ESP32-S3, a board with PSRAM, or an image with the pile"
    " frozen in (docs/adding-a-board.md). --unencrypted is for a network of your own only"
)


def configuration(line: Line) -> dict[str, Any]:
    """The board's config.json; {} if it has none that can be read."""
    try:
        values = json.loads(line.read(CONFIG) or b"{}")
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def refuse_tls(line: Line, config: dict[str, Any], will_be_in_files: bool = False) -> None:
    """Raises DeployError if the configuration asks for TLS, the firmware lies in files or will do so, and the
    chip has no memory for both.
    """
    broker = config.get("broker")
    if not isinstance(broker, dict) or "ca" not in broker or line.about().chip not in TOO_SMALL:
        return
    line.exec("import gc, os\ngc.collect()")
    if line.eval("gc.mem_free()") < PSRAM_BYTES and (will_be_in_files or line.eval(_IN_FILES)):
        raise DeployError(REFUSAL)
