"""Stopping an order over HTTP: what goes out, and when the cloud may cancel it by itself."""

from typing import Any

import pytest

from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.jobs.stops import REPEAT_S
from cloud_stub.rates import schedule
from tests.cloud.conftest import Phone
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile, open_sealed


def test_stop_goes_out_sealed_and_once(phone: Phone, pile: FakePile, link: FakeLink):
    phone.order()
    pile.order_status(phone.order_id, "Accepted")
    first, again = phone.stop(), phone.stop()
    assert (first.status_code, again.status_code) == (202, 202)
    (data,) = link.sent("PILE-1", "command")
    command = open_sealed("command", data, pile.key)
    assert (command["action"], command["order_id"]) == ("stop", phone.order_id)
    assert first.json()["stop_requested_at"] == again.json()["stop_requested_at"] is not None


def test_stop_of_what_has_ended_changes_nothing(phone: Phone, pile: FakePile, link: FakeLink):
    phone.order()
    pile.order_status(phone.order_id, "Rejected", "NotPlugged")
    assert phone.stop().json()["state"] == "Rejected"
    assert not link.sent("PILE-1", "command")


def order_while_the_connection_breaks(phone: Phone, link: FakeLink, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = schedule.lock_rate

    def breaking(*of: Any) -> dict[str, Any]:
        link.connected = False
        return locked(*of)

    with monkeypatch.context() as patched:
        patched.setattr(schedule, "lock_rate", breaking)
        phone.order()


def test_stop_of_an_order_that_never_left_cancels_it(
    phone: Phone, pile: FakePile, link: FakeLink, monkeypatch: pytest.MonkeyPatch
):
    order_while_the_connection_breaks(phone, link, monkeypatch)
    assert not link.sent("PILE-1", "order")
    assert phone.stop().json()["state"] == "Cancelled"
    link.connected = True
    pile.hello()
    assert not link.sent("PILE-1", "order")
    # It had arrived all the same: the pile says so, and gets the stop again.
    pile.order_status(phone.order_id, "Accepted")
    assert phone.get()["state"] == "Accepted"
    pile.hello(orders=[[phone.order_id, "Accepted"]])
    assert open_sealed("command", link.sent("PILE-1", "command")[-1], pile.key)["order_id"] == phone.order_id


def test_stop_of_an_order_in_flight_leaves_the_word_to_the_pile(phone: Phone, pile: FakePile):
    """It was handed to MQTT; that no PUBACK came yet does not say that the pile has not got it."""
    phone.order()
    stopped = phone.stop().json()
    assert (stopped["state"], stopped["stop_requested_at"] is not None) == ("Pending", True)
    pile.order_status(phone.order_id, "Rejected", "Expired")
    assert phone.get()["state"] == "Rejected"


def test_stop_of_an_order_that_left_later_leaves_the_word_to_the_pile(
    phone: Phone, pile: FakePile, link: FakeLink, monkeypatch: pytest.MonkeyPatch
):
    order_while_the_connection_breaks(phone, link, monkeypatch)
    link.connected = True
    link.on_connect()
    assert phone.stop().json()["state"] == "Pending"
    assert len(link.sent("PILE-1", "order")) == 1


def test_stop_of_an_order_that_the_broker_got_leaves_the_word_to_the_pile(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud
):
    phone.order()
    link.on_puback(link.last_mid)
    cloud.writer.submit(lambda tx: None).result()
    assert phone.stop().json()["state"] == "Pending"
    pile.order_status(phone.order_id, "Finishing", "Remote")
    assert (phone.get()["state"], phone.get()["reason"]) == ("Finishing", "Remote")


def test_an_order_that_is_to_stop_does_not_go_out_again(phone: Phone, pile: FakePile, link: FakeLink):
    """A pile that was away began it, and ended it a moment later, with a session fee to pay."""
    phone.order()
    phone.stop()
    link.published.clear()
    pile.hello()
    assert link.sent("PILE-1", "order") == []
    assert len(link.sent("PILE-1", "command")) == 1


def test_a_stop_that_overtook_its_order_is_sent_again_when_the_pile_accepts(
    phone: Phone, pile: FakePile, link: FakeLink
):
    """The pile had no such order yet, so it ignored the stop, and charged until a limit."""
    phone.order()
    phone.stop()
    link.published.clear()
    pile.order_status(phone.order_id, "Accepted")
    (data,) = link.sent("PILE-1", "command")
    assert open_sealed("command", data, pile.key)["order_id"] == phone.order_id
    pile.online(status="Charging", order_id=phone.order_id)
    assert len(link.sent("PILE-1", "command")) == 2


def test_a_stop_is_sent_again_until_the_pile_reports_that_it_was_taken(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud
):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    phone.stop()

    def sent(at: int) -> int:
        """How many stops went out by then, each acknowledged by the broker."""
        cloud.jobs.run_once(at)
        cloud.writer.submit(lambda tx: None).result(WAIT_S)
        link.on_puback(link.last_mid)
        cloud.dispatch.mark_sent()
        cloud.writer.submit(lambda tx: None).result(WAIT_S)
        return len(link.sent("PILE-1", "command"))

    now = now_s()
    assert sent(now) == 1
    assert sent(now + 60) == 2  # after any pause of this test
    assert sent(now + 120) == 3
    pile.order_status(phone.order_id, "Finishing", "Remote")
    before = len(link.sent("PILE-1", "command"))
    assert sent(now + 10 * REPEAT_S) == before


def test_the_stop_of_an_order_that_never_began_is_not_repeated_for_ever(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud
):
    order = phone.order()
    phone.stop()
    link.on_puback(link.last_mid)
    expired_at = order["expires_at"] + cloud.settings.expiry_grace_s + 1
    cloud.jobs.run_once(expired_at)
    assert phone.get()["state"] == "Expired"
    link.published.clear()
    cloud.jobs.run_once(expired_at + 2 * REPEAT_S)
    cloud.writer.submit(lambda tx: None).result(WAIT_S)
    assert link.sent("PILE-1", "command") == []
