"""For operators: a registered pile changed, taken out of service, restarted, given a new key."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from pile_protocol import messages

from ..base.body import Body
from ..base.clock import now_s
from ..base.problems import invalid, require_unchanged
from ..base.text import LINE_PATTERN
from ..db.writer import Transaction
from ..orders import pile_commands, states
from ..orders.transitions import lose_with_pile
from ..piles import changes, registry, rekey, service
from ..piles.credentials import admit, sync_credentials
from .access import CanOperate, CanRegister, TheCloud
from .api_schema import raises
from .operator_piles import broker_unavailable

router = APIRouter(prefix="/api", tags=["operator"])


class PileFields(Body):
    """What may be changed of a pile."""

    name: str | None = Field(default=None, max_length=100, pattern=LINE_PATTERN, examples=["Gate 2"])
    connectors: int | None = Field(default=None, ge=1, le=messages.MAX_CONNECTORS)


class ChangeBody(PileFields):
    """What is to change; a member that is left out stays as it is."""

    replaces: PileFields | None = Field(default=None, description="What the caller knows of the pile")


class OutOfServiceBody(Body):
    """connector: 0 is the whole pile. ends_order: stop what charges there; otherwise it goes on."""

    connector: int = Field(default=service.WHOLE_PILE, ge=0, le=messages.MAX_CONNECTORS)
    reason: Literal[service.REASONS]  # type: ignore[valid-type] - the words of a table
    note: str = Field(default="", max_length=service.NOTE_MAX, pattern=LINE_PATTERN)
    ends_order: bool = False


class KeyBody(Body):
    """new_board: the board was replaced, so its settlements begin again. force: also where settlements at the
    pile, or an order of a pile that is offline, would be lost.
    """

    new_board: bool = False
    force: bool = False


@router.patch(
    "/piles/{device_id}", openapi_extra=raises("UnknownPile", "PileRemoved", "PileInUse", "Replaced")
)
async def change_pile(
    cloud: TheCloud, actor: CanRegister, device_id: str, body: ChangeBody
) -> dict[str, Any]:
    """Change the pile's name, or how many connectors it has. The device id never changes."""
    if body.name is None and body.connectors is None:
        raise invalid(("name", "or connectors must be there"))

    def change(tx: Transaction) -> dict[str, Any]:
        now = now_s()
        if body.replaces is not None:
            before = registry.get(tx.conn, device_id, lock=True)
            require_unchanged(body.replaces.model_dump(exclude_none=True), before._asdict())
        pile = changes.set_connectors(tx, actor, device_id, body.connectors, now) if body.connectors else None
        if body.name is not None:
            pile = changes.rename(tx, actor, device_id, body.name, now)
        return {"device_id": device_id, "name": pile.name, "connectors": pile.connectors} if pile else {}

    return await cloud.write(change)


@router.put(
    "/piles/{device_id}/out-of-service",
    openapi_extra=raises("UnknownPile", "PileRemoved", "UnknownConnector"),
)
async def take_out_of_service(
    cloud: TheCloud, actor: CanOperate, device_id: str, body: OutOfServiceBody
) -> dict[str, Any]:
    """Take a connector or the whole pile out of service: cloud and pile refuse orders there."""
    await cloud.write(
        lambda tx: pile_commands.take_out_of_service(
            tx,
            actor,
            cloud.context,
            device_id,
            body.connector,
            body.reason,
            body.note,
            body.ends_order,
            now_s(),
        )
    )
    return {"device_id": device_id, "connector": body.connector, "reason": body.reason}


@router.delete(
    "/piles/{device_id}/out-of-service",
    openapi_extra=raises("UnknownPile", "PileRemoved", "UnknownConnector", "PileOutOfService"),
)
async def put_back_into_service(
    cloud: TheCloud,
    actor: CanOperate,
    device_id: str,
    connector: Annotated[
        int, Query(ge=0, le=messages.MAX_CONNECTORS, description="0: the pile and all its connectors")
    ] = service.WHOLE_PILE,
) -> dict[str, Any]:
    """Put a connector, or the pile with all its connectors, back into service."""
    await cloud.write(
        lambda tx: pile_commands.put_back_into_service(
            tx, actor, cloud.context, device_id, connector, now_s()
        )
    )
    return {"device_id": device_id, "connector": connector}


@router.post(
    "/piles/{device_id}/restart",
    status_code=202,
    openapi_extra=raises("UnknownPile", "PileRemoved", "FirmwareTooOld", "PileInUse"),
)
async def restart_pile(cloud: TheCloud, actor: CanOperate, device_id: str) -> dict[str, Any]:
    """Ask the pile to restart. It does so with every relay open, and not while an order runs."""
    await cloud.write(lambda tx: pile_commands.request_restart(tx, actor, cloud.context, device_id, now_s()))
    return {"device_id": device_id}


@router.post(
    "/piles/{device_id}/report",
    status_code=202,
    openapi_extra=raises("UnknownPile", "PileRemoved"),
)
async def ask_for_report(cloud: TheCloud, actor: CanOperate, device_id: str) -> dict[str, Any]:
    """Ask the pile to report its state and its orders anew."""
    await cloud.write(lambda tx: pile_commands.request_report(tx, actor, cloud.context, device_id, now_s()))
    return {"device_id": device_id}


@router.post(
    "/piles/{device_id}/key",
    status_code=201,
    openapi_extra=raises(
        "UnknownPile", "PileRemoved", "PileInUse", "SettlementsWaiting", "BrokerUnavailable"
    ),
)
async def make_key(cloud: TheCloud, actor: CanRegister, device_id: str, body: KeyBody) -> dict[str, Any]:
    """Give the pile a new key, for a new board or for the same one. Only this answer has it; the old key ends
    with it. Where the answer is lost, ask again.
    """
    lose = lose_with_pile(cloud.context, states.BOARD_REPLACED)
    admitted = False

    def rotate(tx: Transaction) -> bytes:
        nonlocal admitted
        key = rekey.rotate(tx, actor, lose, device_id, body.new_board, body.force, now_s())
        admitted = True
        admit(cloud.settings, device_id, key)  # before the commit: if it fails, the old key stays
        return key

    try:
        key = await cloud.write(rotate)
    except OSError as error:
        raise broker_unavailable(error) from error
    except Exception:
        if admitted:  # the commit failed: the broker takes the key that the database has
            await asyncio.to_thread(sync_credentials, cloud.store, cloud.settings)
        raise
    return {"device_id": device_id, "key": key.hex()}
