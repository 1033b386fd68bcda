"""Each rule of the house, shown to fail where it should."""

from pathlib import Path

import pytest

from tools import ROOT, arrows

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
    ("cloud_stub/orders/create.py", "from pile.session import Session"),
    ("cloud_stub/orders/create.py", "from tools import broker"),
    ("tools/harness/system.py", "import net.mqtt"),
]

RIGHT = [
    ("firmware/pile/session.py", "from pile_protocol import pricing\nfrom .clock import Clock\nimport json"),
    ("firmware/net/link.py", "import asyncio\nfrom pile import controller\nfrom pile_protocol import topics"),
    ("firmware/drivers/real/relay.py", "import machine\nimport time\nfrom ..contracts import Relay"),
    ("firmware/main.py", "import board\nfrom net import link\nfrom pile import controller\nimport drivers"),
    ("boards/sim/board.py", "from drivers.sim import hardware"),
    (
        "cloud_stub/http/driver.py",
        "from pile_protocol import pricing\nfrom ..orders import place\nimport time",
    ),
    (
        "tools/harness/system.py",
        "from cloud_stub.piles import broker_passwords\nfrom tools.harness import broker",
    ),
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
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_text("")
        else:
            (tmp_path / place).mkdir(parents=True, exist_ok=True)
    found = [finding.path for finding in arrows.findings(tmp_path) if "whole numbers" in finding.text]
    assert found == ["firmware/pile/deep/x.py"]


def test_a_place_of_exact_numbers_that_vanished_is_told(tmp_path: Path) -> None:
    assert {finding.path for finding in arrows.findings(tmp_path)} == set(arrows.EXACT)


ROOMS: dict[str, set[str]] = {
    "db": set(),
    "orders": {"db"},
    "http": {"orders"},
    "settings": set(),
    arrows.TOP: {"http", "orders", "settings"},
}

WRONG_ROOMS = [
    ("house/db/tables.py", "from house.orders import states"),
    ("house/db/tables.py", "from house import orders"),
    ("house/db/tables.py", "import house.orders.states"),
    ("house/db/tables.py", "from ..orders import states"),
    ("house/db/tables.py", "from .. import orders"),
    ("house/db/tables.py", "def late():\n    from house.orders.states import State"),
    ("house/db/deep/tables.py", "from ...orders import states"),
    ("house/db/tables.py", "from house import cli"),
    ("house/db/tables.py", "from house.settings import Settings"),
    ("house/http/pages.py", "from house.db import engine"),
    ("house/settings.py", "from house.db import engine"),
    ("house/cli.py", "from house.db import engine"),
    ("house/attic/x.py", "import json"),
]

RIGHT_ROOMS = [
    (
        "house/orders/states.py",
        "from house.db import tables\nfrom . import views\nfrom ..db.tables import orders",
    ),
    ("house/orders/states.py", "from house import ROOT\nimport house\nimport json\nfrom other import http"),
    ("house/cli.py", "from house.settings import Settings\nfrom house import app, http\nfrom . import logs"),
    ("tests/test_orders.py", "from house.orders import states"),
]


@pytest.mark.parametrize(("path", "source"), WRONG_ROOMS)
def test_an_import_that_the_table_of_rooms_does_not_allow_is_found(path: str, source: str) -> None:
    assert arrows.room_findings(source, Path(path), "house", ROOMS)


@pytest.mark.parametrize(("path", "source"), RIGHT_ROOMS)
def test_an_import_that_the_table_of_rooms_allows_is_not(path: str, source: str) -> None:
    assert arrows.room_findings(source, Path(path), "house", ROOMS) == []


@pytest.mark.parametrize(
    "rooms", [{"a": {"b"}, "b": {"a"}}, {"a": {"a"}}, {"a": {"b"}, "b": {"c"}, "c": {"a"}}, {"a": {"cellar"}}]
)
def test_a_table_with_a_circle_or_an_unknown_room_is_found(rooms: dict[str, set[str]]) -> None:
    assert arrows.table_findings("house", rooms)


def test_a_table_without_a_circle_is_in_order() -> None:
    assert arrows.table_findings("house", ROOMS) == []


def test_rooms_and_arrows_that_are_not_true_are_found(tmp_path: Path) -> None:
    rooms = {"db": set(), "orders": {"db"}}
    (tmp_path / "house" / "db").mkdir(parents=True)
    (tmp_path / "house" / "orders").mkdir()
    (tmp_path / "house" / "db" / "x.py").write_text("import json\n")
    (tmp_path / "house" / "orders" / "x.py").write_text("from house import db\n")
    assert arrows.house_findings(tmp_path, "house", rooms) == []

    def texts(rooms: dict[str, set[str]]) -> str:
        return "\n".join(finding.text for finding in arrows.house_findings(tmp_path, "house", rooms))

    assert "there is no room attic" in texts({**rooms, "attic": set()})
    assert "the folder orders has no line" in texts({"db": set(), arrows.TOP: {"db"}})
    assert "db may import orders, but never does" in texts({"db": {"orders"}, "orders": set()})


def test_the_tables_of_rooms_are_read_from_the_text_that_people_read() -> None:
    text = "The rooms of `house/`:\n\n```\ntop -> db a\ndb\na   -> db\n```\nThe rooms of `b/`:\n```\nx\n```"
    assert arrows.read_rooms(text) == {
        "house": {"top": {"db", "a"}, "db": set(), "a": {"db"}},
        "b": {"x": set()},
    }


def test_this_repository_is_in_order() -> None:
    assert [str(finding) for finding in arrows.findings()] == []
    assert set(arrows.read_rooms((ROOT / arrows.TABLES).read_text())) == {"cloud_stub", "tools"}
