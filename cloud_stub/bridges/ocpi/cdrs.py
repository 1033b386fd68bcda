"""Bills as CDRs, credit notes as credit CDRs. The total is that of the bill; if OCPI's rule gives another
one, the remark says so.

A CDR has the id of its order. A credit note makes two CDRs: `<id>-C` credits the CDR before it in full, and
`<order>-1` (then -2, ...) bills the rest, if there is one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pile_protocol import components

from ...base.clock import iso_utc
from ...base.decimals import decimal
from ...settlements import bills
from . import rule
from .numbers import amount, hours_e4, kwh_e4, number, split
from .party import Party

REMARK_MAX = 255
_KW = 6

Cdr = dict[str, Any]


class Bill(NamedTuple):
    """said: the settlement as billed (bills.content); rate: as locked by the order; at: when it was last
    changed. total_minor: after review. site: its id, and its name unless it was removed.
    """

    order_id: str
    device_id: str
    at: int
    said: Mapping[str, Any]
    rate: Mapping[str, Any]
    total_minor: int
    tariff: Mapping[str, Any]
    site: tuple[str, str | None]


class _Volumes(NamedTuple):
    """By charging period: its start, the volume, the price in the rate's unit."""

    energies: list[tuple[int, int, int]]
    times: list[tuple[int, int, int]]
    parking_e4: int
    is_known: bool  # False if time by power tier is not known by period


class Note(NamedTuple):
    """A credit note of a bill. at: Unix seconds."""

    minor: int
    at: int
    reason: str


def cdr(party: Party, bill: Bill, notes: Sequence[Note], is_rest: bool) -> Cdr:
    """The CDR of a bill as it was before any credit note. With `notes`, what follows from the last of them:
    the credit CDR, which credits the CDR before it in full, or with is_rest the CDR of the rest.
    """
    if not notes:
        return _cdr(party, bill, bill.order_id, bill.total_minor, bill.at, _remark(bill))
    *earlier, note = notes
    why = f"Credited {_money(bill, note.minor)}: {note.reason}"
    before = bill.total_minor - sum(each.minor for each in earlier)
    if is_rest:
        return _cdr(party, bill, f"{bill.order_id}-{len(notes)}", before - note.minor, note.at, why)
    before_id = f"{bill.order_id}-{len(earlier)}" if earlier else bill.order_id
    found = _cdr(party, bill, f"{before_id}-C", before, note.at, why)
    found["total_cost"] = {name: -each for name, each in found["total_cost"].items()}
    return found | {"credit": True, "credit_reference_id": before_id}


def _cdr(party: Party, bill: Bill, cdr_id: str, total: int, at: int, remark: str) -> Cdr:
    said, digits = bill.said, bill.rate["minor_digits"]
    idle = said.get("idle") or {}
    ended_at = max(said["ended_at"], idle.get("until_at", 0))
    volumes = _volumes(bill)
    energy, fixed, time, parking = _costs(bill, total)
    found = {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "id": cdr_id,
        "start_date_time": iso_utc(said["started_at"]),
        "end_date_time": iso_utc(ended_at),
        "session_id": bill.order_id,
        "cdr_token": {
            "country_code": party.country_code,
            "party_id": party.party_id,
            "uid": bill.order_id,
            "type": "AD_HOC_USER",
            "contract_id": bill.order_id,
        },
        "auth_method": "WHITELIST",
        "cdr_location": _location(party, bill),
        "currency": bill.rate["currency"],
        "tariffs": [bill.tariff],
        "charging_periods": _periods(bill, volumes),
        "total_cost": amount(total, _net(bill, total), digits),
        "total_fixed_cost": fixed,
        "total_energy": number(kwh_e4(said["energy_mwh"])),
        "total_energy_cost": energy,
        "total_time": number(hours_e4(1000 * (ended_at - said["started_at"]))),
        "total_time_cost": time,
    }
    if idle:
        found["total_parking_time"] = number(hours_e4(1000 * (idle["until_at"] - idle["since_at"])))
        found["total_parking_cost"] = parking
    return found | {"remark": remark[:REMARK_MAX], "last_updated": iso_utc(at)}


def _net(bill: Bill, total: int) -> int:
    """The total without the rate's tax."""
    return total - components.tax_minor(total, bill.rate.get("tax_per_mille") or 0)


def _costs(bill: Bill, total: int) -> list[dict[str, Any]]:
    """The Prices of energy, fixed, time and parking. They add up to the total, with VAT and without."""
    lines = bills.lines(dict(bill.said))
    gross = [
        lines["electricity_minor"] + lines["service_minor"],
        lines["fee_minor"] + lines["top_up_minor"],
        lines["time_minor"] + lines["tiers_minor"],
        lines["idle_minor"],
    ]
    gross = split(gross, total)
    net, digits = split(gross, _net(bill, total)), bill.rate["minor_digits"]
    return [amount(with_tax, without, digits) for with_tax, without in zip(gross, net, strict=True)]


