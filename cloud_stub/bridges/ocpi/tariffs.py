"""A version of a rate as an OCPI tariff: its id is the rate_id, so a locked version never changes.

OCPI has one component for each dimension. So electricity and service are summed in ENERGY, the price of an
hour and that of a power tier in TIME; `tariff_alt_text` shows them apart. Prices there are without VAT.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

from ...base.clock import iso_utc
from ...base.decimals import decimal
from .numbers import bound, net_minor_e4, net_price_e4, number, vat
from .party import Party

TEXT_MAX = 512
KW_DIGITS = 6  # a milliwatt in kW
SEASONS = 3  # years for which a season is written out, from the one in which the version begins
_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")

Rate = Mapping[str, Any]
Element = dict[str, Any]


def tariff(party: Party, rate: Rate, from_at: int, until_at: int | None, changed_at: int) -> dict[str, Any]:
    """rate: a version, as model.build made it. It holds from `from_at`, and until the next one begins.

    changed_at: when it was published, or ended by the next one.
    """
    found = {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "id": rate["rate_id"],
        "currency": rate["currency"],
        "tariff_alt_text": [{"language": "en", "text": _text(rate)}],
    }
    for name, member in (("min_price", "minimum_minor"), ("max_price", "maximum_minor")):
        if rate.get(member) is not None:
            found[name] = bound(rate[member], dict(rate))
    found["elements"] = _elements(rate, from_at)
    found["start_date_time"] = iso_utc(from_at)
    if until_at is not None:
        found["end_date_time"] = iso_utc(until_at)
    return found | {"last_updated": iso_utc(changed_at)}


def _elements(rate: Rate, from_at: int) -> list[Element]:
    """The first element with a dimension whose restrictions are met counts, so days stand before periods."""
    found: list[Element] = []
    for day in rate.get("days", ()):
        for restrictions in _days(rate, day, from_at):
            found += _of_day(rate, day["periods"], day.get("time_prices"), restrictions)
    found += _of_day(rate, rate["periods"], rate.get("time_prices"), {})
    always = []
    if rate["session_fee_minor"]:
        fee_e4 = net_minor_e4(rate["session_fee_minor"], rate["minor_digits"], rate.get("tax_per_mille") or 0)
        always.append(_component(rate, "FLAT", fee_e4))
    if "idle" in rate:
        always.append(_component(rate, "PARKING_TIME", _net(rate, rate["idle"]["price"])))
    return found + ([{"price_components": always}] if always else [])


def _of_day(
    rate: Rate, periods: Sequence[Any], time_prices: Sequence[int] | None, days: Mapping[str, Any]
) -> Iterator[Element]:
    for i, (start, electricity_price, service_price, _) in enumerate(periods):
        end = periods[i + 1][0] if i + 1 < len(periods) else 0
        times = {"start_time": _clock(start), "end_time": _clock(end)} if len(periods) > 1 else {}
        energy = _component(rate, "ENERGY", _net(rate, electricity_price + service_price))
        hour = time_prices[i] if time_prices else 0
        if "tiers" not in rate:
            time = [_component(rate, "TIME", _net(rate, hour))] if time_prices else []
            yield _element([energy, *time], {**days, **times})
            continue
        yield _element([energy], {**days, **times})
        before_mw = 0
        for j, (up_to_mw, price) in enumerate(rate["tiers"]):
            power = {"min_power": number(before_mw, KW_DIGITS).normalize()} if before_mw else {}
            if j + 1 < len(rate["tiers"]):  # the last tier holds above it, too
                power["max_power"] = number(up_to_mw, KW_DIGITS).normalize()
            before_mw = up_to_mw
            yield _element([_component(rate, "TIME", _net(rate, hour + price))], {**days, **times, **power})


def _element(components: list[Element], restrictions: Mapping[str, Any]) -> Element:
    return {"price_components": components} | ({"restrictions": dict(restrictions)} if restrictions else {})


def _component(rate: Rate, dimension: str, price_e4: int) -> Element:
    return {"type": dimension, "price": number(price_e4), **vat(dict(rate)), "step_size": 1}


def _net(rate: Rate, price: int) -> int:
    return net_price_e4(price, rate.get("tax_per_mille") or 0)


def _clock(minute: int) -> str:
    hour, rest = divmod(minute, 60)
    return f"{hour:02}:{rest:02}"


def _days(rate: Rate, day: Rate, from_at: int) -> Iterator[dict[str, Any]]:
    """The restrictions of each stretch of days that meet a day's conditions."""
    numbers = sorted(day.get("weekdays", ()))
    weekdays = {"day_of_week": [_WEEKDAYS[n - 1] for n in numbers]} if numbers else {}
    if "calendar" in day:
        for text in rate["calendars"][day["calendar"]]:
            each = date.fromisoformat(text)
            if _is_in_season(day, each) and each.isoweekday() in day.get("weekdays", range(1, 8)):
                yield {"start_date": text, "end_date": _after(each)}
    elif "from_day" in day:
        first_year = datetime.fromtimestamp(from_at, timezone.utc).year - 1
        for year in range(first_year, first_year + SEASONS + 1):
            over = day["to_day"] < day["from_day"]
            last = _day_of(year + over, day["to_day"])
            yield {"start_date": str(_day_of(year, day["from_day"])), "end_date": _after(last), **weekdays}
    else:
        yield weekdays


def _is_in_season(day: Rate, each: date) -> bool:
    if "from_day" not in day:
        return True
    text = f"{each:%m-%d}"
    if day["from_day"] <= day["to_day"]:
        return bool(day["from_day"] <= text <= day["to_day"])
    return bool(text >= day["from_day"] or text <= day["to_day"])


def _day_of(year: int, month_day: str) -> date:
    month, day = map(int, month_day.split("-"))
    return date(year, month, day)


def _after(day: date) -> str:
    """OCPI's end_date is the first day that is not meant."""
    return str(day + timedelta(days=1))


def _text(rate: Rate) -> str:
    """What elements cannot say, at most TEXT_MAX characters."""
    currency = rate["currency"]
    split = dict.fromkeys(
        f"{decimal(electricity, 6)} + {decimal(service, 6)}"
        for periods in (rate["periods"], *(day["periods"] for day in rate.get("days", ())))
        for _, electricity, service, _ in periods
    )
    said = ["The total of a bill is exact and rounded once; prices in elements have 4 decimals."]
    if rate["time_zone"] is not None:
        said.append(f"Times of day are of {rate['time_zone']}.")
    if "idle" in rate:
        idle = rate["idle"]
        most = decimal(idle["max_minor"], rate["minor_digits"])
        said.append(f"Staying on is free for {idle['after_s']} s, and costs at most {most} {currency}.")
    if any("from_day" in day for day in rate.get("days", ())):
        said.append("Seasons return each year.")
    said.append(f"Electricity + service, {currency} per kWh with tax: {'; '.join(split)}.")
    text = " ".join(said)
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 3] + "..."
