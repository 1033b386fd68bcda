// While the order runs: what has flowed, what it costs, how far to the limits, the power's curve, a stop button.

import { h, s, show } from "./dom.js";
import { freeOf, holdsOf, partsOf } from "./phone-later.js";
import { chip, hasDay, inOneLine, largePrice, nextChange } from "./phone-price.js";
import { momentOf } from "./phone-rate.js";
import { format, kwh, money, t } from "./phone-say.js";

const POINTS_MAX = 400;

/** Add a point [at, power_mw] to a curve, in place; a full one loses every second point. */
export function addPoint(points, at, powerMw) {
  if (points.length && at <= points[points.length - 1][0]) return;
  points.push([at, powerMw]);
  if (points.length > POINTS_MAX) points.splice(0, points.length, ...points.filter((_, i) => i % 2 === 0));
}

/** What stands above a running order that is not what it seems; "" where nothing is to be said. */
export function bannerText({ order, pile, lost, heardAt, stopping, failure }, running) {
  const { banner, failures } = t;
  const parts = [];
  if (lost) {
    parts.push(running && heardAt ? banner.lostAt(format.time(heardAt)) : banner.lost);
    if (running) parts.push(banner.lostCharging);
  } else if (running && pile && !pile.online) {
    parts.push(order.meter ? banner.pileOfflineAt(format.time(order.meter.at)) : banner.pileOffline, banner.pileOfflineCharging);
    if (stopping || order.stop_requested_at !== null) parts.push(banner.stopLater);
  }
  if (running && failure) parts.push(...failures.stop);
  return parts.join(" ");
}

const WIDTH = 320;
const HEIGHT = 96;

function curve(points) {
  const first = points[0][0];
  const span = Math.max(1, points[points.length - 1][0] - first);
  const most = Math.max(...points.map(point => point[1]));
  const top = Math.max(1, most) * 1.1;
  const place = ([at, mw]) => `${((WIDTH * (at - first)) / span).toFixed(1)},${(HEIGHT - (HEIGHT * mw) / top).toFixed(1)}`;
  const line = "M" + points.map(place).join("L");
  const now = points[points.length - 1][1];
  return h(
    "figure",
    h("figcaption", t.order.curve, h("span.muted.number", `${format.kw(most, 1)} ${t.kw}`)),
    s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": t.order.curveSpoken(format.kw(now, 1), format.kw(most, 1)) },
      s("path.area", { d: `${line}L${WIDTH},${HEIGHT}L0,${HEIGHT}Z` }),
      s("path.line", { d: line })
    ),
    h("div.hours.muted.number", h("span", format.time(first)), h("span", format.time(first + span)))
  );
}

/** {free_until_at, cost_minor} of a vehicle that stays after its charge; the meter's news is newer than the order's. */
function stayOf({ state, meter, staying }) {
  if (state !== "Finishing") return null;
  return meter?.idle ? { ...meter.idle, cost_minor: meter.costs?.idle_minor } : staying;
}

/**
 * The view; update({order, own, points, pile, stopping, lost}, now) draws it, stop() and handOver() are called by its buttons.
 * own: the limits that were asked for, where this phone knows them.
 */
