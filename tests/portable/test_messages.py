"""Messages from outside: each kind of field at its bounds, and whatever else may come as bytes."""

from pile_protocol import checks, chunk, messages, topics, updates, wire
from pile_protocol.errors import MessageError
from pile_protocol.fields import Array, Bool, Int, Nullable, OneOf, Row, Table, Text
from tests.portable.kit import AT, order, raises, rate, sealed, with_changes

NO_INTS = (True, False, 1.0, 1e3, "1", None, [], {}, [1])
NO_TEXTS = (1, True, None, [], {}, b"abc")

# (check, what it takes, what it refuses)
KINDS = (
    (Int(-5, 7), (-5, 0, 7), (-6, 8, 10**40, -(10**40)) + NO_INTS),
    (Int(0, 1), (0, 1), (True, False, 0.0, 1.0)),
    (Int(0, 10**12), (0, 1 << 30, 1 << 31, 10**12), (10**12 + 1,)),
    (Bool(), (True, False), (0, 1, "true", None, [], {})),
    (
        Text(2, 4),
        ("ab", "abcd", "a ~", "  "),
        ("", "a", "abcde", "a\n", "a\x00b", "\x7fa", "é" * 2) + NO_TEXTS,
    ),
    (Text(1, 3, "abc"), ("a", "cab"), ("d", "a ", "A", "äb", "") + NO_TEXTS),
    (Text(1, 3, ""), ("充电站", "a\n", "\x00"), ("", "abcd") + NO_TEXTS),
    (OneOf(("on", "off")), ("on", "off"), ("", "On", "o", "onoff", "on ") + NO_TEXTS),
    (Nullable(Int(1, 2)), (None, 1, 2), (0, 3, False, "1")),
    (
        Array(Int(0, 9), 1, 3),
        ([0], [1, 2, 3]),
        ([], [1, 2, 3, 4], [10], [1, "2"], [[1]], "123", {0: 1}, (1, 2), None),
    ),
    (Row(("a", Int(0, 9)), ("b", Text(1, 9))), ([1, "x"],), ([1], [1, "x", 2], ["x", 1], [], {}, None, "1x")),
    (Table(("a", Int(0, 9))), ({"a": 1}, {"a": 1, "z": None}), ({}, {"a": None}, {"A": 1}, [], None, "a")),
    (Table(("a?", Int(0, 9))), ({}, {"a": 1}), ({"a": None}, {"a": 10})),
    (
        Table(("a", Int(0, 9)), ("b?", Bool()), closed=True),
        ({"a": 1}, {"a": 1, "b": True}),
        ({"a": 1, "c": 1}, {1: 1}),
    ),
)


def test_each_kind_of_field():
    for i, (check, good, bad) in enumerate(KINDS):
        for value in good:
            check.check("x", value)
        for value in bad:
            try:
                check.check("x", value)
            except MessageError:
                continue
            raise AssertionError("kind %d let %r through" % (i, value))


TEXTS = (
    ("n-5..7", Int(-5, 7)),
    ("b", Bool()),
    ("t2..4p", Text(2, 4)),
    ("t64..64h", Text(64, 64, "0123456789abcdef")),
    ("? n1..2", Nullable(Int(1, 2))),
    ("[1..3 n0..9", Array(Int(0, 9), 1, 3)),
    ("( a n0..9 b t1..9p )", Row(("a", Int(0, 9)), ("b", Text(1, 9)))),
    ("{ a n0..9 b? b }", Table(("a", Int(0, 9)), ("b?", Bool()))),
    ("{ a [0..2 ( b b ) c { d b !} !}", None),
)


def test_a_table_in_text_is_the_same_as_one_of_objects():
    for text, field in TEXTS:
        node = checks.parse(text)
        assert field is None or node == field.node, (text, node)
    for value, good in (
        ({"a": [[True]], "c": {"d": False}}, True),
        ({"a": [[1]], "c": {"d": False}}, False),
        ({"a": [], "c": {"d": False, "e": 1}}, False),
        ({"a": [], "c": {"d": False}, "e": 1}, False),
    ):
        try:
            checks.check(node, "", value)
        except MessageError:
            assert not good, value
        else:
            assert good, value
    assert checks.parse("=on|off") == ("=", ["on", "off"])