def _volumes(bill: Bill) -> _Volumes:
    """The volumes, rounded to 4 decimals so that they add up to the rounded totals."""
    said = bill.said
    begun_at = said["started_at"]
    periods, times, tiers = said["periods"], said.get("times") or [], said.get("tiers") or []
    kwh = split([row[4] for row in periods], kwh_e4(said["energy_mwh"]))
    energies = [
        (max(row[0], begun_at), volume, row[1] + row[2]) for row, volume in zip(periods, kwh, strict=True)
    ]
    rows = times or [(begun_at, price, ms, minor) for _, price, ms, minor in tiers]
    hours = split([row[2] for row in rows], hours_e4(sum(row[2] for row in rows)))
    idle = said.get("idle") or {}
    return _Volumes(
        energies,
        [(max(row[0], begun_at), volume, row[1]) for row, volume in zip(rows, hours, strict=True)],
        hours_e4(idle.get("time_ms", 0)),
        not (times and tiers),
    )


def _periods(bill: Bill, volumes: _Volumes) -> list[dict[str, Any]]:
    """One period for each price step, for each power tier (its times are not known), and for staying on."""
    said = bill.said
    found: list[tuple[int, list[dict[str, Any]]]] = []
    times = list(volumes.times)
    for at, volume, _ in volumes.energies:
        same = [each for each in times if each[0] == at and not said.get("tiers")]
        times = [each for each in times if each not in same]
        found.append((at, [_dimension("ENERGY", volume), *(_dimension("TIME", each[1]) for each in same)]))
    lower_mw = 0
    for i, (at, volume, _) in enumerate(times):
        dimensions = [_dimension("TIME", volume)]
        if not said.get("times"):
            if lower_mw:
                dimensions.append(_power("MIN_POWER", lower_mw))
            lower_mw = said["tiers"][i][0]
            if i + 1 < len(times):
                dimensions.append(_power("MAX_POWER", lower_mw))
        found.append((at, dimensions))
    if said.get("idle"):
        found.append((said["idle"]["since_at"], [_dimension("PARKING_TIME", volumes.parking_e4)]))
    found = found or [(said["started_at"], [_dimension("ENERGY", 0)])]
    return [
        {"start_date_time": iso_utc(at), "dimensions": dimensions, "tariff_id": bill.rate["rate_id"]}
        for at, dimensions in sorted(found, key=lambda each: each[0])
    ]


def _dimension(kind: str, volume_e4: int) -> dict[str, Any]:
    return {"type": kind, "volume": number(volume_e4)}


def _power(kind: str, milliwatts: int) -> dict[str, Any]:
    return {"type": kind, "volume": number(milliwatts, _KW).normalize()}


def _location(party: Party, bill: Bill) -> dict[str, Any]:
    site_id, site_name = bill.site
    connector = party.connector_of(bill.device_id)
    number_of = bill.said["connector"]
    return {
        "id": site_id,
        **({"name": site_name} if site_name is not None else {}),
        **party.sites[site_id].members(),
        "evse_uid": party.evse_uid(bill.device_id, number_of),
        "evse_id": party.evse_id(bill.device_id, number_of),
        "connector_id": "1",
        "connector_standard": connector.standard,
        "connector_format": connector.format,
        "connector_power_type": connector.power_type,
    }


def _remark(bill: Bill) -> str:
    """Electricity and service apart, and the total by OCPI's rule if it differs."""
    lines = bills.lines(dict(bill.said))
    electricity, service = lines["electricity_minor"], lines["service_minor"]
    text = f"Electricity {_money(bill, electricity)}, service {_money(bill, service)}, with tax."
    volumes = _volumes(bill)
    if not volumes.is_known:
        return f"{text} Time by power tier is not known by period, so OCPI's rule cannot be computed."
    found = rule.total_minor(
        bill.rate,
        [each[1:] for each in volumes.energies],
        [each[1:] for each in volumes.times],
        volumes.parking_e4,
    )
    if found == bill.total_minor:
        return text
    by_rule, difference = _money(bill, found), _money(bill, found - bill.total_minor)
    return f"{text} By OCPI's rule (4 decimals, step_size 1): {by_rule}; difference {difference}."


def _money(bill: Bill, minor: int) -> str:
    return f"{decimal(minor, bill.rate['minor_digits'])} {bill.rate['currency']}"
