"""For operators: tariffs, their versions, where they are assigned, and calendars."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import Connection

from ..base.body import Body
from ..base.clock import now_s
from ..db.writer import Transaction
from ..rates import assignments, calendars, differences, model, reach, tariffs, versions
from ..reports import rate_use
from ..sites import selection
from .access import READ, CanPrice, Limit, TheCloud
from .api_schema import raises
from .operator_rates import AllowUnusual, Replaces
from .paging import page
from .reads import quick, read

router = APIRouter(prefix="/api", tags=["operator"])

CalendarId = Annotated[str, Path(pattern=model.ID_PATTERN)]
At = Annotated[int | None, Query(ge=0, le=2**40, description="When it begins to hold; null: now")]


class AssignmentBody(Body):
    """Where a tariff is to hold; null: what the pile or the site has holds there."""

    places: list[str] = Field(
        min_length=1,
        max_length=assignments.PLACES_MAX,
        examples=[["site:HARBOUR", "pile:PILE-1", "connector:PILE-2/1", "tag:fast"]],
    )
    tariff_id: str | None = Field(max_length=64, examples=["city"])
    replaces: dict[str, str | None] | None = Field(
        default=None,
        max_length=assignments.PLACES_MAX,
        description="What the caller knows to be assigned at each of the places, null for nothing",
        examples=[{"site:HARBOUR": "city", "pile:PILE-1": None}],
    )


@router.get("/tariffs", dependencies=READ)
async def list_tariffs(
    cloud: TheCloud,
    limit: Limit = 50,
    after: str | None = None,
    of_piles: Annotated[bool, Query(description="Also those of one pile alone")] = False,
) -> dict[str, Any]:
    """The tariffs by id: the version that holds, and how many sites, piles and connectors have each."""

    def look(conn: Connection) -> list[dict[str, Any]]:
        items = tariffs.list_views(conn, now_s(), limit, after, of_piles)
        return [
            item | {"rate": cloud.context.rates.get(conn, item["rate_id"]) if item["rate_id"] else None}
            for item in items
        ]

    return page(await read(cloud, look), limit, "tariff_id")


@router.post("/tariffs", status_code=201, openapi_extra=raises("TariffExists"))
async def add_tariff(cloud: TheCloud, actor: CanPrice, body: tariffs.TariffBody) -> dict[str, Any]:
    """Make a tariff, which has no version yet."""
    await cloud.write(lambda tx: tariffs.add(tx, actor, body, now_s()))
    return await quick(cloud, lambda conn: tariffs.one_view(conn, body.tariff_id, now_s()))


@router.get("/tariffs/{tariff_id}", openapi_extra=raises("UnknownTariff"), dependencies=READ)
async def get_tariff(cloud: TheCloud, tariff_id: str) -> dict[str, Any]:
    """The tariff, the version that holds, and where it is assigned."""

    def look(conn: Connection) -> dict[str, Any]:
        now = now_s()
        view = tariffs.one_view(conn, tariff_id, now)
        return view | {
            "rate": versions.running(conn, tariff_id, now),
            "places": assignments.places_of(conn, tariff_id),
        }

    return await quick(cloud, look)


@router.patch("/tariffs/{tariff_id}", openapi_extra=raises("UnknownTariff", "Replaced"))
async def rename_tariff(
    cloud: TheCloud, actor: CanPrice, tariff_id: str, body: tariffs.NameBody
) -> dict[str, Any]:
    """Rename the tariff."""
    row = await cloud.write(lambda tx: tariffs.rename(tx, actor, tariff_id, body, now_s()))
    return {"tariff_id": row.tariff_id, "name": row.name}


@router.delete("/tariffs/{tariff_id}", openapi_extra=raises("UnknownTariff", "TariffInUse"))
async def remove_tariff(cloud: TheCloud, actor: CanPrice, tariff_id: str) -> dict[str, Any]:
    """Remove a tariff that is assigned nowhere. Orders keep the versions that they have locked."""
    await cloud.write(lambda tx: tariffs.remove(tx, actor, tariff_id, now_s()))
    return {"tariff_id": tariff_id}


@router.get("/tariffs/{tariff_id}/reach", openapi_extra=raises("UnknownTariff"), dependencies=READ)
async def list_reach(cloud: TheCloud, tariff_id: str, limit: Limit = 50, after: str = "") -> dict[str, Any]:
    """The piles that a version of the tariff reaches, each with its connectors that have no nearer tariff."""

    def look(conn: Connection) -> list[dict[str, Any]]:
        tariffs.get(conn, tariff_id)
        return reach.reached(conn, tariff_id, limit, after)

    return page(await read(cloud, look), limit, "device_id")


@router.get("/tariffs/{tariff_id}/versions", openapi_extra=raises("UnknownTariff"), dependencies=READ)
async def list_versions(
    cloud: TheCloud, tariff_id: str, limit: Limit = 50, before: str | None = None
) -> dict[str, Any]:
    """The tariff's versions, newest first, who published each, and how many orders confirmed it."""

    def look(conn: Connection) -> list[dict[str, Any]]:
        tariffs.get(conn, tariff_id)
        found = versions.history(conn, tariff_id, now_s(), limit, before)
        confirmed = rate_use.confirmations(conn, [rate["rate_id"] for rate in found])
        return [rate | {"confirmed": confirmed[rate["rate_id"]]} for rate in found]

    return page(await read(cloud, look), limit, "rate_id")