export function chargeView(stop, handOver) {
  const title = h("h1", { tabindex: "-1" });
  const where = h("p.muted");
  const hint = h("p.hint");
  const numbers = {};
  const number = (name, unit) => {
    numbers[name] = h("span.value.number");
    return h("div." + name, h("dt", t.order[name]), h("dd", numbers[name], unit && h("span.unit", unit)));
  };
  const stayed = h("dl.numbers");
  const costs = h("div");
  const limits = h("div");
  const held = h("div.hold");
  const graph = h("div");
  const locked = h("section.card");
  const button = h("button.button.danger.stop", { id: "stop", onclick: stop });
  const element = h(
    "main",
    h(
      "section.card",
      h("div.head.live", h("span.pulse", { "aria-hidden": "true" }), title),
      where,
      hint,
      stayed,
      h("dl.numbers", number("cost"), number("energy", t.kwh), number("power", t.kw), number("elapsed")),
      costs,
      held,
      limits,
      graph
    ),
    locked,
    h("p.center", h("button.button.plain", { id: "hand-over", onclick: handOver }, t.order.handOver)),
    h("div.bottom", button)
  );

  function drawLimits(order, own) {
    const { limits: set, meter } = order;
    const rows = [
      ["energy_mwh", "energy", meter?.energy_mwh ?? 0, mwh => kwh(mwh, 2)],
      ["cost_minor", "cost", meter?.cost_minor ?? 0, minor => money(minor, order)],
      ["duration_s", "elapsed", meter?.elapsed_s ?? 0, seconds => t.minutes(format.count(Math.floor(seconds / 60)))]
    ].filter(([name]) => (name === "duration_s" || (name === "cost_minor" && order.payment) ? own?.[name] : set[name])); // others have all orders
    show(
      limits,
      rows.length && h("h2.visually-hidden", t.order.limits),
      rows.map(([name, label, value, text]) => {
        const percent = Math.min(100, Math.floor((100 * value) / set[name]));
        const told = t.order.of(text(value), text(set[name]));
        return h(
          "div.limit-bar",
          h("span", t.order[label]),
          h("span.number", told),
          h(
            "div.track",
            { role: "progressbar", "aria-label": t.order[label], "aria-valuenow": percent, "aria-valuetext": told },
            h("div", { style: { width: percent + "%" } })
          )
        );
      })
    );
  }

  function drawLocked(order) {
    const at = order.meter?.at ?? order.created_at;
    const moment = momentOf(order.rate, at);
    const isDaily = hasDay(order.rate);
    const parts = partsOf(order.rate);
    show(
      locked,
      h("h2", t.order.locked),
      largePrice(moment, order.rate, isDaily && chip(moment.label)),
      h("p.parts", nextChange(order.rate, at).map(text => h("span", text))),
      parts?.terms(order.rate, parts.w),
      h("p.muted.small", t.order.lockedAt(format.time(order.created_at)))
    );
  }

  return {
    element,
    title,
    update({ order, own, points, pile, stopping, lost }, now) {
      const { meter, state } = order;
      const parts = partsOf(order.rate);
      const holds = holdsOf(order.payment);
      const stays = stayOf(order);
      const stay = stays && parts?.staying(stays, order, now, parts.w);
      const asked = stopping || order.stop_requested_at !== null;
      const offline = pile && !pile.online;
      const connector = pile?.connectors.find(each => each.connector === order.connector);
      const suspended = !offline && state === "Charging" && connector?.status === "SuspendedEV";
      title.textContent = asked && state !== "Finishing" ? t.order.stopping : t.order[state];
      element.dataset.state = state;
      element.classList.toggle("old", lost || offline);
      where.textContent = t.order.pile(pile?.name ?? order.device_id, order.connector);
      const told = { Pending: t.order.pending, Accepted: t.order.starting, Finishing: t.order.finishing };
      hint.textContent = suspended ? t.order.suspended : (told[state] ?? "");
      if (stay) {
        title.textContent = stay.title;
        hint.textContent = stay.hint;
      }
      show(stayed, stay && h("div.cost", h("dt", stay.name), h("dd", h("span.number", stay.value))));
      show(costs, meter && parts?.costs(meter, order, parts.w));
      const free = freeOf(order);
      show(held, free ? free.freeLine(free.w.running) : holds?.whileRunning(order, holds.w));
      const cost = money(meter?.cost_minor ?? 0, order);
      Object.assign(numbers.cost.style, inOneLine(cost, 2.7));
      numbers.cost.textContent = cost;
      numbers.energy.textContent = format.kwh(meter?.energy_mwh ?? 0, 2);
      numbers.power.textContent = format.kw(state === "Charging" ? (meter?.power_mw ?? 0) : 0, 1);
      numbers.elapsed.textContent = format.clock(meter?.elapsed_s ?? 0);
      drawLimits(order, own);
      show(graph, points.length > 1 && curve(points));
      drawLocked(order);
      button.textContent = stay ? parts.w.toEnd : asked ? t.order.stopping : t.order.stop;
      button.disabled = asked || state === "Finishing";
    }
  };
}
