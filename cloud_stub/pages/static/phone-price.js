// A rate for the eye: the day as a bar, and the same in words and numbers. Colour never stands alone.

import { h } from "./dom.js";
import { momentOf } from "./phone-rate.js";
import { format, price, t } from "./phone-say.js";

const DAY_MIN = 1440;

/** As large as `rem`, but in one line: half a number reads like another one. */
export const inOneLine = (text, rem) => ({ fontSize: `min(${rem}rem, ${Math.floor(140 / text.length)}cqi)` });

/** [text, unit] of each price of `moment` (phone-rate.js): per kWh, per hour, per hour by the power drawn. */
export function pieces({ electricity_price, service_price, time_price }, of) {
  const energy = electricity_price + service_price;
  const { tiers } = of;
  const found = [];
  if (energy || !(time_price || tiers)) found.push([price(energy, of), t.perKwh]);
  if (time_price) found.push([price(time_price, of), t.perHour]);
  if (tiers) {
    const ends = [...new Set([tiers[0], tiers[tiers.length - 1]].map(([, each]) => price(each, of)))];
    found.push([ends.join("–"), t.perHour]);
  }
  return found;
}

/** "¥1.20/kWh + ¥2.00/h" */
export const inWords = (moment, of) => pieces(moment, of).map(each => each.join("")).join(" + ");

/** "¥1.20 /kWh", the prices of a moment in large. */
export const largePrice = (moment, of, ...rest) =>
  h(
    "p.now-price",
    pieces(moment, of).map(([text, unit], i) =>
      h("span", h("strong.number", { style: inOneLine(text, i ? 1.5 : 2.3) }, i ? "+ " + text : text), " ", h("span.per", unit))
    ),
    rest
  );

export const chip = label => h("span.chip." + label, t.periods[label]);

/** The stretches of the local day: {from, until (minutes), electricity, service, time (per hour), label, current}. */
function stretches(rate, now) {
  return rate.periods.map(([from, electricity, service, label, time = 0], i) => {
    const until = rate.periods[i + 1]?.[0] ?? DAY_MIN;
    return { from, until, electricity, service, time, label, current: from <= now && now < until };
  });
}

/** Whether the price changes within the day that the steps reach. */
export const hasDay = ({ steps }) => steps.length > 1;

function minuteOfDay(at) {
  const [hour, minute] = format.time(at).split(":").map(Number);
  return 60 * hour + minute;
}

const percent = (part, whole) => `${(100 * part) / whole}%`;

const two = number => String(number).padStart(2, "0");
const hours = minute => `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;

/** The bar: as wide as each period is long, as high as its price, service on top of electricity. */
export function dayBar(rate) {
  const now = minuteOfDay(rate.steps[0][0]);
  const all = stretches(rate, now);
  if (!all.some(each => each.electricity || each.service)) for (const each of all) each.electricity = each.time;
  const most = Math.max(1, ...all.map(each => each.electricity + each.service));
  const wide = each => ({ flexGrow: each.until - each.from });
  const part = (name, value) => h("div." + name, { style: { height: percent(value, most) } });
  return h(
    "div.day",
    { "aria-hidden": "true" }, // the list says the same in words
    h(
      "div.plot",
      h(
        "div.columns",
        all.map(each =>
          h(
            `div.stretch.${each.label}${each.current ? ".current" : ""}`,
            { style: wide(each) },
            part("service", each.service),
            part("electricity", each.electricity)
          )
        )
      ),
      h("div.now", { style: { left: percent(now, DAY_MIN) } }, h("span", { class: now > DAY_MIN / 2 && "left" }, t.price.now))
    ),
    h("div.names", all.map(each => h("span", { style: wide(each) }, each.until - each.from >= 150 && t.periods[each.label]))),
    h("div.hours", [0, 6, 12, 18, 24].map(hour => h("span", String(hour))))
  );
}

/** Each price of the day once: its hours, electricity, service, together. */
export function dayList(rate) {
  const { price: w } = t;
  const rows = new Map();
  for (const each of stretches(rate, minuteOfDay(rate.steps[0][0]))) {
    const key = [each.label, each.electricity, each.service, each.time].join();
    if (!rows.has(key)) rows.set(key, { ...each, spans: [] });
    const row = rows.get(key);
    row.spans.push(`${hours(each.from)}–${hours(each.until)}`);
    row.current ||= each.current;
  }
  const all = [...rows.values()];
  const hasEnergy = all.some(each => each.electricity || each.service);
  const hasTime = all.some(each => each.time);
  const part = (name, value, isThere = hasEnergy) => isThere && h("div", h("dt", name), h("dd.number", price(value, rate)));
  return h(
    "ul.prices",
    { "aria-labelledby": "day-title" },
    all.map(row =>
      h(
        "li",
        h("div.spans", chip(row.label), row.current && h("em", w.now), row.spans.map(span => h("span.number", span))),
        h("dl", part(w.electricity, row.electricity), part(w.service, row.service), part(w.together, row.electricity + row.service), part(w.hour, row.time, hasTime))
      )
    )
  );
}

/** "Flat until 18:00" and what comes then, by the steps of a rate or of an order's rate. */
export function nextChange(rate, at) {
  const { label, until_at } = momentOf(rate, at);
  if (until_at === null) return [t.price.always];
  const time = format.time(until_at);
  const next = momentOf(rate, until_at);
  return [t.price.until(t.periods[label], time), t.price.then(time, inWords(next, rate), t.periods[next.label])];
}
