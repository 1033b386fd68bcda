"""What piles say of orders: late, repeated, out of order, of others' orders; expiry; greetings."""

import time
from typing import Any

from cloud_stub.cloud import Cloud
from tests.cloud.conftest import Phone
from tests.cloud.fakes import FakeLink, FakePile, open_sealed


def events(operator: Any) -> list[tuple[str, str | None]]:
    """(kind, order_id) of everything noted, oldest first."""
    found = operator("GET", "/api/events").json()["items"]
    return [(each["kind"], each["order_id"]) for each in reversed(found)]


def expire(cloud: Cloud, order: dict[str, Any]) -> None:
    cloud.jobs.run_once(order["expires_at"] + cloud.settings.expiry_grace_s + 1)


def test_the_pile_leads_the_order_through_its_life(phone: Phone, pile: FakePile):
    phone.order()
    for word in ("Accepted", "Charging", "Finishing"):
        pile.order_status(phone.order_id, word)
        assert phone.get()["state"] == word
    pile.order_status(phone.order_id, "Settled", "EVDisconnected")
    assert phone.get()["state"] == "Finishing"  # its settlement is not here yet
    pile.settle(phone.message(pile), stop_reason="EVDisconnected")
    order = phone.get()
    assert (order["state"], order["reason"]) == ("Settled", "EVDisconnected")
    assert None not in [order[name + "_at"] for name in ("accepted", "charging", "finishing", "settled")]


def test_late_and_repeated_words_never_lead_back(phone: Phone, pile: FakePile):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    version = phone.get()["version"]
    for word in ("Accepted", "Charging"):
        pile.order_status(phone.order_id, word)
    assert (phone.get()["state"], phone.get()["version"]) == ("Charging", version)


def test_a_settlement_that_overtakes_every_word_still_settles(phone: Phone, pile: FakePile):
    phone.order()
    pile.settle(phone.message(pile))
    for word in ("Accepted", "Charging", "Finishing", "Settled"):
        pile.order_status(phone.order_id, word)
    assert phone.get()["state"] == "Settled"


def test_a_rejection_ends_the_order_and_frees_the_connector(phone: Phone, pile: FakePile):
    phone.order()
    pile.order_status(phone.order_id, "Rejected", "NotPlugged")
    assert (phone.get()["state"], phone.get()["reason"]) == ("Rejected", "NotPlugged")
    phone.order()


def test_refusals_that_anyone_can_provoke_are_noted_and_move_nothing(
    phone: Phone, pile: FakePile, operator: Any
):
    phone.order()
    for reason in ("BadSeal", "Malformed", "UsedOrder"):
        pile.order_status(phone.order_id, "Rejected", reason)
    pile.order_status(None, "Rejected", "Malformed", connector=None, at=None)
    assert phone.get()["state"] == "Pending"
    assert events(operator).count(("OrderRefused", phone.order_id)) == 3
    assert ("OrderRefused", None) in events(operator)


def test_an_unanswered_order_expires_after_its_grace_and_not_before(
    phone: Phone, pile: FakePile, cloud: Cloud
):
    order = phone.order()
    cloud.jobs.run_once(order["expires_at"] + cloud.settings.expiry_grace_s)
    assert phone.get()["state"] == "Pending"
    expire(cloud, order)
    assert (phone.get()["state"], phone.get()["reason"]) == ("Expired", "Expired")
    phone.order()


def test_an_answered_order_never_expires(phone: Phone, pile: FakePile, cloud: Cloud):
    order = phone.order()
    pile.order_status(phone.order_id, "Accepted")
    expire(cloud, order)
    assert phone.get()["state"] == "Accepted"


def test_an_acceptance_in_time_that_comes_late_revives_the_order(phone: Phone, pile: FakePile, cloud: Cloud):
    order = phone.order()
    expire(cloud, order)
    pile.order_status(phone.order_id, "Accepted", at=order["expires_at"])
    assert phone.get()["state"] == "Accepted"


def test_an_acceptance_out_of_time_revives_nothing(phone: Phone, pile: FakePile, cloud: Cloud, operator: Any):
    order = phone.order()
    expire(cloud, order)
    pile.order_status(phone.order_id, "Accepted", at=order["expires_at"] + 1)
    pile.order_status(phone.order_id, "Charging", at=None)
    assert phone.get()["state"] == "Expired"
    assert events(operator).count(("LateWord", phone.order_id)) == 2


def test_a_settlement_wins_over_expiry_and_rejection(phone: Phone, pile: FakePile, cloud: Cloud):
    order = phone.order()
    expire(cloud, order)
    pile.settle(phone.message(pile))
    assert phone.get()["state"] == "Settled"
    phone.order()
    pile.order_status(phone.order_id, "Rejected", "StorageFailure")
    pile.settle(phone.message(pile))
    assert phone.get()["state"] == "Settled"


