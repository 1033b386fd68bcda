// Two rates compared: what a publication would change, in sentences.

import { daysOf, plansOf } from "./console-days.js";
import { digitsOf } from "./console-currency.js";
import { here, PERIOD_NAMES } from "./console-parts.js";
import { componentsOf, partsOf, sentencesOf } from "./console-ratecomponents.js";
import { periods, rowsOf, text } from "./console-ratemodel.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const all = await words("console-words-rate");
const t = all.publishing;
const prices = (await words("console-words-prices")).said;

/** A published rate as it would be written. */
export function plain(rate) {
  return {
    currency: rate.currency,
    time_zone: rate.time_zone,
    session_fee_minor: rate.session_fee_minor,
    periods: periods(rowsOf(rate)),
    ...(rate.days && { days: daysOf(plansOf(rate)) }),
    ...componentsOf(partsOf(rate), rate.minor_digits).body,
  };
}

/** What is another in `now`, in sentences. */
export function differences(before, now) {
  const found = [];
  for (const [name, title] of [
    ["currency", all.currency],
    ["time_zone", all.zone],
  ])
    if (before[name] !== now[name]) found.push(t.changed(title, before[name] ?? names.zoneOfSite, now[name] ?? names.zoneOfSite));
  const fee = (of) => text(of.session_fee_minor, digitsOf(of.currency));
  if (fee(before) !== fee(now)) found.push(t.changed(names.fee, fee(before), fee(now)));
  const said = (each) =>
    t.period(
      PERIOD_NAMES[each.label],
      each.start,
      here.price(each.electricity_price, now.currency),
      here.price(each.service_price, now.currency),
    ) + (each.time_price ? prices.time(here.price(each.time_price, now.currency)) : "");
  const lines = (of) => [
    ...sentencesOf(of),
    ...of.periods.map(said),
    ...(of.days ?? []).flatMap((day, i) => [
      t.day(i + 1, day.name, all.days.conditions(day)),
      ...day.periods.map((each) => all.days.of(day.name, said(each))),
    ]),
  ];
  const old = new Set(lines(before));
  const fresh = new Set(lines(now));
  for (const each of old) if (!fresh.has(each)) found.push(t.gone(each));
  for (const each of fresh) if (!old.has(each)) found.push(t.fresh(each));
  return found;
}
