"""How to call each route that changes something, and the audit line that it then writes.

`prepare(call, phone, add_pile)` makes what the route needs and returns the values of its path; "body" among
them replaces the change's own. A route that is in neither table fails test_roles.py.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from cloud_stub.base.clock import now_s
from cloud_stub.payments import holds
from cloud_stub.payments.holds import HoldRow
from tests.cloud.conftest import AS_OPERATOR
from tests.cloud.fakes import FLAT_RATE
from tests.cloud.releases import UpdatingPile, archive

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)  # so that each has its own pile and account


class Change(NamedTuple):
    action: str
    body: Any = None
    prepare: Callable[..., dict[str, Any]] | None = None


def _user(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    name = f"user{next(_numbers)}"
    call("POST", "/api/users", {"name": name, "role": "viewer", "password": PASSWORD})
    return {"name": name}


WEBHOOK = {"name": "books", "url": "https://example.org/", "kinds": ["order"]}


def _webhook(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    name = f"books{next(_numbers)}"
    call("POST", "/api/webhooks", WEBHOOK | {"name": name})
    return {"name": name}


def _token(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    return call("POST", "/api/tokens", {"name": "export", "permissions": ["read"], "days": 1})


def _session(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    user = _user(call, phone, add_pile)
    body = user | {"password": PASSWORD}
    headers = {"X-RateLock-Console": "1"}
    made = phone.client.post("/api/session", json=body, headers=headers)
    phone.client.cookies.clear()
    return {"session_id": made.json()["caller"]["session_id"]}


def _pile(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    return {"device_id": add_pile(f"P-{next(_numbers)}").device_id}


def _order(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    return phone.order(_pile(call, phone, add_pile)["device_id"])


def _unreachable_order(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    pile = add_pile(f"P-{next(_numbers)}")
    made = phone.order(pile.device_id)
    pile.offline()
    return made


def _settled(call: Any, phone: Any, add_pile: Any, **lies: Any) -> dict[str, Any]:
    pile = add_pile(f"P-{next(_numbers)}")
    phone.order(pile.device_id)
    pile.order_status(phone.order_id, "Accepted")
    pile.settle(phone.message(pile), 2_500_000, **lies)
    body = {"amount_minor": phone.get()["settlement"]["total_minor"], "method": "test"}
    return {"order_id": phone.order_id, "body": body}


def _creditable(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    return _settled(call, phone, add_pile) | {"body": {"amount_minor": 1, "reason": "a test"}}


def _flagged(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    _settled(call, phone, add_pile, total_minor=1)
    flagged = call("GET", "/api/settlements?flagged=true")["items"]
    return {"settlement_id": flagged[0]["id"]}


def _free_vend(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    return call("POST", "/api/free-vend", {"reason": "Guests"})


def _refused_capture(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    """A hold whose capture the provider has refused."""
    device_id = _pile(call, phone, add_pile)["device_id"]
    cloud = phone.client.app.state.cloud
    hold = HoldRow(
        hold_id=f"h-{next(_numbers)}",
        idempotency_key=f"key-{next(_numbers)}",
        request_digest="0" * 64,
        device_id=device_id,
        order_id=None,
        adapter="test",
        is_test=True,
        amount_minor=1000,
        currency="CNY",
        minor_digits=2,
        state=holds.CAPTURE_REFUSED,
        ref=None,
        reason="expired",
        captured_minor=0,
        released_minor=0,
        refunded_minor=0,
        open=False,
        created_at=now_s(),
        changed_at=now_s(),
    )
    with cloud.store.writing.begin() as conn:
        holds.add(conn, hold)
    return {"hold_id": hold.hold_id}


def _release(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    number = next(_numbers)
    phone.client.post("/api/releases", content=archive(number), headers=AS_OPERATOR)
    return {"number": number}


def _rollout_body(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    pile = UpdatingPile(add_pile(f"P-{next(_numbers)}"), phone.link, release=0)
    pile.come()
    number = _release(call, phone, add_pile)["number"]
    return {"body": {"release": number, "selection": f"pile:{pile.device_id}"}}


def _rollout(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    return call("POST", "/api/rollouts", _rollout_body(call, phone, add_pile)["body"])


def _paused_rollout(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    rollout = _rollout(call, phone, add_pile)
    return call("POST", f"/api/rollouts/{rollout['rollout_id']}/pause")


def _modern(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    pile = add_pile(f"P-{next(_numbers)}")
    pile.hello(commands=["restart", "service"])
    return {"device_id": pile.device_id}


def _out_of_service(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    pile = _pile(call, phone, add_pile)
    call("PUT", f"/api/piles/{pile['device_id']}/out-of-service", {"reason": "Damaged"})
    return pile


def _site(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    site_id = f"SITE-{next(_numbers)}"
    call("POST", "/api/sites", SITE | {"site_id": site_id})
    return {"site_id": site_id}


def _moved(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    device_id = _pile(call, phone, add_pile)["device_id"]
    site_id = _site(call, phone, add_pile)["site_id"]
    return {"body": {"selection": "pile:" + device_id, "site_id": site_id}}


def _tagged(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    return {"body": {"selection": "pile:" + _pile(call, phone, add_pile)["device_id"], "add": ["fast"]}}


def _tariff(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    tariff_id = f"city{next(_numbers)}"
    call("POST", "/api/tariffs", {"tariff_id": tariff_id, "name": "City"})
    return {"tariff_id": tariff_id}


def _future_version(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    tariff = _tariff(call, phone, add_pile)
    path = f"/api/tariffs/{tariff['tariff_id']}/versions"
    call("POST", path, FLAT_RATE)
    return tariff | {"rate_id": call("POST", f"{path}?from_at={now_s() + 86_400}", FLAT_RATE)["rate_id"]}


def _assigned(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    tariff_id = _tariff(call, phone, add_pile)["tariff_id"]
    call("POST", f"/api/tariffs/{tariff_id}/versions", FLAT_RATE)
    device_id = _pile(call, phone, add_pile)["device_id"]
    return {"body": {"tariff_id": tariff_id, "places": ["pile:" + device_id]}}


def _calendar(call: Any, phone: Any, add_pile: Any) -> dict[str, Any]:
    calendar_id = f"HOLIDAYS-{next(_numbers)}"
    call("PUT", "/api/calendars/" + calendar_id, CALENDAR)
    return {"calendar_id": calendar_id}


CALENDAR = {"name": "Bavaria", "days": {"2026-10-03": "Day of German Unity"}}
SITE = {"site_id": "HARBOUR", "name": "Harbour", "time_zone": "Asia/Shanghai"}

CHANGES: dict[tuple[str, str], Change] = {
    ("POST", "/api/free-vend"): Change("FreeVendGranted", {"reason": "Guests"}),
    ("DELETE", "/api/free-vend/{grant_id}"): Change("FreeVendRevoked", prepare=_free_vend),
    ("POST", "/api/payments/{hold_id}/retry"): Change("PaymentRetried", prepare=_refused_capture),
    ("POST", "/api/piles"): Change("PileAdded", {"device_id": "P-NEW"}),
    ("DELETE", "/api/piles/{device_id}"): Change("PileRemoved", prepare=_pile),
    ("PUT", "/api/piles/{device_id}/connector-power"): Change("ConnectorPowerSet", {"power_w": 7400}, _pile),
    ("POST", "/api/piles/{device_id}/reset"): Change("ResetRequested", {}, _pile),
    ("PUT", "/api/piles/{device_id}/rate"): Change("RatePublished", FLAT_RATE, _pile),
    ("PATCH", "/api/piles/{device_id}"): Change("PileRenamed", {"name": "Gate 9"}, _pile),
    ("PUT", "/api/piles/{device_id}/out-of-service"): Change(
        "TakenOutOfService", {"reason": "Damaged"}, _pile
    ),
    ("DELETE", "/api/piles/{device_id}/out-of-service"): Change(
        "PutBackIntoService", prepare=_out_of_service
    ),
    ("POST", "/api/piles/{device_id}/restart"): Change("RestartRequested", prepare=_modern),
    ("POST", "/api/piles/{device_id}/report"): Change("ReportRequested", prepare=_modern),
    ("POST", "/api/piles/{device_id}/key"): Change("KeyRotated", {}, _pile),
    ("POST", "/api/pile-imports"): Change("PileAdded", {"csv": "device_id,name\nP-IMPORTED,Gate"}),
    ("POST", "/api/pile-moves"): Change("PileMoved", prepare=_moved),
    ("POST", "/api/tags"): Change("PileTagged", prepare=_tagged),
    ("POST", "/api/sites"): Change("SiteAdded", SITE),
    ("PATCH", "/api/sites/{site_id}"): Change("SiteChanged", {"name": "Port"}, _site),
    ("DELETE", "/api/sites/{site_id}"): Change("SiteRemoved", prepare=_site),
    ("PUT", "/api/sites/{site_id}/remote-start"): Change(
        "RemoteStartEnded", {"rate_id": None, "agreement": "ended"}, _site
    ),
    ("POST", "/api/tariffs"): Change("TariffAdded", {"tariff_id": "city", "name": "City"}),
    ("PATCH", "/api/tariffs/{tariff_id}"): Change("TariffRenamed", {"name": "Town"}, _tariff),
    ("DELETE", "/api/tariffs/{tariff_id}"): Change("TariffRemoved", prepare=_tariff),
    ("POST", "/api/tariffs/{tariff_id}/versions"): Change("RatePublished", FLAT_RATE, _tariff),
    ("DELETE", "/api/tariffs/{tariff_id}/versions/{rate_id}"): Change(
        "RateWithdrawn", prepare=_future_version
    ),
    ("PUT", "/api/assignments"): Change("TariffAssigned", prepare=_assigned),
    ("PUT", "/api/calendars/{calendar_id}"): Change(
        "CalendarSet", CALENDAR, lambda *_: {"calendar_id": "by"}
    ),
    ("DELETE", "/api/calendars/{calendar_id}"): Change("CalendarRemoved", prepare=_calendar),
    ("POST", "/api/orders/{order_id}/stop"): Change("OrderStopped", prepare=_order),
    ("POST", "/api/orders/{order_id}/close"): Change("OrderClosed", {"reason": "gone"}, _unreachable_order),
    ("POST", "/api/orders/{order_id}/payment"): Change("PaymentEntered", prepare=_settled),
    ("POST", "/api/settlements/{settlement_id}/review"): Change(
        "SettlementReviewed", {"decision": "waive", "note": "a test"}, _flagged
    ),
    ("POST", "/api/releases"): Change("ReleaseAdded", archive(999_999_999)),
    ("DELETE", "/api/releases/{number}"): Change("ReleaseRemoved", prepare=_release),
    ("POST", "/api/rollouts"): Change("RolloutStarted", prepare=_rollout_body),
    ("POST", "/api/rollouts/{rollout_id}/pause"): Change("RolloutPaused", prepare=_rollout),
    ("POST", "/api/rollouts/{rollout_id}/resume"): Change("RolloutResumed", prepare=_paused_rollout),
    ("POST", "/api/rollouts/{rollout_id}/cancel"): Change("RolloutCancelled", prepare=_rollout),
    ("POST", "/api/orders/{order_id}/credits"): Change("BillCredited", prepare=_creditable),
    ("POST", "/api/users"): Change("UserAdded", {"name": "bob", "role": "viewer", "password": PASSWORD}),
    ("PUT", "/api/users/{name}/role"): Change("RoleSet", {"role": "operator"}, _user),
    ("PUT", "/api/users/{name}/password"): Change("PasswordSet", {"password": PASSWORD + "!"}, _user),
    ("PUT", "/api/users/{name}/disabled"): Change("UserDisabled", {"disabled": True}, _user),
    ("DELETE", "/api/users/{name}"): Change("UserRemoved", prepare=_user),
    ("DELETE", "/api/sessions/{session_id}"): Change("SessionEnded", prepare=_session),
    ("POST", "/api/tokens"): Change("TokenAdded", {"name": "ci", "permissions": ["read"], "days": 1}),
    ("POST", "/api/webhooks"): Change("WebhookAdded", WEBHOOK),
    ("POST", "/api/webhooks/{name}/resend"): Change("WebhookResent", prepare=_webhook),
    ("DELETE", "/api/webhooks/{name}"): Change("WebhookRemoved", prepare=_webhook),
    ("DELETE", "/api/tokens/{token_id}"): Change("TokenRevoked", prepare=_token),
}

# Those without a line of this kind, and why.
UNAUDITED = {
    ("POST", "/api/rates/preview"): "it changes nothing",
    ("POST", "/api/rollout-preview"): "it changes nothing",
    ("POST", "/api/holidays"): "it changes nothing",
    ("POST", "/api/names"): "it changes nothing",
    ("POST", "/api/labels.pdf"): "it changes nothing",
    ("POST", "/api/webhooks/{name}/test"): "it changes nothing",
    ("POST", "/api/orders/{order_id}/receipt"): "only a driver may",
    ("DELETE", "/api/session"): "test_people.py signs out",
    ("PUT", "/api/session/password"): "test_people.py changes a password",
}
