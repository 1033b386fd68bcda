"""The first boot with a Wi-Fi: there, not there, refusing, lost and found."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.boards.kit import WIFI, config, expect
from tests.net.server import Server
from tools.harness.ports import free_port


def air(boot, **conditions: Any) -> None:
    new = boot.flash / "air.new"
    new.write_text(json.dumps({**WIFI, **conditions}, ensure_ascii=False))
    new.replace(boot.flash / "air.json")


@pytest.mark.parametrize(
    ("conditions", "line"),
    [
        ({"ssid": "Elsewhere"}, "no network 'Courtyard' in reach"),
        ({"password": "wrong"}, "'Courtyard' refuses the password: provision this pile again"),
        ({"dhcp": False}, "'Courtyard' gives no address: look at the DHCP server"),
        ({"refuses": 202}, "refuses the password"),
        ({"refuses": 211}, "set its router to WPA2"),
        ({"refuses": 203}, "refuses (reason 203)"),
    ],
)
def test_no_wifi(boot, conditions: dict[str, Any], line: str) -> None:
    air(boot, **conditions)
    pile = boot(config(wifi=WIFI), "import net.wifi as w; w.CONNECT_MS = 600; w.RETRY_MS = 50")
    expect(pile, line, "NO_WIFI")
    # It goes on trying, says the same thing once, and is there as soon as the network is.
    air(boot)
    pile.wait_for_line("Wi-Fi: connected")
    assert sum(line in said for said in pile.lines) == 1
    expect(pile, "no connection to the broker", "NO_BROKER")


def test_a_damaged_module_of_the_log_does_not_stop_the_network(boot) -> None:
    """A damaged trouble.mpy ended the task that logged. If that was the time server's, the broker was never
    tried.
    """
    air(boot, ssid="Elsewhere")
    damage = "import sys; sys.modules['trouble'] = None"
    pile = boot(config(wifi=WIFI), f"{damage}; import net.wifi as w; w.CONNECT_MS = 600; w.RETRY_MS = 50")
    expect(pile, "wifi: (201, 'Courtyard')", "NO_WIFI")
    assert not any("it begins again" in said for said in pile.lines)


@pytest.mark.parametrize("name", ["充电桩 2 号院", "Hof 🔌", "é" * 16])
def test_a_wifi_has_a_name_of_any_script(boot, name: str) -> None:
    wifi = WIFI | {"ssid": name}
    air(boot, **wifi)
    pile = boot(json.dumps(config(wifi=wifi), ensure_ascii=False))
    pile.wait_for_line("Wi-Fi: connected")


@pytest.mark.parametrize("name", ["", "é" * 17, "Court\nyard", 7])
def test_what_no_wifi_can_be_called_is_refused(boot, name: object) -> None:
    pile = boot(config(wifi=WIFI | {"ssid": name}))
    pile.wait_for_line("wifi.ssid: must be text of 1 to 32 bytes in UTF-8: provision this pile again")


def test_without_wifi_the_broker_is_not_even_tried(boot) -> None:
    air(boot, ssid="Elsewhere")
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        pile = boot(config(listener.getsockname()[1], wifi=WIFI), "import net.wifi as w; w.RETRY_MS = 50")
        expect(pile, "no network 'Courtyard'", "NO_WIFI")
        assert not any("broker" in said for said in pile.lines)
        air(boot)
        listener.settimeout(20)
        listener.accept()[0].close()
    finally:
        listener.close()


def test_wifi_lost_and_found(boot) -> None:
    air(boot)
    fast = "import net.wifi as w; w.CONNECT_MS = 600; w.RETRY_MS = 50; w.WATCH_MS = 50"
    pile = boot(config(free_port(), wifi=WIFI), fast)
    pile.wait_for_line("Wi-Fi: connected")
    air(boot, ssid="Elsewhere")
    expect(pile, "lost the network 'Courtyard'", "NO_WIFI")
    seen = pile.line_count
    air(boot)
    pile.wait_for_line("Wi-Fi: connected", after=seen)


def test_a_connection_that_outlives_a_gap_in_the_wifi(boot) -> None:
    """The chip keeps its address for two minutes; the broker is still there, and the light must say so."""
    air(boot)
    fast = "import net.wifi as w; w.CONNECT_MS = 600; w.RETRY_MS = 50; w.WATCH_MS = 50"
    with Server() as server:
        pile = boot(config(server.port, wifi=WIFI), fast)
        server.welcome()
        expect(pile, "connected to the broker", "READY")
        air(boot, ssid="Elsewhere")
        expect(pile, "lost the network 'Courtyard'", "NO_WIFI")
        seen = pile.line_count
        air(boot)
        pile.wait_for_json(
            lambda event: event.get("event") == "light" and event["pattern"] == "READY", after=seen
        )
        assert not any("NO_BROKER" in said for said in pile.lines[seen:])
