// While the order runs: what has flowed, what it costs, how far to the limits, the power's curve, a stop button.

import { h, s, show } from "./dom.js";
import { nextChange } from "./phone-price.js";

const POINTS_MAX = 400;

/** Add a point [at, power_mw] to a curve, in place; a full one loses every second point. */
export function addPoint(points, at, powerMw) {
  if (points.length && at <= points[points.length - 1][0]) return;
  points.push([at, powerMw]);
  if (points.length > POINTS_MAX) points.splice(0, points.length, ...points.filter((_, i) => i % 2 === 0));
}

const WIDTH = 320;
const HEIGHT = 96;

function curve(points, format, words) {
  const first = points[0][0];
  const span = Math.max(1, points[points.length - 1][0] - first);
  const most = Math.max(...points.map((point) => point[1]));
  const top = Math.max(1, most) * 1.1;
  const place = ([at, mw]) => `${((WIDTH * (at - first)) / span).toFixed(1)},${(HEIGHT - (HEIGHT * mw) / top).toFixed(1)}`;
  const line = "M" + points.map(place).join("L");
  const now = points[points.length - 1][1];
  return h(
    "figure",
    {},
    h("figcaption", {}, words.order.curve, h("span", { class: "muted number" }, words.order.most(format.kw(most, 1)))),
    s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": words.order.curveSpoken(format.kw(now, 1), format.kw(most, 1)) },
      s("path", { class: "area", d: `${line}L${WIDTH},${HEIGHT}L0,${HEIGHT}Z` }),
      s("path", { class: "line", d: line }),
    ),
    h("div", { class: "hours muted number" }, h("span", {}, format.time(first)), h("span", {}, format.time(first + span))),
  );
}

/** The view; update({order, points, pile, stopping, lost}) draws it, stop() is called by its button. */
export function chargeView({ words, format, stop }) {
  const title = h("h1", { tabindex: "-1" });
  const where = h("p", { class: "muted" });
  const hint = h("p", { class: "hint" });
  const number = (name) => ({ name: words.order[name], value: h("span", { class: "value number" }), unit: h("span", { class: "unit" }) });
  const numbers = { cost: number("cost"), energy: number("energy"), power: number("power"), elapsed: number("elapsed") };
  const limits = h("div", {});
  const graph = h("div", {});
  const locked = h("section", { class: "card" });
  const button = h("button", { class: "button danger stop", id: "stop", onclick: stop });
  const element = h(
    "main",
    {},
    h(
      "section",
      { class: "card" },
      h("div", { class: "head live" }, h("span", { class: "pulse", "aria-hidden": "true" }), title),
      where,
      hint,
      h(
        "dl",
        { class: "numbers" },
        Object.entries(numbers).map(([name, each]) => h("div", { class: name }, h("dt", {}, each.name), h("dd", {}, each.value, each.unit))),
      ),
      limits,
      graph,
    ),
    locked,
    h("div", { class: "bottom" }, button),
  );

  function drawLimits(order) {
    const { limits: set, meter } = order;
    const money = (minor) => format.money(minor, order.currency, order.minor_digits);
    const rows = [
      ["energy_mwh", meter?.energy_mwh ?? 0, (mwh) => `${format.kwh(mwh, 2)} ${words.kwh}`],
      ["cost_minor", meter?.cost_minor ?? 0, money],
      ["duration_s", meter?.elapsed_s ?? 0, (seconds) => format.clock(seconds)],
    ].filter(([name]) => set[name]);
    show(
      limits,
      h("h2", { class: "visually-hidden" }, words.order.limits),
      rows.map(([name, value, text]) => {
        const percent = Math.min(100, Math.floor((100 * value) / set[name]));
        const told = words.order.of(text(value), text(set[name]));
        return h(
          "div",
          { class: "limit-bar" },
          h("span", {}, words.order.limit[name]),
          h("span", { class: "number" }, told),
          h(
            "div",
            { class: "track", role: "progressbar", "aria-label": words.order.limit[name], "aria-valuenow": percent, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuetext": told },
            h("div", { style: { width: percent + "%" } }),
          ),
        );
      }),
    );
  }

  function drawLocked(order) {
    const at = order.meter?.at ?? order.created_at;
    const { steps } = order.rate;
    const step = steps.filter((each) => each[0] <= at).pop() ?? steps[0];
    const money = (value) => format.price(value, order.currency);
    show(
      locked,
      h("h2", {}, words.order.locked),
      h(
        "p",
        { class: "now-price" },
        h("strong", { class: "number" }, money(step[1] + step[2])),
        h("span", { class: "per" }, words.perKwh),
        h("span", { class: `chip ${step[3]}` }, words.periods[step[3]]),
      ),
      h("p", { class: "parts" }, nextChange(steps, at, format, order.currency, words).map((text) => h("span", {}, text))),
      h("p", { class: "muted small" }, words.order.lockedAt(format.time(order.created_at))),
    );
  }

  return {
    element,
    title,
    update({ order, points, pile, stopping, lost }) {
      const { meter, state } = order;
      const asked = stopping || order.stop_requested_at !== null;
      const connector = pile?.connectors.find((each) => each.connector === order.connector);
      const suspended = pile?.online && state === "Charging" && connector?.status === "SuspendedEV";
      title.textContent = asked && state !== "Finishing" ? words.order.stopping : words.order[state];
      element.dataset.state = state;
      element.classList.toggle("lost", lost);
      where.textContent = words.order.pile(pile?.name ?? order.device_id, order.connector);
      const told = { Pending: words.order.pending, Accepted: words.order.starting, Finishing: words.order.finishing };
      hint.textContent = suspended ? words.order.suspended : (told[state] ?? "");
      numbers.cost.value.textContent = format.money(meter?.cost_minor ?? 0, order.currency, order.minor_digits);
      numbers.energy.value.textContent = format.kwh(meter?.energy_mwh ?? 0, 2);
      numbers.energy.unit.textContent = words.kwh;
      numbers.power.value.textContent = format.kw(state === "Charging" ? (meter?.power_mw ?? 0) : 0, 1);
      numbers.power.unit.textContent = words.kw;
      numbers.elapsed.value.textContent = format.clock(meter?.elapsed_s ?? 0);
      drawLimits(order);
      show(graph, points.length > 1 ? curve(points, format, words) : null);
      drawLocked(order);
      button.textContent = asked ? words.order.stopping : words.order.stop;
      button.disabled = asked || state === "Finishing";
    },
  };
}
