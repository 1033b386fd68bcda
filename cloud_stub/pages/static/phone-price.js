// A rate for the eye: the day as a bar, and the same as a table. Colour never stands alone.

import { h } from "./dom.js";

const DAY_MIN = 1440;

/** The stretches of the local day: {from, until (minutes), electricity, service, label}. */
function stretches(rate) {
  return rate.periods.map(([from, electricity, service, label], i) => ({
    from,
    until: rate.periods[i + 1]?.[0] ?? DAY_MIN,
    electricity,
    service,
    label,
  }));
}

function minuteOfDay(at, zone) {
  const parts = new Intl.DateTimeFormat("en-GB", { hour: "numeric", minute: "numeric", hourCycle: "h23", timeZone: zone });
  const [hour, minute] = parts.format(at).split(":").map(Number);
  return 60 * hour + minute;
}

const percent = (part, whole) => `${(100 * part) / whole}%`;

function hours(minute) {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

/** The bar: as wide as each period is long, as high as its price, service on top of electricity. */
export function dayBar(rate, words) {
  const all = stretches(rate);
  const most = Math.max(1, ...all.map((each) => each.electricity + each.service));
  const now = minuteOfDay(rate.steps[0][0] * 1000, rate.time_zone);
  const columns = all.map((each) =>
    h(
      "div",
      { class: `stretch ${each.label}${each.from <= now && now < each.until ? " current" : ""}`, style: { flexGrow: each.until - each.from } },
      h("div", { class: "service", style: { height: percent(each.service, most) } }),
      h("div", { class: "electricity", style: { height: percent(each.electricity, most) } }),
    ),
  );
  const names = all.map((each) =>
    h("span", { style: { flexGrow: each.until - each.from } }, each.until - each.from >= 150 ? words.periods[each.label] : ""),
  );
  return h(
    "div",
    { class: "day", "aria-hidden": "true" }, // the table says the same in words
    h(
      "div",
      { class: "plot" },
      h("div", { class: "columns" }, columns),
      h("div", { class: "now", style: { left: percent(now, DAY_MIN) } }, h("span", { class: now > DAY_MIN / 2 ? "left" : "" }, words.price.now)),
    ),
    h("div", { class: "names" }, names),
    h("div", { class: "hours" }, [0, 6, 12, 18, 24].map((hour) => h("span", {}, String(hour)))),
  );
}

/** One row for each price of the day: its hours, electricity, service, together. */
export function dayTable(rate, format, words) {
  const rows = new Map();
  const now = minuteOfDay(rate.steps[0][0] * 1000, rate.time_zone);
  for (const each of stretches(rate)) {
    const key = [each.label, each.electricity, each.service].join();
    if (!rows.has(key)) rows.set(key, { ...each, spans: [], current: false });
    const row = rows.get(key);
    row.spans.push(`${hours(each.from)}–${hours(each.until)}`);
    row.current ||= each.from <= now && now < each.until;
  }
  const price = (value) => h("td", { class: "number" }, format.price(value, rate.currency));
  return h(
    "table",
    { class: "prices", "aria-labelledby": "day-title" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, words.price.hours),
        h("th", { scope: "col" }, words.price.electricity),
        h("th", { scope: "col" }, words.price.service),
        h("th", { scope: "col" }, words.price.together),
      ),
    ),
    h(
      "tbody",
      {},
      [...rows.values()].map((row) =>
        h(
          "tr",
          { class: row.current ? "current" : "" },
          h(
            "th",
            { scope: "row" },
            h("span", { class: `chip ${row.label}` }, words.periods[row.label]),
            row.current && h("span", { class: "now-mark" }, words.price.now),
            row.spans.map((span) => h("span", { class: "span number" }, span)),
          ),
          price(row.electricity),
          price(row.service),
          price(row.electricity + row.service),
        ),
      ),
    ),
  );
}

/** "Flat until 18:00" and what comes then, of the absolute steps of a rate or an order. */
export function nextChange(steps, at, format, currency, words) {
  const next = steps.find((step) => step[0] > at);
  const label = (steps.filter((step) => step[0] <= at).pop() ?? steps[0])[3];
  if (!next) return [words.price.always];
  const time = format.time(next[0]);
  return [
    words.price.until(words.periods[label], time),
    words.price.then(time, format.price(next[1] + next[2], currency), words.periods[next[3]]),
  ];
}
