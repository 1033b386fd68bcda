"""The tables of checks.py as objects, for cloud, tools and generated documents; a pile has them as text only.

Each object says what it allows, and has `check(path, value)`, which returns nothing or raises MessageError
naming the path. The check itself is that of checks.py, for both sides.
"""

from . import checks


class Field:
    """`node`: the same as checks.parse() makes it."""

    node = ()

    def check(self, path, value):
        checks.check(self.node, path, value)


class Int(Field):
    """A whole number, low <= value <= high; a bool or a float is none."""

    def __init__(self, low, high):
        self.low = low
        self.high = high
        self.node = ("n", low, high)


class Bool(Field):
    node = ("b",)


class Text(Field):
    """A string of low to high characters of an alphabet: None for printable ASCII, "" for any characters."""

    def __init__(self, low, high, alphabet=None):
        self.low = low
        self.high = high
        self.alphabet = alphabet
        self.node = ("t", low, high, checks.ALPHABETS["p"] if alphabet is None else alphabet)


class OneOf(Field):
    """One word of a closed list."""

    def __init__(self, words):
        self.words = words
        self.node = ("=", words)


class Nullable(Field):
    """null, or what the inner check takes."""

    def __init__(self, inner):
        self.inner = inner
        self.node = ("?", inner.node)


class Array(Field):
    """A list of low to high items of one kind."""

    def __init__(self, item, low, high):
        self.item = item
        self.low = low
        self.high = high
        self.node = ("[", low, high, item.node)


class Row(Field):
    """A list with one named position after the other: `fields` are (name, check) pairs."""

    def __init__(self, *fields):
        self.fields = fields
        self.node = ("(", [(name, field.node) for name, field in fields], False)


class Table(Field):
    """A JSON object. `members` are (name, check) pairs; a name that ends in "?" may be absent.

    Members it does not know are let through, so that a newer sender can add some, unless `closed`: there, an
    unknown member would be a promise that nobody keeps. fields: (name, whether it may be absent, check) of
    each member.
    """

    def __init__(self, *members, closed=False):
        self.fields = [(name.rstrip("?"), name.endswith("?"), check) for name, check in members]
        self.closed = closed
        self.node = ("{", [(name, field.node) for name, field in members], closed)


_read = {}  # what was read before, by its node as text: a table inside another is the same object


def read(text):
    """The object for a table in text."""
    return _from_node(checks.parse(text))


def _from_node(node):
    known = _read.get(repr(node))
    if known is None:
        known = _read[repr(node)] = _make(node)
    return known


def _make(node):
    kind = node[0]
    if kind == "n":
        return Int(*node[1:])
    if kind == "t":
        return Text(*node[1:])
    if kind == "=":
        return OneOf(tuple(node[1]))
    if kind == "b":
        return Bool()
    if kind == "?":
        return Nullable(_from_node(node[1]))
    if kind == "[":
        return Array(_from_node(node[3]), node[1], node[2])
    members = [(name, _from_node(field)) for name, field in node[1]]
    return Row(*members) if kind == "(" else Table(*members, closed=node[2])
