"""The status message of a booting pile is one that the cloud accepts, whatever the chip cannot measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boards.kit import printed_by
from tests.boards.test_whole_pile import CONFIG
from tools import ROOT
from tools.board.pins import FAKES

STATUS = """
import lab, app, assembly, board, config, settings
from net.wifi import Station
from pile_protocol import messages, wire
equipment = board.equipment()
found = settings.read()
pile = assembly.assemble(*found, equipment, None, "test")

class Wlan:
    def status(self, what):
        return {rssi}

pile.station = Station(Wlan(), [("", "")], None)
board.memory = lambda: {memory}
for _ in range(2):
    data = messages.encode(pile.controller.status(pile.vitals())).encode()
status = messages.parse_json(data)
messages.validate(wire.STATUS, status)
print([name for name in ("heap_free_bytes", "heap_min_free_bytes", "wifi_rssi_dbm") if name in status])
"""


@pytest.mark.parametrize(
    ("memory", "rssi", "told"),
    [
        ("(20000, 43000, 23000)", "-60", ["heap_free_bytes", "heap_min_free_bytes", "wifi_rssi_dbm"]),
        ("(None, 43000, 23000)", "-60", ["wifi_rssi_dbm"]),
        ("(20000, None, None)", "31", ["heap_free_bytes", "heap_min_free_bytes"]),
    ],
)
def test_what_cannot_be_measured_is_left_out(tmp_path: Path, memory: str, rssi: str, told: list[str]) -> None:
    (tmp_path / "config.json").write_text(CONFIG)
    path = [FAKES / "fakes", FAKES / "hand_clock", ROOT / "boards" / "esp32-devkitc", ROOT / "firmware"]
    printed = printed_by(STATUS.format(memory=memory, rssi=rssi), path, tmp_path)
    assert printed.splitlines()[-1] == repr(told)