def test_hello_is_answered_with_the_time_the_rate_and_what_is_open(
    phone: Phone, pile: FakePile, link: FakeLink
):
    phone.order()
    link.published.clear()
    before = int(time.time())
    pile.hello(nonce="00112233aabbccdd")
    (data,) = link.sent("PILE-1", "time")
    answer = open_sealed("time", data, pile.key)
    assert answer["nonce"] == "00112233aabbccdd"
    assert before <= answer["at"] <= time.time()
    assert phone.message(pile)["order_id"] == phone.order_id
    assert [retain for _, name, _, retain in link.published if name == "rate"] == [True]


def test_hello_brings_back_no_order_that_is_answered_or_expired(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud
):
    phone.order()
    pile.order_status(phone.order_id, "Accepted")
    expire(cloud, phone.order(connector=2))
    link.published.clear()
    pile.hello(orders=[[phone.order_id, "Accepted"]])
    assert link.sent("PILE-1", "order") == []


def test_hello_brings_back_a_stop_until_the_order_ends(phone: Phone, pile: FakePile, link: FakeLink):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    phone.stop()
    for _ in range(2):
        link.published.clear()
        pile.hello(orders=[[phone.order_id, "Charging"]])
        assert len(link.sent("PILE-1", "command")) == 1
    pile.order_status(phone.order_id, "Finishing")
    link.published.clear()
    pile.hello(orders=[[phone.order_id, "Finishing"]])
    assert link.sent("PILE-1", "command") == []


def test_hello_tells_of_orders_whose_words_were_lost(phone: Phone, pile: FakePile, cloud: Cloud):
    order = phone.order()
    expire(cloud, order)
    pile.hello(orders=[[phone.order_id, "Charging"]])
    assert phone.get()["state"] == "Charging"


def test_reset_goes_out_sealed(operator: Any, pile: FakePile, link: FakeLink):
    assert operator("POST", "/api/piles/PILE-1/reset", {"connector": 2}).status_code == 202
    command = open_sealed("command", link.sent("PILE-1", "command")[-1], pile.key)
    assert (command["action"], command["connector"]) == ("reset", 2)
    assert command["expires_at"] - command["issued_at"] == 300
    assert operator("POST", "/api/piles/PILE-1/reset", {"connector": 3}).json()["code"] == "UnknownConnector"
    assert operator("POST", "/api/piles/PILE-9/reset", {"connector": 1}).json()["code"] == "UnknownPile"


def test_status_tells_of_connectors_and_a_last_will_only_of_being_offline(
    client: Any, pile: FakePile, operator: Any
):
    pile.online(status="Faulted", fault="GroundFailure", plugged=False)
    shown = client.get("/api/piles/PILE-1").json()
    assert shown["online"] is True
    assert shown["connectors"][0] == {
        "connector": 1,
        "status": "Faulted",
        "fault": "GroundFailure",
        "plugged": False,
        "busy": False,
        "occupied_since": None,
        "out_of_service": None,
        "rate_id": shown["connectors"][0]["rate_id"],
    }
    pile.offline()
    shown = client.get("/api/piles/PILE-1").json()
    assert shown["online"] is False
    assert (shown["connectors"][0]["status"], shown["connectors"][0]["fault"]) == (
        "Unavailable",
        "GroundFailure",
    )
    kinds = [kind for kind, _ in events(operator)]
    assert kinds.count("FaultReported") == kinds.count("PileOffline") == 1


def test_meter_values_are_shown_at_once_and_stored_thinned(phone: Phone, pile: FakePile, cloud: Cloud):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    start = int(time.time())
    for second in range(25):
        pile.meter(phone.order_id, 1000 * second, at=start + second)
    assert phone.get()["meter"]["register_mwh"] == 24_000
    with cloud.store.reading.connect() as conn:
        stored = conn.exec_driver_sql("SELECT at FROM meter_samples ORDER BY at").scalars().all()
    assert [at - start for at in stored] == [0, 10, 20]


def test_a_meter_value_that_comes_late_is_not_shown(phone: Phone, pile: FakePile):
    phone.order()
    pile.meter(phone.order_id, 5000)
    pile.meter(phone.order_id, 4000)
    assert phone.get()["meter"]["register_mwh"] == 5000


def test_another_process_shows_what_is_stored_of_the_meter(phone: Phone, pile: FakePile, cloud: Cloud):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    pile.meter(phone.order_id, 5000)
    live = phone.get()["meter"]
    cloud.hub._meters.clear()  # as where the value did not come through this process
    assert phone.get()["meter"] == live