def test_an_error_names_the_path():
    step = [AT, -1, 0, "flat"]
    for changes, field in (
        ({"rate": rate(steps=[step])}, "rate.steps[0].electricity_price"),
        ({"rate": rate(steps=[[AT, 0, 0, "flat"], step])}, "rate.steps[1].electricity_price"),
        ({"rate": rate(currency="yen")}, "rate.currency"),
        ({"limits": {}}, "limits.duration_s"),
        ({"limits": None}, "limits"),
        ({"connector": 0}, "connector"),
    ):
        value = messages.parse_json(sealed(order(**changes)))
        error = raises(MessageError, messages.validate, messages.ORDER, value)
        assert error.field == field and str(error).startswith(field + ": "), error


def test_a_promise_that_nobody_would_keep_is_refused():
    for path, error_field in (("limits", "limits.soc"), ("rate", "rate.soc")):
        value = messages.parse_json(sealed(order()))
        value[path]["soc"] = 80
        error = raises(MessageError, messages.validate, messages.ORDER, value)
        assert error.field == error_field
    value = messages.parse_json(sealed(order(note="from a newer cloud")))
    messages.validate(messages.ORDER, value)


# (member of an order, the least, the most)
ORDER_BOUNDS = (
    ("connector", 1, 8),
    ("issued_at", 1_600_000_000, 4_102_444_800),
    ("expires_at", 1_600_000_000, 4_102_444_800),
)
LIMIT_BOUNDS = (("energy_mwh", 1, 10**9), ("cost_minor", 1, 10**12), ("duration_s", 1, 86_400))
RATE_BOUNDS = (
    ("minor_digits", 0, 4),
    ("session_fee_minor", 0, 10**12),
    ("until_at", 1_600_000_000, 4_102_444_800),
)
STEP_BOUNDS = ((0, 1_600_000_000, 4_102_444_800), (1, 0, 10**12), (2, 0, 10**12))


def edges(place, name, low, high):
    """Holds one member of an order at its bounds; `place` finds its parent."""
    for value, good in (
        (low, True),
        (high, True),
        (low - 1, False),
        (high + 1, False),
        (True, False),
        (low + 0.5, False),
    ):
        message = messages.parse_json(sealed(order()))
        place(message)[name] = value
        try:
            messages.validate(messages.ORDER, message)
        except MessageError:
            assert not good, (name, value)
        else:
            assert good, (name, value)


def test_the_numbers_of_an_order_at_their_bounds():
    for name, low, high in ORDER_BOUNDS:
        edges(lambda m: m, name, low, high)
    for name, low, high in LIMIT_BOUNDS:
        edges(lambda m: m["limits"], name, low, high)
    for name, low, high in RATE_BOUNDS:
        edges(lambda m: m["rate"], name, low, high)
    for name, low, high in STEP_BOUNDS:
        edges(lambda m: m["rate"]["steps"][0], name, low, high)


def test_the_texts_of_an_order():
    for name, good, bad in (
        ("device_id", ("abc", "A-_9", "x" * 32), ("ab", "x" * 33, "a/b", "a+b", "#ab", "ä12")),
        ("order_id", ("1", "x" * 40), ("", "x" * 41, "a b", 'a"b', "a\nb", "a/b")),
        ("mac", ("0" * 64,), ("0" * 63, "0" * 65, "A" * 64, "g" * 64)),
        ("kind", ("order",), ("command", "", "Order", None)),
    ):
        for values, fine in ((good, True), (bad, False)):
            for value in values:
                message = messages.parse_json(sealed(order()))
                message[name] = value
                try:
                    messages.validate(messages.ORDER, message)
                except MessageError:
                    assert not fine, (name, value)
                else:
                    assert fine, (name, value)


