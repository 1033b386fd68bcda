"""Whatever is asked without a token, nothing that this process keeps grows with the number of requests."""

from __future__ import annotations

import functools
import gc
import itertools
import random
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from cloud_stub.app import create_app
from cloud_stub.cloud import Cloud
from cloud_stub.http import rate_limits
from cloud_stub.settings import Settings
from tests.cloud.conftest import AS_OPERATOR
from tests.cloud.fakes import FakePile

REQUESTS = 540  # of a phase: 30 of each kind
PHASES = 3
CLIENTS_KEPT = 50
GROWTH_MAX = 20  # entries of all containers together: an entry kept for each request of one kind would be 30
_CONTAINERS = (dict, list, set, frozenset)  # with those derived from them: OrderedDict, defaultdict
_NOT_OURS = (ModuleType, type, CodeType, FrameType, threading.Thread)


def random_word(rng: random.Random) -> str:
    return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(12))


def requests(rng: random.Random) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, options) of requests without a token, each with a name in it that never came before."""
    while True:
        word = random_word(rng)
        pile = rng.choice([word, "PILE-1"])
        key = {"Idempotency-Key": word * 2}
        order = {"device_id": pile, "connector": rng.randint(1, 3), "rate_id": word, "price": 1}
        yield from (
            (word, f"/api/piles/{pile}", {}),
            (word, "/healthz", {}),
            ("GET", f"/api/piles/{pile}", {}),
            ("GET", f"/api/piles/{pile}/rate", {"params": {word: word}}),
            ("GET", f"/api/orders/{word}", {"params": {"token": word}}),
            ("GET", f"/api/orders/{word}/events", {}),
            ("POST", "/api/orders", {"json": order, "headers": key}),
            ("POST", f"/api/orders/{word}/stop", {"headers": {"Authorization": "Bearer " + word}}),
            ("PUT", f"/api/piles/{pile}/rate", {"content": word}),
            ("GET", f"/p/{word}", {"headers": {"Accept-Language": word[:2], "Accept": "text/html"}}),
            ("GET", f"/p/{word.lower()}", {"headers": {"Cookie": f"language={word}"}}),
            ("GET", f"/static/{word}/{word}.js", {}),
            ("GET", f"/static/{word}/phone.js", {"headers": {"Accept-Encoding": word}}),
            ("GET", f"/docs/assets/{word}", {}),
            ("GET", f"/{word}", {"headers": {word: word, "Accept": "text/html"}}),
            ("POST", "/broker/auth", {"json": {"username": word, "password": word}}),
            ("GET", "/metrics", {"headers": {"Authorization": "Bearer " + word}}),
            (rng.choice(["GET", "OPTIONS", "HEAD", "DELETE", "TRACE"]), f"/api/{word}", {}),
        )


def kept_entries(*roots: Any) -> int:
    """How many entries all containers have that are reachable from `roots`, modules and types left out."""
    own_names = {id(vars(module)) for module in list(sys.modules.values()) if isinstance(module, ModuleType)}
    seen = {id(own_names), *own_names}
    waiting = list(roots)
    entries = 0
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, _NOT_OURS):
            continue
        seen.add(id(found))
        if isinstance(found, _CONTAINERS):
            entries += len(found)
        waiting += gc.get_referents(found)
    return entries


def caches() -> list[Any]:
    """The functions of this project whose answers are cached."""
    return [
        each
        for each in gc.get_objects()
        if isinstance(each, functools._lru_cache_wrapper)
        and str(getattr(each, "__module__", "")).startswith(("cloud_stub", "pile_protocol"))
    ]


@pytest.fixture
def limited(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Few requests a minute, few clients remembered, and a broker that may ask."""
    monkeypatch.setattr(rate_limits, "CLIENTS_KEPT", CLIENTS_KEPT)
    settings.broker_token = "token-of-the-broker"
    settings.quotes_per_minute = 3
    settings.orders_per_minute = 1
    return settings


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.long
def test_nothing_kept_grows_with_requests_that_have_no_token(
    limited: Settings, cloud: Cloud, client: TestClient, pile: FakePile
):
    rng = random.Random(20261127)
    wanted = requests(rng)
    app = create_app(cloud)

    def ask(how_many: int) -> None:
        for _ in range(how_many // 10):
            address = f"203.0.{rng.randrange(256)}.{rng.randrange(256)}"
            caller = TestClient(app, client=(address, 1), raise_server_exceptions=False)
            for method, path, options in itertools.islice(wanted, 10):
                answer = caller.request(method, path, follow_redirects=False, **options)
                assert answer.status_code < 500, (method, path, answer.text)

    ask(REQUESTS)  # fills what has a bound
    cached = {id(each): each.cache_info().currsize for each in caches()}
    sizes = [kept_entries(app, cloud)]
    for _ in range(PHASES):
        ask(REQUESTS)
        sizes.append(kept_entries(app, cloud))
    # What grows does so in every phase; a metric's label that is met for the first time counts in one.
    assert min(after - before for before, after in itertools.pairwise(sizes)) < GROWTH_MAX, sizes
    for each in caches():
        info = each.cache_info()
        assert info.maxsize is not None or info.currsize - cached.get(id(each), 0) < 5, each


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_what_is_kept_is_found_by_the_test_above(cloud: Cloud, client: TestClient):
    before = kept_entries(cloud)
    cloud.metrics.http.labels("GET", "/made-for-the-test", "200")
    cloud.context.known_piles._known.update(str(n) for n in range(100))
    assert kept_entries(cloud) - before > 100


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_methods_of_the_clients_own_are_one_label(client: TestClient, pile: FakePile):
    rng = random.Random(1)
    for _ in range(1_000):
        method = random_word(rng)
        assert client.request(method, rng.choice(["/healthz", "/nowhere", "/p/PILE-1"])).status_code >= 400
    shown = client.get("/metrics", headers=AS_OPERATOR).text
    methods = {
        sample.labels["method"]
        for family in text_string_to_metric_families(shown)
        for sample in family.samples
        if "method" in sample.labels
    }
    assert methods <= {"other", "any", "GET", "POST", "PUT"}, methods
    assert len(shown) < 100_000


@pytest.mark.parametrize(
    "address",
    [
        lambda n: f"10.0.{n >> 8}.{n & 255}",
        lambda n: f"2001:db8:{n:x}::1",
        lambda n: f"fe80::{n:x}%eth{n}",
        lambda n: f"::1%{n}",
        lambda n: f"unknown-{n}",
        lambda n: "x" * n,
    ],
    ids=["IPv4", "IPv6", "IPv6 with a zone", "loopback with a zone", "words", "long words"],
)
def test_a_limit_remembers_a_bounded_number_of_clients(
    monkeypatch: pytest.MonkeyPatch, address: Callable[[int], str]
):
    monkeypatch.setattr(rate_limits, "CLIENTS_KEPT", 100)
    limit = rate_limits.Limit(per_minute=1)
    for n in range(2_000):
        limit.wait_s(address(n), 0)
    assert len(limit._free_at) <= 100
    assert sum(map(len, limit._free_at)) < 100 * 60
