// A rate as it is being written, without any of the page: texts to whole numbers, and what is wrong with them.
//
// A row is {start, end, label, electricity, service, time}, all texts as typed; time may be empty. Rows may stand in any order; together
// they must cover the day from 00:00 to 24:00, each minute once.

import { words } from "./say.js";

const t = (await words("console-words-rate")).wrong;
export const DAY = 1440;
const PRICE_MAX = 10 ** 12;
const ROWS_MAX = 96;

/** "07:30" -> 450; "24:00" -> 1440; null for what is no time of day. */
export function minutes(text) {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text.trim());
  if (!match) return null;
  const value = 60 * Number(match[1]) + Number(match[2]);
  return Number(match[2]) < 60 && value <= DAY ? value : null;
}

/** 450 -> "07:30" */
export function clock(minute) {
  return String(Math.floor(minute / 60)).padStart(2, "0") + ":" + String(minute % 60).padStart(2, "0");
}

/** "0.8" with 6 digits -> 800000, exactly; null for what is no amount, or has more digits. */
export function units(text, digits) {
  const match = /^(\d{1,9})(?:[.,](\d*))?$/.exec(text.trim());
  if (!match || (match[2] ?? "").length > digits) return null;
  return Number(match[1] + (match[2] ?? "").padEnd(digits, "0"));
}

/** 800000 with 6 digits, at least 2 shown -> "0.80" */
export function text(value, digits, least = digits) {
  const all = String(value).padStart(digits + 1, "0");
  const whole = all.slice(0, all.length - digits);
  let fraction = digits ? all.slice(-digits) : "";
  while (fraction.length > least && fraction.endsWith("0")) fraction = fraction.slice(0, -1);
  return fraction ? whole + "." + fraction : whole;
}

/**
 * {fields, gaps, overlaps, spans}: fields [{row, field, text}]; gaps [[from, to]]; overlaps [[from, to, row, row]];
 * spans: [{row, from, to}] of the rows whose times can be read, by time. All minutes of the day.
 */
export function check(rows) {
  const fields = [];
  const spans = [];
  rows.forEach((row, i) => {
    const from = minutes(row.start);
    const to = minutes(row.end);
    if (from === null || from === DAY) fields.push({ row: i, field: "start", text: t.start });
    if (to === null || to === 0) fields.push({ row: i, field: "end", text: t.end });
    else if (from !== null && from < DAY && to <= from) fields.push({ row: i, field: "end", text: t.endBefore });
    else if (from !== null && from < DAY) spans.push({ row: i, from, to });
    for (const field of ["electricity", "service", "time"]) {
      const price = units(row[field] || (field === "time" ? "0" : ""), 6);
      if (price === null || price > PRICE_MAX) fields.push({ row: i, field, text: t[field] });
    }
  });
  if (rows.length > ROWS_MAX) fields.push({ row: ROWS_MAX, field: "start", text: t.many(ROWS_MAX) });
  spans.sort((a, b) => a.from - b.from || a.to - b.to);
  return { fields, spans, ...holes(spans) };
}

function holes(spans) {
  const gaps = [];
  const overlaps = [];
  let until = 0;
  let last = null;
  for (const span of spans) {
    if (span.from > until) gaps.push([until, span.from]);
    if (span.from < until) overlaps.push([span.from, Math.min(until, span.to), last.row, span.row]);
    if (span.to > until) {
      until = span.to;
      last = span;
    }
  }
  if (until < DAY) gaps.push([until, DAY]);
  return { gaps, overlaps };
}

/** Whether nothing of a check is wrong. */
export function isWhole({ fields, gaps, overlaps }) {
  return !fields.length && !gaps.length && !overlaps.length;
}

/** The sentences for what is wrong with the day as a whole. */
export function complaints({ gaps, overlaps }) {
  return [
    ...gaps.map(([from, to]) => t.gap(clock(from), clock(to))),
    ...overlaps.map(([from, to, a, b]) => t.overlap(a + 1, b + 1, clock(from), clock(to))),
  ];
}

/** The periods of a RateBody; `rows` must be whole. */
export function periods(rows) {
  return check(rows).spans.map(({ row, from }) => ({
    start: clock(from),
    label: rows[row].label,
    electricity_price: units(rows[row].electricity, 6),
    service_price: units(rows[row].service, 6),
    ...(units(rows[row].time, 6) && { time_price: units(rows[row].time, 6) }),
  }));
}

/** Rows of a published rate (wire.RATE). */
export function rowsOf(rate) {
  return rate.periods.map(([start, electricity, service, label], i) => ({
    start: clock(start),
    end: clock(rate.periods[i + 1]?.[0] ?? DAY),
    label,
    electricity: text(electricity, 6, 2),
    service: text(service, 6, 2),
    time: rate.time_prices?.[i] ? text(rate.time_prices[i], 6, 2) : "",
  }));
}
