"""Each rule of the house, shown to fail where it should."""

from pathlib import Path

import pytest

from tools import arrows

WRONG = [
    ("firmware/pile/session.py", "from drivers.contracts import Relay"),
    ("firmware/pile/session.py", "import net.link"),
    ("firmware/pile/session.py", "from ..net import link"),
    ("firmware/pile/session.py", "from .. import net"),
    ("firmware/pile/session.py", "def late():\n    import board"),
    ("firmware/pile/session.py", "link = __import__('net.link')"),
    ("firmware/pile/session.py", "import machine"),
    ("firmware/pile/session.py", "from time import ticks_ms"),
    ("firmware/pile/session.py", "import asyncio"),
    ("firmware/pile_protocol/pricing.py", "from pile import session"),
    ("firmware/pile_protocol/pricing.py", "import typing"),
    ("firmware/net/link.py", "import drivers.sim"),
    ("firmware/net/link.py", "import main"),
    ("firmware/drivers/sim/hardware.py", "from pile.session import Session"),
    ("firmware/drivers/sim/hardware.py", "import pile_protocol.words"),
    ("boards/sim/board.py", "from pile import safety"),
    ("cloud_stub/orders.py", "from pile.session import Session"),
    ("cloud_stub/orders.py", "from tools import broker"),
    ("tools/system.py", "import net.mqtt"),
]

RIGHT = [
    ("firmware/pile/session.py", "from pile_protocol import pricing\nfrom .clock import Clock\nimport json"),
    ("firmware/net/link.py", "import asyncio\nfrom pile import controller\nfrom pile_protocol import topics"),
    ("firmware/drivers/real/relay.py", "import machine\nimport time\nfrom ..contracts import Relay"),
    ("firmware/main.py", "import board\nfrom net import link\nfrom pile import controller\nimport drivers"),
    ("boards/sim/board.py", "from drivers.sim import hardware"),
    (
        "cloud_stub/api/orders.py",
        "from pile_protocol import pricing\nfrom ..orders import place\nimport time",
    ),
    ("tools/system.py", "from cloud_stub import broker_auth\nfrom tools import broker"),
    ("tests/conftest.py", "import net"),  # tests may look anywhere
]


@pytest.mark.parametrize(("path", "source"), WRONG)
def test_an_arrow_that_points_up_is_found(path: str, source: str) -> None:
    assert arrows.arrow_findings(source, Path(path))


@pytest.mark.parametrize(("path", "source"), RIGHT)
def test_an_arrow_that_points_down_is_not(path: str, source: str) -> None:
    assert arrows.arrow_findings(source, Path(path)) == []


@pytest.mark.parametrize(
    "source", ["x = 0.5", "x = 1e3", "x = a / b", "x /= 2", "x = float(y)", "f = float", "x = 1j"]
)
def test_a_float_is_found(source: str) -> None:
    assert arrows.float_findings(source, Path("firmware/pile/session.py"))


@pytest.mark.parametrize("source", ["x = a // b", "x //= 2", "x = 10**3", "x = 'a/b 0.5'", "# 0.5 / 2"])
def test_whole_numbers_are_not(source: str) -> None:
    assert arrows.float_findings(source, Path("firmware/pile/session.py")) == []


def test_floats_are_looked_for_where_money_is_counted_and_nowhere_else(tmp_path: Path) -> None:
    for path in ("firmware/pile/deep/x.py", "firmware/net/x.py", "firmware/pile_extra/x.py"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("x = 0.5\n")
    for place in arrows.EXACT:
        if place.endswith(".py"):
            (tmp_path / place).parent.mkdir(exist_ok=True)
            (tmp_path / place).write_text("")
        else:
            (tmp_path / place).mkdir(exist_ok=True)
    assert [finding.path for finding in arrows.findings(tmp_path)] == ["firmware/pile/deep/x.py"]


def test_a_place_of_exact_numbers_that_vanished_is_told(tmp_path: Path) -> None:
    assert {finding.path for finding in arrows.findings(tmp_path)} == set(arrows.EXACT)


def test_this_repository_is_in_order() -> None:
    assert [str(finding) for finding in arrows.findings()] == []