@router.post(
    "/tariffs/{tariff_id}/versions",
    status_code=201,
    openapi_extra=raises("UnknownTariff", "RateReplaced", "PriceUnusual", "RateNotBillable"),
)
async def publish_version(
    cloud: TheCloud,
    actor: CanPrice,
    tariff_id: str,
    body: model.RateBody,
    from_at: At = None,
    replaces: Replaces = None,
    allow_unusual: AllowUnusual = False,
) -> dict[str, Any]:
    """Publish a version, for now or for a later date. Orders keep the version that they have locked.

    With `replaces`, a version that the caller has not seen is not replaced: 409 RateReplaced has it.
    """
    return await cloud.write(
        lambda tx: versions.publish(
            tx, actor, cloud.dispatch, tariff_id, body, now_s(), from_at, replaces, allow_unusual
        )
    )


@router.delete(
    "/tariffs/{tariff_id}/versions/{rate_id}",
    openapi_extra=raises("UnknownTariff", "UnknownRate", "RateInEffect"),
)
async def withdraw_version(cloud: TheCloud, actor: CanPrice, tariff_id: str, rate_id: str) -> dict[str, Any]:
    """Withdraw a version that has not begun to hold."""
    return await cloud.write(
        lambda tx: versions.withdraw(tx, actor, cloud.dispatch, tariff_id, rate_id, now_s())
    )


@router.get(
    "/tariffs/{tariff_id}/differences",
    openapi_extra=raises("UnknownTariff", "UnknownRate"),
    dependencies=READ,
)
async def list_differences(cloud: TheCloud, tariff_id: str, before: str, after: str) -> list[dict[str, Any]]:
    """What differs between two versions of the tariff, field by field."""

    def look(conn: Connection) -> list[dict[str, Any]]:
        tariffs.get(conn, tariff_id)
        old, new = (versions.find(conn, tariff_id, rate_id) for rate_id in (before, after))
        return differences.differences(old, new)

    return await quick(cloud, look)


@router.put(
    "/assignments",
    openapi_extra=raises(
        *("UnknownTariff", "UnknownPile", "PileRemoved", "UnknownSite", "RateNotBillable", "Replaced")
    ),
)
async def assign_tariff(cloud: TheCloud, actor: CanPrice, body: AssignmentBody) -> dict[str, Any]:
    """Let a tariff hold at sites, piles and connectors; all of them or none. Running orders keep theirs.

    With `replaces`, a tariff that the caller has not seen is not replaced: 409 Replaced has it by its place.
    A place where the tariff is assigned already is as the caller wants it.
    """

    def assign(tx: Transaction) -> list[assignments.Place]:
        places = selection.places(tx.conn, body.places)
        return assignments.assign(tx, actor, cloud.dispatch, places, body.tariff_id, now_s(), body.replaces)

    done = await cloud.write(assign)
    return {"tariff_id": body.tariff_id, "places": [str(place) for place in done]}


@router.get("/calendars", dependencies=READ)
async def list_calendars(cloud: TheCloud, limit: Limit = 50, after: str | None = None) -> dict[str, Any]:
    """The calendars by id, with their days."""
    found = await quick(cloud, lambda conn: calendars.list_views(conn, limit, after))
    return page(found, limit, "calendar_id")


@router.get("/calendars/{calendar_id}", openapi_extra=raises("UnknownCalendar"), dependencies=READ)
async def get_calendar(cloud: TheCloud, calendar_id: str) -> dict[str, Any]:
    """One calendar."""
    return await quick(cloud, lambda conn: calendars.get(conn, calendar_id))


@router.put("/calendars/{calendar_id}", openapi_extra=raises("CalendarReplaced"))
async def set_calendar(
    cloud: TheCloud, actor: CanPrice, calendar_id: CalendarId, body: calendars.CalendarBody
) -> dict[str, Any]:
    """Make a calendar, or change all of it. Versions that are published keep the dates they have."""
    return await cloud.write(lambda tx: calendars.put(tx, actor, calendar_id, body, now_s()))


@router.delete("/calendars/{calendar_id}", openapi_extra=raises("UnknownCalendar"))
async def remove_calendar(cloud: TheCloud, actor: CanPrice, calendar_id: str) -> dict[str, Any]:
    """Remove a calendar. Versions that are published keep the dates they have."""
    await cloud.write(lambda tx: calendars.remove(tx, actor, calendar_id, now_s()))
    return {"calendar_id": calendar_id}


@router.post("/holidays", dependencies=READ)
async def list_holidays(body: calendars.FillBody) -> dict[str, str]:
    """The public holidays of a country by date, to fill in a calendar with. Nothing is stored."""
    return calendars.fill(body)
