"""Several workers on one database: each duty once, nothing twice, whoever got a message."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.app import create_app
from cloud_stub.base.clock import now_s
from cloud_stub.cloud import Cloud
from cloud_stub.db.engine import try_lock_jobs
from cloud_stub.messaging.outbox import LEASE_S
from cloud_stub.orders import commands
from cloud_stub.settings import Settings
from pile_protocol import topics
from tests.cloud import releases
from tests.cloud.conftest import AS_OPERATOR, Phone
from tests.cloud.fakes import WAIT_S, FakeLink, FakePile


def settle_down(*clouds: Cloud) -> None:
    for cloud in clouds:
        cloud.writer.submit(lambda tx: None).result(WAIT_S)


@pytest.fixture
def other_link() -> FakeLink:
    link = FakeLink()
    link.shared = True
    return link


@pytest.fixture
def other(client: TestClient, settings: Settings, other_link: FakeLink) -> Iterator[Cloud]:
    """A second worker on the same database."""
    cloud = Cloud(settings, other_link)  # type: ignore[arg-type]
    with TestClient(create_app(cloud)):
        yield cloud


def events(cloud: Cloud, kind: str) -> int:
    with cloud.store.reading.connect() as conn:
        query = f"SELECT count(*) FROM events WHERE kind = '{kind}'"
        return conn.exec_driver_sql(query).scalar_one()


def state(phone: Phone) -> str:
    return phone.get()["state"]


def sent_everywhere(links: tuple[FakeLink, ...], name: str) -> int:
    return sum(len(link.sent("PILE-1", name)) for link in links)


def stop(cloud: Cloud, order_id: str) -> None:
    unit = lambda tx: commands.request_stop(tx, None, cloud.context, order_id, now_s())  # noqa: E731
    cloud.writer.submit(unit).result(WAIT_S)


def test_what_one_worker_is_sending_no_other_sends(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud, other: Cloud, other_link: FakeLink
):
    phone.order()
    other_link.on_connect()
    other.jobs.run_once(now_s())
    settle_down(cloud, other)
    assert other_link.sent("PILE-1", "order") == []
    assert len(link.sent("PILE-1", "order")) == 1


def test_what_a_dead_worker_left_is_sent_by_one_of_the_others(
    phone: Phone, pile: FakePile, link: FakeLink, cloud: Cloud, other: Cloud, other_link: FakeLink
):
    phone.order()
    with cloud.store.writing.begin() as conn:
        conn.exec_driver_sql(f"UPDATE outbox SET leased_until = leased_until - {LEASE_S + 1}")
    cloud.dispatch._in_flight.clear()  # the dead worker's memory
    link.published.clear()
    for worker in (other, cloud, other):
        worker.jobs.run_once(now_s())
        settle_down(worker)
    assert sent_everywhere((link, other_link), "order") == 1


def test_what_a_dead_worker_left_does_not_go_out_once_it_is_to_stop(
    phone: Phone, pile: FakePile, cloud: Cloud, other: Cloud, link: FakeLink, other_link: FakeLink
):
    """It went out after its stop, of which the pile could make nothing: nothing stopped it any more."""
    phone.order()
    with cloud.store.writing.begin() as conn:
        conn.exec_driver_sql(f"UPDATE outbox SET leased_until = leased_until - {LEASE_S + 1}")
    other.writer.submit(
        lambda tx: commands.request_stop(tx, None, other.context, phone.order_id, now_s())
    ).result(WAIT_S)
    other.jobs.run_once(now_s())
    settle_down(other)
    assert len(other_link.sent("PILE-1", "command")) == 1
    assert other_link.sent("PILE-1", "order") == []
    assert state(phone) == "Pending"  # until it expires, or the pile has it after all
    pile.order_status(phone.order_id, "Accepted")
    assert state(phone) == "Accepted"


def test_a_stop_that_one_worker_sends_before_the_other_sends_its_order_is_sent_again(
    phone: Phone, pile: FakePile, cloud: Cloud, other: Cloud, link: FakeLink, other_link: FakeLink
):
    """The pile got the stop first, had nothing to stop, and then began the order."""
    phone.order()
    other.writer.submit(
        lambda tx: commands.request_stop(tx, None, other.context, phone.order_id, now_s())
    ).result(WAIT_S)
    assert (link.sent("PILE-1", "command"), len(other_link.sent("PILE-1", "command"))) == ([], 1)
    pile.order_status(phone.order_id, "Accepted")
    assert len(link.sent("PILE-1", "command")) == 1


def test_an_unanswered_order_expires_once_whoever_looks_first(
    phone: Phone, pile: FakePile, cloud: Cloud, other: Cloud
):
    placed = phone.order()
    later = placed["expires_at"] + 60
    threads = [threading.Thread(target=worker.jobs.run_once, args=(later,)) for worker in (cloud, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    cloud.jobs.run_once(later)  # the one that was refused the lock has left it to the other
    shown = phone.get()
    assert (shown["state"], shown["version"]) == ("Expired", 2)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_duties_are_one_workers_at_a_time_and_nobody_waits(cloud: Cloud, other: Cloud):
    with cloud.store.writing.begin() as conn, other.store.writing.begin() as other_conn:
        assert try_lock_jobs(conn)
        assert not try_lock_jobs(other_conn)
    with other.store.writing.begin() as other_conn:
        assert try_lock_jobs(other_conn)


def test_a_settlement_that_reaches_two_workers_is_stored_once(
    phone: Phone, pile: FakePile, cloud: Cloud, other: Cloud, link: FakeLink, other_link: FakeLink
):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    said = pile.sealed(pile.settlement(phone.message(pile)))
    waiting = [each.send("pile/v1/PILE-1/settlement", said) for each in (link, other_link) for _ in range(5)]
    assert all(event.wait(WAIT_S) for event in waiting)
    with cloud.store.reading.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM settlements").scalar_one() == 1
    assert state(phone) == "Settled"
    assert sent_everywhere((link, other_link), "settlement/ack") == 10


def connector(phone: Phone, status: str) -> dict[str, Any]:
    return {
        "connector": 1,
        "status": status,
        "fault": None,
        "plugged": True,
        "order_id": phone.order_id,
    }


@pytest.mark.parametrize(
    "status, expected",
    [
        ("Preparing", "Accepted"),
        ("Charging", "Charging"),
        ("SuspendedEV", "Charging"),
        ("Finishing", "Finishing"),
    ],
)
def test_a_status_makes_up_for_an_order_status_that_died_with_its_worker(
    phone: Phone, pile: FakePile, status: str, expected: str
):
    phone.order()
    pile.online(**connector(phone, status))
    assert state(phone) == expected


def test_a_status_revives_an_order_that_was_given_up(phone: Phone, pile: FakePile, cloud: Cloud):
    placed = phone.order()
    cloud.jobs.run_once(placed["expires_at"] + 60)
    assert state(phone) == "Expired"
    pile.online(**connector(phone, "Charging"))
    assert state(phone) == "Charging"


def test_a_status_says_nothing_of_another_piles_order(
    phone: Phone, pile: FakePile, add_pile: Callable[..., FakePile]
):
    phone.order()
    add_pile("PILE-2").online(**connector(phone, "Charging"))
    assert state(phone) == "Pending"


def test_a_status_that_was_overtaken_on_its_way_changes_nothing(
    phone: Phone, pile: FakePile, link: FakeLink, client: TestClient
):
    def say(at: int, status: str) -> None:
        said = {"online": True, "at": at, "connectors": [connector(phone, status) | {"order_id": None}]}
        pile._say("status", said)

    def shown() -> str:
        return client.get("/api/piles/PILE-1").json()["connectors"][0]["status"]

    now = now_s()
    say(now, "Available")
    say(now - 1, "Finishing")
    assert shown() == "Available"
    say(now - 3600, "Finishing")  # not late: its clock was set
    assert shown() == "Finishing"


def test_a_status_without_a_time_that_was_overtaken_changes_nothing(
    phone: Phone, pile: FakePile, client: TestClient
):
    def say(clock: str, **members: Any) -> None:
        connectors = [connector(phone, "Available") | {"order_id": None}]
        pile._say("status", {"online": True, "connectors": connectors, "clock": clock} | members)

    def clock_set() -> bool:
        return client.get("/api/piles/PILE-1").json()["clock_set"]

    say("Cloud", at=now_s(), boots=7, uptime_s=3)
    say("Unset", boots=7, uptime_s=3)
    assert clock_set()
    say("Unset", boots=8, uptime_s=3)  # not late: the pile has started again
    assert not clock_set()
    say("Cloud", at=now_s(), boots=8, uptime_s=3600)
    say("Unset", boots=8, uptime_s=3)  # not late either: its flash, and so its count of boots, is new
    assert not clock_set()


def test_a_pile_that_says_nothing_is_lost_though_nobody_said_so(
    pile: FakePile, cloud: Cloud, other: Cloud, client: TestClient, settings: Settings
):
    def online() -> bool:
        return client.get("/api/piles/PILE-1").json()["online"]

    now = now_s()
    cloud.jobs.run_once(now, sweep=True)
    other.jobs.run_once(now, sweep=True)
    cloud.jobs.run_once(now + settings.pile_silent_s - 5, sweep=True)
    assert online()
    later = now + settings.pile_silent_s + 5
    cloud.jobs.run_once(later, sweep=True)
    other.jobs.run_once(later, sweep=True)
    assert not online()
    assert events(cloud, "PileLost") == 1
    pile.online()
    assert online()


def test_silence_counts_from_when_the_cloud_could_hear(
    pile: FakePile, cloud: Cloud, link: FakeLink, client: TestClient, settings: Settings
):
    """After a night without the broker no pile is lost before it had the time to say something."""
    now = now_s()
    cloud.jobs.run_once(now)
    link.connected = False
    cloud.jobs.run_once(now + 1)
    link.connected = True
    back = now + 10 * settings.pile_silent_s
    cloud.jobs.run_once(back, sweep=True)
    assert client.get("/api/piles/PILE-1").json()["online"]
    cloud.jobs.run_once(back + settings.pile_silent_s, sweep=True)
    assert not client.get("/api/piles/PILE-1").json()["online"]


def test_silence_counts_also_once_the_clock_was_set_back(
    pile: FakePile, cloud: Cloud, client: TestClient, settings: Settings
):
    """A pile that had gone was online until the clock came past there again."""
    now = now_s()
    cloud.jobs.run_once(now + 3600)
    cloud.jobs.run_once(now)
    cloud.jobs.run_once(now + settings.pile_silent_s + 5, sweep=True)
    assert not client.get("/api/piles/PILE-1").json()["online"]


def test_a_meter_value_of_another_worker_is_shown_from_what_is_stored(
    phone: Phone, pile: FakePile, cloud: Cloud, other: Cloud, other_link: FakeLink
):
    phone.order()
    pile.order_status(phone.order_id, "Charging")
    now = now_s()
    pile.meter(phone.order_id, 1_000, at=now - 60)
    elsewhere = FakePile(
        "PILE-1", pile.key, lambda name, data: other_link.deliver(f"pile/v1/PILE-1/{name}", data)
    )
    elsewhere.meter(phone.order_id, 9_000, at=now - 20)
    assert phone.get()["meter"]["register_mwh"] == 9_000


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_rollout_that_several_workers_step_at_once_offers_each_pile_once(
    client: TestClient,
    operator: Callable[..., Any],
    add_pile: Callable[..., FakePile],
    link: FakeLink,
    cloud: Cloud,
    other: Cloud,
    other_link: FakeLink,
):
    """Both step it, and reports come through the other one than the offer did."""
    cloud.settings.updates_at_once = 2
    client.post("/api/releases", content=releases.archive(12), headers=AS_OPERATOR)
    piles = [releases.UpdatingPile(add_pile(f"PILE-{n}", rate=None, online=False), link) for n in range(1, 7)]
    for pile in piles:
        pile.come()
    body = {"release": 12, "selection": "all", "waves": ["1", "50%"]}
    assert operator("POST", "/api/rollouts", body).status_code == 201

    def step() -> None:
        both = [threading.Thread(target=each.jobs.run_once, args=(now_s(),)) for each in (cloud, other)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join(WAIT_S)
        settle_down(cloud, other)

    def sayer(device_id: str, through: FakeLink) -> Callable[[str, bytes], None]:
        return lambda name, data: through.deliver(topics.topic(device_id, name), data)

    def offers(pile: FakePile) -> int:
        return sum(len(each.sent(pile.device_id, "update")) for each in (link, other_link))

    done: set[str] = set()
    for _ in range(20):
        step()
        offered = [pile for pile in piles if offers(pile) and pile.device_id not in done]
        assert len(offered) <= 2
        for pile in offered:
            through = other_link if link.sent(pile.device_id, "update") else link
            pile.say = sayer(pile.device_id, through)
            pile.update()
            done.add(pile.device_id)
        if operator("GET", "/api/rollouts/1").json()["state"] == "Finished":
            break
    view = operator("GET", "/api/rollouts/1").json()
    assert (view["state"], view["states"]) == ("Finished", {"Confirmed": 6})
    assert [offers(pile) for pile in piles] == [1] * 6
    assert events(cloud, "UpdateConfirmed") == 6
