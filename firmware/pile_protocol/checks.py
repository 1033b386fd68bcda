"""Tables of fields as text, and the one validator. A pile keeps its tables as text: as objects they take five
times the heap.

A table is words, separated by blanks; each type stands after the name of its field:

    n1..8            whole number, both bounds allowed; a bool or a float is none
    t1..40w          text of 1 to 40 characters, of the alphabet that the last letter names (ALPHABETS);
                     t1..40a: of any characters
    =on|off          one of these words
    b                true or false
    ? TYPE           null, or TYPE
    [1..100 TYPE     list of 1 to 100 items of TYPE
    ( NAME TYPE )    list with one named position after the other
    { NAME TYPE }    JSON object; a name that ends in "?" may be absent. Unknown members are let
                     through, so that a newer sender can add some
    { NAME TYPE !}   the same, but unknown members are refused: nobody would act on them
    A                what SHARED has for this word
"""

from .errors import MessageError

ALPHABETS = {
    "p": " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
    "w": "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
    "u": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "h": "0123456789abcdef",
    "b": "+/=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "a": "",
}
SHARED = {
    "A": "n1600000000..4102444800",  # Unix seconds, from 2020 to 2100
    "C": "n1..8",  # connector
    "D": "t3..32w",  # device id
    "O": "t1..40w",  # order id, rate id
    "M": "t64..64h",  # mac
    "N": "t16..16h",  # nonce
    "P": "n0..1000000000000",  # price, money in minor units
    "Q": "n0..2147483647",  # count
    "L": "=flat|sharp|peak|valley",  # label of a price
    "RELEASE": "n1..2147483647",
    "LIMITS": "{ energy_mwh? n1..1000000000 cost_minor? P1 duration_s n1..86400 !}",
    "P1": "n1..1000000000000",
    "RATE": "{ rate_id O currency t3..3u minor_digits n0..4 session_fee_minor P"
    " steps [1..100 STEP until_at A time_prices? [1..100 P tiers? [1..4 TIER idle? IDLE"
    " minimum_minor? P1 maximum_minor? P1 tax_per_mille? n0..1000 !}",
    "TIER": "( up_to_mw n1..1000000000 price P )",
    "IDLE": "{ price P after_s n0..86400 max_minor P1 !}",
    "STEP": "( from_at A electricity_price P service_price P label L )",
}


def parse(text):
    """The table in `text`, as nested tuples for check(). They are made for each message and thrown away."""
    words = text.split()
    words.reverse()
    return _parse(words)


def _parse(words):
    word = words.pop()
    if word in SHARED:
        return parse(SHARED[word])
    kind = word[0]
    if kind in "{(":
        members = []
        while words[-1][-1] not in "})":
            name = words.pop()
            members.append((name, _parse(words)))
        return kind, members, words.pop() == "!}"
    if kind == "=":
        return kind, word[1:].split("|")
    if kind == "b":
        return (kind,)
    if kind == "?":
        return kind, _parse(words)
    low, _, high = word[1:].partition("..")
    if kind == "t":
        return kind, int(low), int(high[:-1]), ALPHABETS[high[-1]]
    if kind == "[":
        return kind, int(low), int(high), _parse(words)
    return kind, int(low), int(high)


def check(node, path, value):
    """Raises MessageError, naming the path, where `value` is not what `node`, of parse(), allows.

    What is inside another value names its own part of the path; the rest is added where an error passes,
    because nearly every value is right.
    """
    kind = node[0]
    if kind == "n":
        if type(value) is not int:
            raise MessageError(path, "must be a whole number")
        if not node[1] <= value <= node[2]:
            raise MessageError(path, "must be from %d to %d" % node[1:])
    elif kind == "t":
        if type(value) is not str:
            raise MessageError(path, "must be text")
        if not node[1] <= len(value) <= node[2]:
            raise MessageError(path, "must have %d to %d characters" % node[1:3])
        # Nothing is left where every character is one of those stripped: one call, not a step for each.
        if node[3] and value.strip(node[3]):
            raise MessageError(path, "has a character that is not allowed")
    elif kind == "=":
        if type(value) is not str or value not in node[1]:
            raise MessageError(path, "must be one of " + " ".join(node[1]))
    elif kind == "b":
        if value is not True and value is not False:
            raise MessageError(path, "must be true or false")
    elif kind == "?":
        if value is not None:
            check(node[1], path, value)
    elif kind == "{":
        if type(value) is not dict:
            raise MessageError(path or "message", "must be a JSON object")
        try:
            _check_members(node, value)
        except MessageError as error:
            raise error.within(path)
    else:
        _check_list(node, path, value)


def _check_list(node, path, value):
    members = node[1]
    row = node[0] == "("
    if type(value) is not list or row and len(value) != len(members):
        raise MessageError(path, "must be a list of %d items" % len(members) if row else "must be a list")
    if not row and not members <= len(value) <= node[2]:
        raise MessageError(path, "must have %d to %d items" % node[1:3])
    i = 0
    try:
        for item in value:
            if row:
                check(members[i][1], members[i][0], item)
            else:
                check(node[3], "", item)
            i += 1
    except MessageError as error:
        raise error.within(path if row else "%s[%d]" % (path, i))


def _check_members(node, value):
    known = 0
    for name, field in node[1]:
        optional = name[-1] == "?"
        if optional:
            name = name[:-1]
        if name in value:
            known += 1
            check(field, name, value[name])
        elif not optional:
            raise MessageError(name, "is missing")
    if node[2] and known != len(value):
        names = [name.rstrip("?") for name, _ in node[1]]
        for name in value:
            if name not in names:
                raise MessageError(str(name)[:40], "is not known here")
