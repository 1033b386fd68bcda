"""Lists as parameters: JSON text that the database expands. One compiled statement serves any number of
items, and each item is looked up by an index.

An expanding IN is written anew for each length, and for a pair of columns SQLite scans the whole table.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, bindparam, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _Texts(FunctionElement[str]):
    """One row, `value`, for each text of a JSON list."""

    name = "texts"
    inherit_cache = True


class _Rows(FunctionElement[str]):
    """One row, `value`, for each list in a JSON list."""

    name = "rows"
    inherit_cache = True


class _TextAt(FunctionElement[str]):
    """The text at a place of a list."""

    name = "text_at"
    type = Text()
    inherit_cache = True


class _NumberAt(FunctionElement[int]):
    """The whole number at a place of a list."""

    name = "number_at"
    type = BigInteger()
    inherit_cache = True


@compiles(_Texts, "sqlite")
@compiles(_Rows, "sqlite")
def _each_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Texts, "postgresql")
def _texts_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json))"


@compiles(_Rows, "postgresql")
def _rows_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **options)} AS json))"


@compiles(_TextAt, "sqlite")
@compiles(_NumberAt, "sqlite")
def _at_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    value, place = (compiler.process(each, **options) for each in element.clauses)
    return f"json_extract({value}, '$[' || {place} || ']')"


@compiles(_TextAt, "postgresql")
def _text_at_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    value, place = (compiler.process(each, **options) for each in element.clauses)
    return f"({value} ->> {place})"


@compiles(_NumberAt, "postgresql")
def _number_at_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    value, place = (compiler.process(each, **options) for each in element.clauses)
    return f"CAST({value} ->> {place} AS bigint)"


def texts(name: str) -> Select[tuple[str]]:
    """For `column.in_`: the texts in the parameter `name`, a JSON list of them."""
    return select(_Texts(bindparam(name, type_=Text)).table_valued("value", name=name).c.value)


def rows(name: str, *kinds: type[str | int]) -> list[ColumnElement[Any]]:
    """A table to join with: the parameter `name`, a JSON list of lists, with one column for each kind."""
    value = _Rows(bindparam(name, type_=Text)).table_valued("value", name=name).c.value
    return [
        (_TextAt if kind is str else _NumberAt)(value, literal_column(str(place)))
        for place, kind in enumerate(kinds)
    ]
