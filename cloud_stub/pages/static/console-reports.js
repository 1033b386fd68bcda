// Energy and revenue by day and by period, for all piles or one, as charts and as the tables behind them.

import { bars, legend, sized } from "./console-charts.js";
import {
  explain,
  h,
  heading,
  here,
  LABELS,
  LANGUAGE,
  later,
  PERIOD_NAMES,
  section,
  show,
  table,
  ZONE,
} from "./console-parts.js";
import { ask } from "./console-session.js";

const RANGES = [
  [7, "7 days"],
  [30, "30 days"],
  [90, "90 days"],
];

export function open(root, params) {
  const wanted = { days: Number(params.get("days")) || 30, device_id: params.get("device_id") ?? "" };
  const body = h("div", { class: "stack" });
  let ends = [];
  let turn = 0;
  const buttons = RANGES.map(([days, text]) => [
    days,
    h("button", { class: "button small", onclick: () => choose({ days }) }, text),
  ]);
  const typed = later(300, (event) => choose({ device_id: event.target.value.trim() }));
  const pile = h("input", {
    id: "report-pile",
    type: "search",
    placeholder: "All",
    value: wanted.device_id,
    autocomplete: "off",
    spellcheck: "false",
    oninput: typed,
  });
  show(
    root,
    heading("Energy & revenue"),
    h(
      "div",
      { class: "filters" },
      h(
        "div",
        { class: "field" },
        h("span", { class: "field-name", id: "range-name" }, "The last"),
        h(
          "div",
          { class: "group", role: "group", "aria-labelledby": "range-name" },
          buttons.map(([, button]) => button),
        ),
      ),
      h("div", { class: "field" }, h("label", { for: "report-pile" }, "Pile id"), pile),
    ),
    body,
  );

  function choose(change) {
    Object.assign(wanted, change);
    const query = new URLSearchParams({
      days: wanted.days,
      ...(wanted.device_id && { device_id: wanted.device_id }),
    });
    history.replaceState(null, "", "#/reports?" + query);
    load();
  }

  async function load() {
    const mine = ++turn;
    for (const [days, button] of buttons) button.setAttribute("aria-pressed", String(days === wanted.days));
    const today = new Date();
    const first = new Date(today.getFullYear(), today.getMonth(), today.getDate() - wanted.days + 1);
    const query = new URLSearchParams({
      from: dayOf(first),
      to: dayOf(today),
      time_zone: ZONE,
      ...(wanted.device_id && { device_id: wanted.device_id }),
    });
    try {
      const found = await ask("/api/reports/daily?" + query);
      if (mine === turn) draw(found);
    } catch (problem) {
      if (mine === turn) show(body, h("p", { class: "card panel empty", role: "alert" }, explain(problem)));
    }
  }

  function draw(found) {
    for (const end of ends) end();
    ends = [];
    const flagged = found.flagged
      ? h(
          "p",
          { class: "hint warn" },
          `${here.count(found.flagged)} flagged ${found.flagged === 1 ? "settlement is" : "settlements are"} not counted. `,
          h("a", { href: "#/flagged" }, "Look into them"),
        )
      : null;
    const unbilled = found.unbilled.length
      ? h(
          "p",
          { class: "hint warn" },
          "Flowed between settlements, and was billed to nobody: ",
          found.unbilled.map(({ device_id, energy_mwh }, at) => [
            at ? ", " : "",
            h("a", { href: "#/piles/" + encodeURIComponent(device_id) }, device_id),
            ` ${here.kwh(energy_mwh)} kWh`,
          ]),
        )
      : null;
    if (!found.currencies.length)
      return show(body, flagged, unbilled, h("p", { class: "card panel empty" }, "Nothing was settled in these days."));
    show(
      body,
      flagged,
      unbilled,
      found.currencies.map((each) => currency(each, ends, found.currencies.length > 1)),
      h(
        "p",
        { class: "muted small" },
        `A settlement counts on the day its charging ended, in ${found.time_zone}.`,
      ),
    );
  }

  load();
  return () => {
    typed.cancel();
    for (const end of ends) end();
  };
}

