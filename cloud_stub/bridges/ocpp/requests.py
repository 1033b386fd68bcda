"""Requests of the central system. They use the cloud's own functions and get the same refusals.

The central system can stop orders, restart an idle pile, take connectors out of service, and put back those
that it has taken out itself. It can start an order only at a site for which an operator has entered the rate
that was agreed on (sites.remote_starts). If another rate holds, the order is refused.
"""

from collections.abc import Callable
from typing import Any

from ...base.budgets import Budget
from ...base.clock import now_s
from ...base.problems import Problem
from ...base.tokens import new_token
from ...db import audit
from ...db.audit import Actor
from ...db.writer import Transaction
from ...orders import commands, create, lookup, pile_commands, states
from ...orders.context import Context
from ...payments import free
from ...piles import registry, service
from ...piles import views as pile_views
from ...sites import remote_starts
from .. import availability
from . import configuration, progress
from .errors import GatewayError
from .rpc import Answer
from .station import Station

ACTOR = Actor(audit.OCPP, "OCPP central system")  # no account can have this name
# Requests that change something add audit lines, so they are limited: a burst, then one in each CHANGE_S.
CHANGES, CHANGE_S = 20, 10
_ACCEPTED, _REJECTED = {"status": "Accepted"}, {"status": "Rejected"}


class Requests:
    """The answers for one pile."""

    def __init__(self, station: Station, context: Context):
        self._station = station
        self._context = context
        self._budget = Budget(CHANGES, CHANGE_S)

    def answers(self) -> dict[str, Answer]:
        """By action."""
        return {
            "RemoteStartTransaction": self._remote_start,
            "RemoteStopTransaction": self._remote_stop,
            "ChangeAvailability": self._change_availability,
            "Reset": self._reset,
            "TriggerMessage": self._trigger,
            "GetConfiguration": self._get_configuration,
            "ChangeConfiguration": self._change_configuration,
            "UnlockConnector": _always({"status": "NotSupported"}),
            "ClearCache": _always(_REJECTED),  # there is no cache
            "GetLocalListVersion": _always({"listVersion": -1}),  # local lists are not supported
            "SendLocalList": _always({"status": "NotSupported"}),
            "DataTransfer": _always({"status": "UnknownVendorId"}),
        }

    async def _change(self, unit: Callable[[Transaction, int], str]) -> dict[str, Any]:
        """Run a unit that changes something; a refusal of the cloud becomes Rejected."""
        if not self._budget.take(""):
            self._station.count(GatewayError("TooManyCalls", "requests that change something"))
            return _REJECTED
        try:
            return {"status": await self._station.database.write(lambda tx: unit(tx, now_s()))}
        except Problem as problem:
            self._station.count(GatewayError("Rejected", problem.code))
        except GatewayError as error:
            self._station.count(error)
        return _REJECTED

    async def _remote_start(self, asked: dict[str, Any]) -> dict[str, Any]:
        only = 1 if self._station.connectors == 1 else 0
        connector = asked.get("connectorId", only)
        if not 0 < connector <= self._station.connectors or not asked["idTag"].isprintable():
            return _REJECTED

        def start(tx: Transaction, now: int) -> str:
            pile = registry.get(tx.conn, self._station.device_id, lock=True)
            rate_id = remote_starts.agreed_rate_id(tx.conn, pile.site_id)
            body = create.OrderBody(device_id=pile.device_id, connector=connector, rate_id=rate_id)
            terms = create.agree(tx, self._context, body, new_token(), now)
            if not isinstance(terms, create.Terms):
                raise ValueError("a new key has no order")
            grant = free.find(tx.conn, None, pile.site_id, now)
            row = create.make(tx, self._context, terms, now)
            if grant is not None:
                free.mark(tx.conn, row.order_id, grant, ACTOR, grant.reason)
            progress.add(tx.conn, row.order_id, pile.device_id, asked["idTag"])
            detail = f"connector {connector}, idTag {asked['idTag']!r}, rate {rate_id}"
            audit.record(
                tx.conn,
                ACTOR,
                now,
                "RemoteStarted",
                device_id=pile.device_id,
                order_id=row.order_id,
                site_id=pile.site_id,
                detail=detail,
            )
            return "Accepted"

        return await self._change(start)

    async def _remote_stop(self, asked: dict[str, Any]) -> dict[str, Any]:
        def stop(tx: Transaction, now: int) -> str:
            opened = progress.open_of(tx.conn, self._station.device_id)
            mine = [each for each in opened if each.transaction_id == asked["transactionId"]]
            order = lookup.lock(tx.conn, mine[0].order_id) if mine else None
            if order is None or order.state not in states.HOLDING:
                return "Rejected"
            commands.request_stop(tx, ACTOR, self._context, order.order_id, now)
            return "Accepted"

        return await self._change(stop)

    async def _change_availability(self, asked: dict[str, Any]) -> dict[str, Any]:
        connector, goes_out = asked["connectorId"], asked["type"] == "Inoperative"
        if not 0 <= connector <= self._station.connectors:
            return _REJECTED
        device_id, context = self._station.device_id, self._context

        def change(tx: Transaction, now: int) -> str:
            pile = registry.get(tx.conn, device_id, lock=True)
            note = "ChangeAvailability"
            if not availability.switch(tx, ACTOR, context, device_id, connector, goes_out, note, now):
                return "Rejected"  # an operator has taken it out of service
            views = pile_views.connector_views(tx.conn, pile, now)
            busy = any(each["busy"] for each in views if connector in (service.WHOLE_PILE, each["connector"]))
            return "Scheduled" if goes_out and busy else "Accepted"

        return await self._change(change)

    async def _reset(self, _: dict[str, Any]) -> dict[str, Any]:
        def restart(tx: Transaction, now: int) -> str:
            if not registry.get(tx.conn, self._station.device_id).online:
                return "Rejected"
            pile_commands.request_restart(tx, ACTOR, self._context, self._station.device_id, now)
            return "Accepted"

        return await self._change(restart)

    async def _trigger(self, asked: dict[str, Any]) -> dict[str, Any]:
        message, connector = asked["requestedMessage"], asked.get("connectorId")
        if message not in ("BootNotification", "Heartbeat", "StatusNotification", "MeterValues"):
            return {"status": "NotImplemented"}
        if connector is not None and not 0 <= connector <= self._station.connectors:
            return _REJECTED
        self._station.trigger(message, connector)
        return _ACCEPTED

    async def _get_configuration(self, asked: dict[str, Any]) -> dict[str, Any]:
        station = self._station
        point = await station.database.read(lambda conn: progress.charge_point(conn, station.device_id))
        changeable = {
            configuration.HEARTBEAT: station.heartbeat_s,
            configuration.SAMPLE: point.sample_s,
            "TransactionMessageRetryInterval": station.retry_s,
        }
        return configuration.answer(asked.get("key"), station.connectors, changeable)

    async def _change_configuration(self, asked: dict[str, Any]) -> dict[str, Any]:
        status, seconds = configuration.changed(asked["key"], asked["value"])
        if status != "Accepted":
            return {"status": status}
        station = self._station
        if asked["key"] == configuration.HEARTBEAT:
            station.heartbeat_s = seconds
            return _ACCEPTED

        def store(tx: Transaction, _: int) -> str:
            progress.set_sample_s(tx.conn, station.device_id, seconds)
            return status

        return await self._change(store)


def _always(answer: dict[str, Any]) -> Answer:
    async def give(_: dict[str, Any]) -> dict[str, Any]:
        return answer

    return give
