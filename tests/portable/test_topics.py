"""Topic names: there and back, and nothing else."""

from pile_protocol import topics
from pile_protocol.errors import TopicError
from tests.portable.kit import raises


def test_every_name_comes_back():
    for name in topics.DOWNWARD + topics.UPWARD:
        assert topics.parse(topics.topic("pile-1", name)) == ("pile-1", name), name


def test_a_name_goes_one_way():
    for name in topics.DOWNWARD:
        assert name not in topics.UPWARD, name


def test_a_subscription_to_all_piles():
    assert topics.topic("+", topics.ORDER) == "pile/v1/+/order"


def test_what_is_not_ours_is_refused():
    for text in (
        "",
        "/",
        "pile/v1/",
        "pile/v1/x",
        "pile/v1/x/",
        "pile/v1//order",
        "pile/v1/x/orders",
        "pile/v1/x/order/",
        "pile/v1/x/order/status/",
        "pile/v1/x/y/order",
        "pile/v2/x/order",
        "Pile/v1/x/order",
        " pile/v1/x/order",
        "pile/v1/x/ORDER",
        "$SYS/broker/version",
        "a" * 60_000,
    ):
        error = raises(TopicError, topics.parse, text)
        assert len(str(error)) < 120, "an error text of %d characters" % len(str(error))
