// What a rate has beyond energy and a fee: in words before the charge, by component while it runs, as lines of its bill.

import { h } from "./dom.js";
import { decimal } from "./format.js";
import { chip } from "./phone-price.js";
import { format, inShort, lasting, money, price, t } from "./phone-say.js";

const perHour = (value, of) => price(value, of) + t.perHour;
const watts = mw => `${format.count(Math.floor(mw / 1000))}\u00a0W`;

/** "up to 200 W" of a tier; the last of several takes all above the one before. */
function tierName(tiers, i, w) {
  if (tiers.length === 1) return w.anyPower;
  return i < tiers.length - 1 ? w.upTo(watts(tiers[i][0])) : w.over(watts(tiers[i - 1][0]));
}

const percent = perMille => `${decimal(perMille, 1).replace(".0", "")}%`;

function stay({ price, after_s, max_minor }, of, w) {
  const after = after_s % 60 ? w.seconds(format.count(after_s)) : after_s && lasting(after_s);
  return w.stay(perHour(price, of), after, max_minor == null ? null : inShort(max_minor, of));
}

/** All that holds in `rate` besides its price of the moment. */
export function terms(rate, w) {
  const { tiers, idle, minimum_minor: least, maximum_minor: most, tax_per_mille: tax } = rate;
  const row = (name, value) => h("div", h("dt", name), h("dd", value));
  return [
    tiers && [
      h("h3.tiers", w.tiers),
      h("dl.facts", tiers.map(([, each], i) => row(tierName(tiers, i, w), h("span.number", perHour(each, rate)))))
    ],
    h(
      "ul.terms",
      [
        idle && stay(idle, rate, w),
        least > 0 && w.least(inShort(least, rate)),
        most != null && w.most(inShort(most, rate)),
        tax > 0 && w.tax(percent(tax))
      ].map(text => text && h("li", text))
    )
  ];
}

/** How long a sum lasts where time is all that costs: "2 h up to 200 W"; null elsewhere. */
export function lasts({ cost_minor: minor }, rate, w) {
  const { now, tiers, session_fee_minor: fee, minor_digits: digits } = rate;
  if (now.electricity_price || now.service_price || fee || (rate.time_prices && new Set(rate.time_prices).size > 1)) return null;
  const hourly = (now.time_price ?? 0) + (tiers ? tiers[0][1] : 0);
  if (!hourly) return null;
  const minutes = Math.floor((60 * minor * 10 ** (6 - digits)) / hourly);
  // Rounded down, to half hours where it is long.
  const time = minutes < 60 ? lasting(minutes * 60) : t.hours(format.tenths(5 * Math.floor(minutes / 30)));
  return w.lasts(time, tiers?.length > 1 && tierName(tiers, 0, w));
}

/** The cost so far by component; nothing where there is only one. */
export function costs({ costs: all }, order, w) {
  const shown = ["energy", "time", "tiers", "idle", "fee"].filter(name => all?.[name + "_minor"] > 0);
  if (shown.length < 2) return [];
  return h("dl.facts", shown.map(name => h("div", h("dt", w.costs[name]), h("dd.number", money(all[name + "_minor"], order)))));
}

/** {title, hint} while the vehicle stays after its charge: how long that is free, then what it costs. */
export function staying({ free_until_at: until, cost_minor: minor }, order, now, w) {
  const { idle } = order.rate;
  const left = until - now;
  const rest = idle.max_minor == null ? null : money(idle.max_minor, order);
  return left > 0
    ? { title: w.ended, value: format.clock(left), name: w.free, hint: w.unplugFree(perHour(idle.price, order), rest) }
    : { title: w.stays, value: money(minor ?? 0, order), name: w.stayCost, hint: w.unplug(perHour(idle.price, order), rest) };
}

/** The lines of time, tiers and staying; row(kind, value, ...name) makes one. */
export function lines(bill, order, row, w) {
  const { times, tiers, idle } = bill;
  const line = (ms, value, minor, name) =>
    row("", money(minor, order), name, " ", h("span.muted.number", `${format.clock(Math.floor(ms / 1000))} × ${perHour(value, order)}`));
  const label = at => order.rate.steps.filter(step => step[0] <= at).pop()[3];
  return [
    times?.some(each => each[1] > 0) && h("tbody", row(".period", "", w.costs.time), times.map(([at, value, ms, minor]) => line(ms, value, minor, times.length > 1 && chip(label(at))))),
    tiers && h("tbody", row(".period", "", w.costs.tiers), tiers.map(([, value, ms, minor], i) => ms > 0 && line(ms, value, minor, tierName(order.rate.tiers, i, w)))),
    idle &&
      h(
        "tbody",
        row(".period", "", w.costs.idle, " ", h("span.muted.number", `${format.time(idle.since_at)}–${format.time(idle.until_at)}`)),
        line(idle.time_ms, order.rate.idle.price, idle.idle_minor, w.counted)
      )
  ];
}

/** Above the bill's total: what brings it to the minimum. */
export const topUp = ({ top_up_minor: minor }, order, row, w) => minor > 0 && row("", money(minor, order), w.topUp(inShort(order.rate.minimum_minor, order)));

/** Below the bill's total: the tax in it. */
export const tax = ({ total_minor: total, tax_minor: minor }, order, row, w) =>
  minor != null && [row(".muted", money(total - minor, order), w.net), row(".muted", money(minor, order), w.tax(percent(order.rate.tax_per_mille)))];
