// The parts of a rate beyond energy and session fee, without any of the page: as texts that are typed, as the API
// takes them, and in sentences.

import { digitsOf } from "./console-currency.js";
import { here } from "./console-parts.js";
import { text, units } from "./console-ratemodel.js";
import { words } from "./say.js";

const t = await words("console-words-prices");
export const TIERS_MAX = 4;
export const OFFERS_MAX = 8;
const WATTS_MAX = 1_000_000;
const VALUE_OF = { money: "cost_minor", time: "duration_s", energy: "energy_mwh" };

const minutesText = (seconds) => (seconds % 60 ? here.clock(seconds) : String(Math.floor(seconds / 60)));

/** "15" or "1:30" in seconds; null for what is neither. */
function seconds(typed) {
  const match = /^(\d{1,4})(?::([0-5]\d))?$/.exec(typed.trim());
  return match && 60 * Number(match[1]) + Number(match[2] ?? 0);
}

/** What is typed for a published rate. */
export function partsOf(rate) {
  const minor = (value) => (value == null ? "" : text(value, rate.minor_digits));
  const { idle } = rate;
  const value = (offer) =>
    ({ money: minor, time: minutesText, energy: (mwh) => text(mwh, 6, 0) })[offer.kind]?.(offer[VALUE_OF[offer.kind]]) ?? "";
  return {
    minimum: minor(rate.minimum_minor),
    maximum: minor(rate.maximum_minor),
    tax: rate.tax_per_mille == null ? "" : text(rate.tax_per_mille, 1, 0),
    idle: {
      price: idle ? text(idle.price, 6, 2) : "",
      after: idle ? minutesText(idle.after_s) : "",
      max: minor(idle?.max_minor),
    },
    tiers: (rate.tiers ?? []).map(([mw, price]) => ({ up_to: text(mw, 3, 0), price: text(price, 6, 2) })),
    offers: (rate.offers ?? []).map((offer) => ({ kind: offer.kind, value: value(offer) })),
  };
}

/** {body, wrong}: members of a RateBody; wrong [{field, text}], field the id of its control. */
export function componentsOf(parts, digits) {
  const body = {};
  const wrong = [];
  /** A number that passes, else its complaint. */
  const read = (field, value, passes, complaint) => {
    if (value !== null && passes(value)) return value;
    wrong.push({ field, text: complaint });
    return null;
  };
  const above0 = (value) => value > 0;
  const money = (field, typed, what) => read(field, units(typed, digits), above0, t.wrong.amount(what, digits));
  const price = (field, typed, what, passes = () => true) => read(field, units(typed, 6), passes, t.wrong.price(what));

  if (parts.tiers.length)
    body.tiers = parts.tiers.map((tier, i) => {
      const what = t.tiers.up_to(i + 1);
      const watts = (value) => Number.isInteger(value) && value >= 1 && value <= WATTS_MAX;
      const up_to_w = read(`tier-up-${i}`, units(tier.up_to, 0), watts, t.wrong.watts(what));
      return { up_to_w, price: price(`tier-price-${i}`, tier.price, t.tiers.price(i + 1)) };
    });
  (body.tiers ?? []).forEach((tier, i, { [i - 1]: before }) => {
    if (before && [tier.up_to_w, tier.price, before.up_to_w, before.price].every((each) => each !== null))
      if (tier.up_to_w <= before.up_to_w || tier.price < before.price)
        wrong.push({ field: `tier-up-${i}`, text: t.wrong.ascending(t.tiers.up_to(i + 1)) });
  });
  const { idle } = parts;
  if (Object.values(idle).some((each) => each.trim())) {
    const what = (name) => `${t.idle.title}, ${t.idle[name]}`;
    body.idle = {
      price: price("part-idle-price", idle.price, what("price"), above0),
      after_s: read("part-idle-after", seconds(idle.after || "0"), (value) => value < 86_400, t.wrong.minutes(what("after"))),
      max_minor: money("part-idle-max", idle.max, what("max")),
    };
  }
  for (const name of ["minimum", "maximum"]) if (parts[name].trim()) body[name + "_minor"] = money("part-" + name, parts[name], t[name]);
  if (body.minimum_minor && body.maximum_minor && body.minimum_minor > body.maximum_minor)
    wrong.push({ field: "part-minimum", text: t.wrong.range });
  if (parts.tax.trim()) body.tax_per_mille = read("part-tax", units(parts.tax, 1), (value) => value <= 1000, t.wrong.tax);
  if (parts.offers.length) body.offers = parts.offers.map(({ kind, value }, i) => ({ kind, ...limit(kind, value, i) }));
  return { body, wrong };

  function limit(kind, typed, i) {
    const [field, what] = [`offer-value-${i}`, t.offers.value(i + 1)];
    if (kind === "full") return {};
    if (kind === "money") return { cost_minor: money(field, typed, what) };
    if (kind === "energy") return { energy_mwh: read(field, units(typed, 6), above0, t.wrong.energy(what)) };
    return { duration_s: read(field, seconds(typed), (value) => value >= 60 && value <= 86_400, t.wrong.minutes(what)) };
  }
}

/** The members of a RateBody in sentences, for a comparison. */
export function sentencesOf(body) {
  const money = (minor) => here.money(minor, body.currency, digitsOf(body.currency));
  const price = (millionths) => here.price(millionths, body.currency);
  const { idle } = body;
  const value = (offer) =>
    ({ money, time: minutesText, energy: (mwh) => here.kwh(mwh, 6, 0) })[offer.kind]?.(offer[VALUE_OF[offer.kind]]) ?? "";
  return [
    ...(body.tiers ?? []).map((tier) => t.said.tier(here.count(tier.up_to_w), price(tier.price))),
    idle && t.said.idle(price(idle.price), minutesText(idle.after_s), money(idle.max_minor)),
    body.minimum_minor && t.said.minimum(money(body.minimum_minor)),
    body.maximum_minor && t.said.maximum(money(body.maximum_minor)),
    body.tax_per_mille != null && t.said.tax(text(body.tax_per_mille, 1, 0)),
    ...(body.offers ?? []).map((offer, i) => t.said.offer(i + 1, t.offers.kinds[offer.kind], value(offer))),
  ].filter(Boolean);
}
