"""The Wi-Fi station against a chip whose events come when they come."""

from __future__ import annotations

import pytest

from tests.boards.kit import printed_by
from tools import ROOT

# The ESP32's WLAN: `associated` and the events of its other task, which need UP_MS for a connection.
RIG = """
import asyncio, time
from net import wifi
wifi.RETRY_MS = 200
wifi.WATCH_MS = wifi._POLL_MS = 10
UP_MS = 100

class Wlan:
    wanted = False
    left = False
    began_ms = 0
    name_server = "192.0.2.1"
    def active(self, active): pass
    def config(self, reconnects): assert reconnects == 0
    def disconnect(self):
        self.left = self.isconnected()
        self.wanted = False
    def connect(self, ssid, password):
        self.wanted = True
        self.began_ms = time.ticks_ms()
    def isconnected(self):
        return self.wanted and time.ticks_diff(time.ticks_ms(), self.began_ms) >= UP_MS
    def status(self, what=None):
        return 1010 if self.isconnected() else 8 if self.left else 1001
    def ifconfig(self):
        return ("192.0.2.7", "255.255.255.0", "192.0.2.1", self.name_server)

told = []
wlan = Wlan()
networks = [("Courtyard", "correct horse")]
station = wifi.Station(wlan, networks, lambda problem, ssid: told.append(problem))

async def until_up():
    task = asyncio.create_task(station.run())
    try:
        await asyncio.wait_for(station.up.wait(), 3)
        print("up", told)
    except asyncio.TimeoutError:
        print("never up", told)
    task.cancel()
"""


def run(script: str) -> str:
    return printed_by(RIG + script, [ROOT / "firmware"])


def test_it_connects() -> None:
    assert run("asyncio.run(until_up())") == "up [None]\n"


def test_the_event_of_its_own_leaving_is_no_refusal() -> None:
    """A soft reset leaves the chip connected. The event of the leaving that a new attempt begins with may
    come after the attempt began, and says reason 8; to give up then, and to leave again, would go on for
    ever.
    """
    script = """
wlan.connect("Courtyard", "correct horse")
wlan.began_ms -= UP_MS
asyncio.run(until_up())
"""
    assert run(script) == "up [None]\n"


@pytest.mark.parametrize(
    "error", ["OSError('Wifi Internal Error')", "RuntimeError('Wifi Unknown Error 0x0101')"]
)
def test_a_radio_that_refuses_is_tried_again(error: str) -> None:
    """The port raises RuntimeError for what it has no words for: too little memory for the radio is one."""
    script = f"""
def refuse(active):
    del wlan.active
    raise {error}
wlan.active = refuse
asyncio.run(until_up())
"""
    said = run(script)
    assert said.startswith("up [") and said.endswith(", None]\n") and error[:10] in said, said


def test_a_name_server_that_changes_with_the_lease_is_asked() -> None:
    """The router behind an access point may be exchanged, and the Wi-Fi never go."""
    script = """
asyncio.run(until_up())
wlan.name_server = "192.0.2.99"
print(station.name_server)
"""
    assert run(script) == "up [None]\n192.0.2.99\n"
