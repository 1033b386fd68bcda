"""Checks for one value of a message, built once into the tables of messages.py.

Each has `check(path, value)`, which returns nothing or raises MessageError naming the path. What is inside
another names its own part of the path only; the rest is added where an error passes: nearly all is right.
"""

from .errors import MessageError

_PRINTABLE = (
    " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
)


class Int:
    """A whole number, low <= value <= high; a bool or a float is none."""

    def __init__(self, low, high):
        self.low = low
        self.high = high

    def check(self, path, value):
        if type(value) is not int:
            raise MessageError(path, "must be a whole number")
        if not self.low <= value <= self.high:
            raise MessageError(path, "must be from %d to %d" % (self.low, self.high))


class Bool:
    def check(self, path, value):
        if value is not True and value is not False:
            raise MessageError(path, "must be true or false")


class Text:
    """A string of low to high characters, printable ASCII unless an alphabet says which."""

    def __init__(self, low, high, alphabet=None):
        self.low = low
        self.high = high
        self.alphabet = alphabet

    def check(self, path, value):
        if type(value) is not str:
            raise MessageError(path, "must be text")
        if not self.low <= len(value) <= self.high:
            raise MessageError(path, "must have %d to %d characters" % (self.low, self.high))
        # Nothing is left where every character is one of those stripped: one call, not a step for each.
        if value.strip(self.alphabet or _PRINTABLE):
            raise MessageError(path, "has a character that is not allowed")


class OneOf:
    """One word of a closed list."""

    def __init__(self, words):
        self.words = words

    def check(self, path, value):
        if type(value) is not str or value not in self.words:
            raise MessageError(path, "must be one of " + " ".join(self.words))


class Nullable:
    """null, or what the inner check takes."""

    def __init__(self, inner):
        self.inner = inner

    def check(self, path, value):
        if value is not None:
            self.inner.check(path, value)


class Array:
    """A list of low to high items of one kind."""

    def __init__(self, item, low, high):
        self.item = item
        self.low = low
        self.high = high

    def check(self, path, value):
        if type(value) is not list:
            raise MessageError(path, "must be a list")
        if not self.low <= len(value) <= self.high:
            raise MessageError(path, "must have %d to %d items" % (self.low, self.high))
        i = 0
        try:
            for item in value:
                self.item.check("", item)
                i += 1
        except MessageError as error:
            raise error.within("%s[%d]" % (path, i))


class Row:
    """A list with one named position after the other: `fields` are (name, check) pairs."""

    def __init__(self, *fields):
        self.fields = fields

    def check(self, path, value):
        if type(value) is not list or len(value) != len(self.fields):
            raise MessageError(path, "must be a list of %d items" % len(self.fields))
        try:
            for (name, field), item in zip(self.fields, value):
                field.check(name, item)
        except MessageError as error:
            raise error.within(path)


class Table:
    """A JSON object. `fields` are (name, check) pairs; a name that ends in "?" may be absent.

    Members it does not know are let through, so that a newer sender can add some,
    unless `closed`: there, an unknown member would be a promise that nobody keeps.
    """

    def __init__(self, *fields, closed=False):
        self._members = fields
        self.closed = closed

    @property
    def fields(self):
        """(name, whether it may be absent, check) of each member; made when asked, to spare a pile's heap."""
        return [(name.rstrip("?"), name.endswith("?"), check) for name, check in self._members]

    def check(self, path, value):
        if type(value) is not dict:
            raise MessageError(path or "message", "must be a JSON object")
        try:
            self._check_members(value)
        except MessageError as error:
            raise error.within(path)

    def _check_members(self, value):
        known = 0
        for name, field in self._members:
            optional = name[-1] == "?"
            if optional:
                name = name[:-1]
            if name in value:
                known += 1
                field.check(name, value[name])
            elif not optional:
                raise MessageError(name, "is missing")
        if self.closed and known != len(value):
            names = [name for name, _, _ in self.fields]
            for name in value:
                if name not in names:
                    raise MessageError(str(name)[:40], "is not known here")