function dayOf(date) {
  const two = (value) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const minor = (sums) => (sums ? sums.electricity_minor + sums.service_minor : 0);

/** Tiles, charts and tables of one currency. `several`: it is not the only one, and some share their sign. */
function currency({ currency: name, minor_digits: digits, days }, ends, several) {
  const own = several ? " " + name : "";
  const of = several ? ", " + name : "";
  const money = (value) => here.money(value, name, digits) + own;
  const energy = sum(days.map((each) => each.energy_mwh));
  const revenue = sum(days.map((each) => each.revenue_minor));
  const orders = sum(days.map((each) => each.orders));
  const used = LABELS.filter((label) => days.some((each) => each.labels[label]));
  const hasFees = days.some((each) => each.fees_minor);
  const tile = (title, value) =>
    h("div", { class: "tile card" }, h("span", { class: "tile-number number" }, value), h("span", {}, title));
  const chart = (title, entries, options) => {
    const made = sized((width) => bars(width, options));
    ends.push(made.end);
    return section(title, legend(entries), made.element);
  };
  const labels = used.map((label) => [label, PERIOD_NAMES[label]]);
  return h(
    "div",
    { class: "stack" },
    h(
      "div",
      { class: "tiles" },
      tile("Revenue, " + name, money(revenue)),
      tile("Energy", `${here.kwh(energy, 1)} kWh`),
      tile("Orders", here.count(orders)),
      tile("An order, on average", orders ? money(Math.round(revenue / orders)) : "–"),
    ),
    chart("Revenue by day" + of, [...labels, ...(hasFees ? [["fee", "Session fees"]] : [])], {
      label: `Revenue by day, ${money(revenue)} in all`,
      format: (value) => here.money(Math.round(value), name, digits),
      bars: days.map((each) => ({
        name: short(each.day),
        title: `${each.day}: ${money(each.revenue_minor)}, ${each.orders} orders`,
        parts: [...used.map((label) => [label, minor(each.labels[label])]), ["fee", each.fees_minor]],
      })),
    }),
    chart("Energy by day" + of, labels, {
      label: `Energy by day${of}, ${here.kwh(energy, 1)} kWh in all`,
      format: (value) => here.kwh(Math.round(value), value % 1_000_000 ? 1 : 0) + " kWh",
      bars: days.map((each) => ({
        name: short(each.day),
        title: `${each.day}: ${here.kwh(each.energy_mwh)} kWh`,
        parts: used.map((label) => [label, each.labels[label]?.energy_mwh ?? 0]),
      })),
    }),
    section("By period" + of, byPeriod(days, used, money, energy, of)),
    h("details", { class: "card panel" }, h("summary", {}, "The days as a table" + of), byDay(days, money, of)),
  );
}

/** "2026-11-23" -> "23 Nov" as the locale writes it */
function short(day) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date).toLocaleDateString(LANGUAGE, { day: "numeric", month: "short" });
}

function byPeriod(days, used, money, energy, of) {
  const columns = [
    { title: "Period" },
    { title: "Energy", number: true },
    { title: "Share", number: true },
    { title: "Electricity", number: true },
    { title: "Service", number: true },
    { title: "Together", number: true },
  ];
  const rows = used.map((label) => {
    const sumOf = (name) => sum(days.map((each) => each.labels[label]?.[name] ?? 0));
    const mwh = sumOf("energy_mwh");
    return [
      [h("span", { class: "swatch " + label, "aria-hidden": "true" }), PERIOD_NAMES[label]],
      `${here.kwh(mwh, 1)} kWh`,
      `${energy ? Math.round((100 * mwh) / energy) : 0} %`,
      money(sumOf("electricity_minor")),
      money(sumOf("service_minor")),
      money(sumOf("electricity_minor") + sumOf("service_minor")),
    ];
  });
  const fees = sum(days.map((each) => each.fees_minor));
  if (fees) rows.push(["Session fees", "", "", "", "", money(fees)]);
  return table("Energy and revenue by period" + of, columns, rows);
}

function byDay(days, money, of) {
  const columns = [
    { title: "Day" },
    { title: "Orders", number: true },
    { title: "Energy", number: true },
    { title: "Revenue", number: true },
  ];
  return table(
    "Energy and revenue by day" + of,
    columns,
    days.map((each) => [
      each.day,
      here.count(each.orders),
      `${here.kwh(each.energy_mwh)} kWh`,
      money(each.revenue_minor),
    ]),
  );
}