def test_a_hundred_price_steps_and_no_more():
    for count, fine in ((0, False), (1, True), (100, True), (101, False)):
        message = messages.parse_json(sealed(order()))
        message["rate"]["steps"] = [[AT + i, 1, 1, "flat"] for i in range(count)]
        try:
            messages.validate(messages.ORDER, message)
        except MessageError:
            assert not fine, count
        else:
            assert fine, count


def test_the_largest_order_that_the_tables_allow_fits_its_bound():
    at = 4_102_444_700
    value = order(
        "x" * 40,
        device_id="x" * 32,
        connector=8,
        issued_at=at,
        expires_at=at,
        limits={"energy_mwh": 10**9, "cost_minor": 10**12, "duration_s": 86_400},
        rate={
            "rate_id": "x" * 40,
            "currency": "CNY",
            "minor_digits": 4,
            "session_fee_minor": 10**12,
            "steps": [[at + i, 10**12, 10**12, "valley"] for i in range(100)],
            "until_at": at,
        },
    )
    data = sealed(value)
    messages.decode(topics.ORDER, data)
    assert len(data) <= messages.ORDER_MAX_BYTES


def test_bytes_that_are_no_json_object():
    for data in (
        b"",
        b" ",
        b"null",
        b"1",
        b'"order"',
        b"[{}]",
        b"{",
        b'{"a":1',
        b'{"a":1}}',
        b'{"a":1} {"b":2}',
        b"\xff\xfe{}",
        b'{"a":"\xc3\x28"}',
        b'{"a":"\xed\xa0\x80"',
        b"\x00" * 50,
        b'{"a":tru}',
    ):
        raises(MessageError, messages.parse_json, data)


def test_deep_nesting_is_an_error_not_a_crash():
    for opening in (b"[", b'{"a":', b'{"a":['):
        data = (opening * 16384)[: messages.MESSAGE_MAX_BYTES]
        raises(MessageError, messages.parse_json, data)


def test_a_message_without_end():
    for size in (messages.MESSAGE_MAX_BYTES + 1, 100_000):
        error = raises(MessageError, messages.parse_json, b" " * size)
        assert error.field == "message", error
    assert messages.parse_json(b'{"a":1}' + b" " * (messages.MESSAGE_MAX_BYTES - 7)) == {"a": 1}
    raises(MessageError, messages.parse_json, b'{"a":1}' + b" " * 10, 16)


def test_a_number_of_thousands_of_digits():
    data = b'{"connector":' + b"9" * 4_000 + b"}"
    value = messages.parse_json(data)
    raises(MessageError, Int(0, 9).check, "connector", value["connector"])


def test_each_topic_of_the_pile_reads_its_own_table():
    for name in topics.DOWNWARD:
        if name == topics.RATE:
            assert name not in messages.BY_TOPIC, "the pile has no use for the displayed rate"
        elif name == topics.UPDATE_CHUNK:
            raises(MessageError, chunk.decode, b"{}")
        else:
            decode = updates.decode if name in updates.BY_TOPIC else messages.decode
            raises(MessageError, decode, name, b"{}")
            raises(MessageError, decode, name, b'{"kind":"nothing"}')


def test_what_was_encoded_is_decoded():
    message = with_changes(order(), {"mac": "0" * 64})
    text = messages.encode(message)
    assert " " not in text
    assert messages.decode(topics.ORDER, text.encode()) == message


def test_command_time_and_ack():
    mac = "0" * 64
    command = {
        "kind": "command",
        "device_id": "pile",
        "action": "stop",
        "order_id": "o1",
        "issued_at": AT,
        "expires_at": AT,
        "mac": mac,
    }
    time = {"kind": "time", "device_id": "pile", "nonce": "0" * 16, "at": AT, "mac": mac}
    ack = {
        "kind": "ack",
        "device_id": "pile",
        "order_id": "o1",
        "seq": 1,
        "settlement_mac": mac,
        "status": "Stored",
        "mac": mac,
    }
    for table, message, bad in (
        (messages.COMMAND, command, {"action": "start", "order_id": "", "connector": 9, "issued_at": 0}),
        (messages.TIME, time, {"nonce": "0" * 15, "at": 1_599_999_999, "kind": "ack"}),
        (messages.SETTLEMENT_ACK, ack, {"status": "Rejected", "seq": -1, "settlement_mac": mac[1:]}),
    ):
        messages.validate(table, message)
        for name in bad:
            error = raises(MessageError, messages.validate, table, with_changes(message, {name: bad[name]}))
            assert error.field == name, error


