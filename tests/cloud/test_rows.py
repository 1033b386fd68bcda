"""Rows with types: what the type checker believes of a row is what its statement returns."""

import ast
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select

from cloud_stub.db.rows import Query
from cloud_stub.db.tables import orders, piles
from tools import ROOT


class OtherName(NamedTuple):
    device_id: str
    seen_at: int | None


class OtherOrder(NamedTuple):
    last_seen_at: int | None
    device_id: str


class OtherType(NamedTuple):
    device_id: int
    last_seen_at: int | None


class NeverNull(NamedTuple):
    device_id: str
    last_seen_at: int


@pytest.mark.parametrize("kind", [OtherName, OtherOrder, OtherType, NeverNull])
def test_a_row_type_that_differs_from_its_statement_is_refused(kind: type[tuple[object, ...]]):
    with pytest.raises(TypeError, match=kind.__name__):
        Query(select(piles.c.device_id, piles.c.last_seen_at), kind)


def test_a_computed_column_is_compared_too():
    class Total(NamedTuple):
        total: str

    with pytest.raises(TypeError, match="Total"):
        Query(select(func.count().label("total")).select_from(orders), Total)


SCALARS = {"rowcount", "scalar", "scalar_one", "scalar_one_or_none", "scalars"}


def test_outside_db_every_row_has_a_type():
    """There, a result of `execute` is thrown away or read as single values; rows come from a Query."""
    house = ROOT / "cloud_stub"
    untyped = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(house.rglob("*.py"))
        if not path.is_relative_to(house / "db")
        for line in untyped_results(path)
    ]
    assert untyped == []


def untyped_results(path: Path) -> list[int]:
    """The lines of a module in which the rows of an `execute` are used."""
    tree = ast.parse(path.read_text())
    fine = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    fine |= {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in SCALARS
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "execute"
        and id(node) not in fine
    ]
