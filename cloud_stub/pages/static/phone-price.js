// A rate for the eye: the day as a bar, and the same in words and numbers. Colour never stands alone.

import { h } from "./dom.js";
import { format, price, t } from "./phone-say.js";

const DAY_MIN = 1440;

/** As large as `rem`, but in one line: half a number reads like another one. */
export const inOneLine = (text, rem) => ({ fontSize: `min(${rem}rem, ${Math.floor(140 / text.length)}cqi)` });

/** "¥1.20 /kWh", the price in large. */
export const largePrice = (text, ...rest) =>
  h("p.now-price", h("strong.number", { style: inOneLine(text, 2.3) }, text), h("span.per", t.perKwh), rest);

export const chip = label => h("span.chip." + label, t.periods[label]);

/** The stretches of the local day: {from, until (minutes), electricity, service, label, current}. */
function stretches(rate, now) {
  return rate.periods.map(([from, electricity, service, label], i) => {
    const until = rate.periods[i + 1]?.[0] ?? DAY_MIN;
    return { from, until, electricity, service, label, current: from <= now && now < until };
  });
}

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
    const key = [each.label, each.electricity, each.service].join();
    if (!rows.has(key)) rows.set(key, { ...each, spans: [] });
    const row = rows.get(key);
    row.spans.push(`${hours(each.from)}–${hours(each.until)}`);
    row.current ||= each.current;
  }
  const part = (name, value) => h("div", h("dt", name), h("dd.number", price(value, rate)));
  return h(
    "ul.prices",
    { "aria-labelledby": "day-title" },
    [...rows.values()].map(row =>
      h(
        "li",
        h("div.spans", chip(row.label), row.current && h("em", w.now), row.spans.map(span => h("span.number", span))),
        h("dl", part(w.electricity, row.electricity), part(w.service, row.service), part(w.together, row.electricity + row.service))
      )
    )
  );
}

/** "Flat until 18:00" and what comes then, of the absolute steps of a rate or an order `of`. */
export function nextChange(steps, at, of) {
  const next = steps.find(step => step[0] > at);
  const label = (steps.filter(step => step[0] <= at).pop() ?? steps[0])[3];
  if (!next) return [t.price.always];
  const time = format.time(next[0]);
  return [
    t.price.until(t.periods[label], time),
    t.price.then(time, price(next[1] + next[2], of), t.periods[next[3]])
  ];
}