def test_an_update_of_at_most_4_kb():
    message = {
        "kind": "update",
        "device_id": "pile",
        "issued_at": AT,
        "expires_at": AT + 3_600,
        "release": 12,
        "manifest": '{"release": 12}' + " " * 2_900,
        "signature": "0" * 128,
        "mac": "0" * 64,
    }
    data = messages.encode(message).encode()
    assert updates.decode(topics.UPDATE, data) == message
    raises(MessageError, updates.decode, topics.UPDATE, data + b" " * updates.OFFER_MAX_BYTES)
    for bad in ({"release": 0}, {"signature": "0" * 127}, {"manifest": ""}, {"kind": "order"}, {"again": 1}):
        raises(MessageError, messages.validate, updates.UPDATE, with_changes(message, bad))
    message = with_changes(message, {"manifest": None, "manifest_sha256": "0" * 64, "manifest_bytes": 2_000})
    assert updates.decode(topics.UPDATE, messages.encode(message).encode()) == message
    for bad in (
        {"manifest_sha256": "0" * 63},
        {"manifest_bytes": updates.MANIFEST_MAX_BYTES + 1},
        {"manifest": "x" * 3_001},
    ):
        raises(MessageError, messages.validate, updates.UPDATE, with_changes(message, bad))


def test_a_part_of_a_file_is_base64_of_at_most_1536_bytes():
    message = {"release": 1, "file": "0" * 64, "offset": 0, "data": "A" * 2048}
    assert chunk.decode(messages.encode(message).encode()) == message
    for bad in ({"data": "A" * 2052}, {"data": "AA-_"}, {"data": ""}, {"offset": -1}, {"file": "0" * 63}):
        raises(MessageError, messages.validate, chunk.UPDATE_CHUNK, with_changes(message, bad))


def test_a_configuration_has_no_value_that_nobody_knows():
    message = {
        "kind": "config",
        "device_id": "pile",
        "issued_at": AT,
        "expires_at": AT,
        "version": 1,
        "mac": "0" * 64,
    }
    for values in (
        {},
        {"wifi2": {"ssid": "充电站", "password": "secret"}, "limits": {"max_current_ma": 16_000}},
        {"wifi2": None, "broker": None, "ca": None, "ntp": None, "limits": None},
        {
            "broker": {"host": "pile.example.org", "port": 8883},
            "ca": "-----BEGIN CERTIFICATE-----" + "\nA" * 99,
        },
    ):
        messages.validate(updates.CONFIG, with_changes(message, {"values": values}))
    for values in (
        {"wifi": {"ssid": "a", "password": ""}},
        {"wifi2": {"ssid": "", "password": ""}},
        {"broker": {"host": "a", "port": 0}},
        {"limits": {"max_temperature_c": 200}},
        {"key": "0" * 64},
    ):
        raises(MessageError, messages.validate, updates.CONFIG, with_changes(message, {"values": values}))


def test_every_upward_topic_has_a_table():
    for name in topics.UPWARD:
        assert name in wire.BY_TOPIC, name


def test_want_of_heap_for_a_message_that_is_trusted_is_no_fault_of_the_message():
    def full(text):
        raise MemoryError

    for is_trusted, expected in ((False, MessageError), (True, MemoryError)):
        try:
            messages.parse_json(b"{}", loads=full, is_trusted=is_trusted)
        except (MessageError, MemoryError) as error:
            assert isinstance(error, expected)
        else:
            raise AssertionError
