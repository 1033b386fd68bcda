"""At which rate central systems (OCPP) may start orders at a site: where their users have agreed to it.

Without that, only a driver who confirms a rate starts an order. The order locks that rate; it is refused
while another one holds at the connector.
"""

from typing import Any

from pydantic import Field
from sqlalchemy import Connection, bindparam, select, update

from ..base.body import Body
from ..base.problems import Problem, require_unchanged
from ..base.text import LINE_PATTERN
from ..db import audit
from ..db.audit import Actor
from ..db.site_tables import sites
from ..db.tables import rates
from ..db.writer import Transaction
from ..rates.model import ID_PATTERN
from . import registry


class RateFields(Body):
    rate_id: str | None = Field(max_length=64)


class RemoteStartBody(Body):
    """rate_id: the version of a tariff that was agreed to; null: from here on no order is started so."""

    rate_id: str | None = Field(pattern=ID_PATTERN, examples=["r-01m83gry8askc8k2dteppn5jc9"])
    agreement: str = Field(
        min_length=1,
        max_length=300,
        pattern=LINE_PATTERN,
        description="Who agreed to it, and where that is written; kept in the audit trail.",
        examples=["Roaming contract 2026-17 with Example Mobility, annex B"],
    )
    replaces: RateFields | None = Field(default=None, description="What the caller knows of the site")


_RATE = select(rates.c.rate_id).where(rates.c.rate_id == bindparam("rate_id"))
_AGREED = select(sites.c.remote_start_rate_id).where(sites.c.site_id == bindparam("site_id"))
_SET = update(sites).where(sites.c.site_id == bindparam("of"))


def agree(tx: Transaction, actor: Actor, site_id: str, body: RemoteStartBody, now: int) -> dict[str, Any]:
    """Let central systems start orders at that rate, or none.

    Raises Problem: UnknownSite, UnknownRate; Replaced where the site is not as `body.replaces` says.
    """
    before = registry.get(tx.conn, site_id, lock=True).remote_start_rate_id
    require_unchanged(body.replaces and body.replaces.model_dump(), {"rate_id": before})
    if body.rate_id is not None and not tx.conn.execute(_RATE, {"rate_id": body.rate_id}).scalar():
        raise Problem(404, "UnknownRate", "There is no rate with that id")
    tx.conn.execute(_SET.values(remote_start_rate_id=body.rate_id), {"of": site_id})
    action = "RemoteStartEnded" if body.rate_id is None else "RemoteStartAgreed"
    detail = body.agreement if body.rate_id is None else f"{body.rate_id}: {body.agreement}"
    audit.record(tx.conn, actor, now, action, site_id=site_id, detail=detail)
    return registry.one_view(tx.conn, site_id)


def agreed_rate_id(conn: Connection, site_id: str | None) -> str:
    """The rate that was agreed to at the site. Raises Problem (RemoteStartNotAgreed)."""
    found = conn.execute(_AGREED, {"site_id": site_id}).scalar_one_or_none() if site_id is not None else None
    if found is None:
        raise Problem(409, "RemoteStartNotAgreed", "No rate was agreed to at this site for remote starts")
    return found
