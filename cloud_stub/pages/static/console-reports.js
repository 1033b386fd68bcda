// Energy and revenue by day and by period, for all piles or one, as charts and as the tables behind them.

import { bars, legend, sized } from "./console-charts.js";
import {
  busy,
  explain,
  figures,
  h,
  heading,
  here,
  kwh,
  LABELS,
  LANGUAGE,
  later,
  PERIOD_NAMES,
  section,
  show,
  table,
  ZONE,
} from "./console-parts.js";
import { choice, siteOption } from "./console-choice.js";
import { named } from "./console-names.js";
import { ask, download } from "./console-session.js";
import { words } from "./say.js";

const common = await words("console-words");
const t = await words("console-words-reports");
const { apart } = await words("console-words-money");

// Of a bill, beside energy and session fee.
const PARTS = ["time_minor", "tiers_minor", "idle_minor", "top_up_minor"];
const SCOPE = ["device_id", "site_id", "tag"];
const RANGES = [7, 30, 90]; // days

export function open(root, params) {
  const wanted = { days: Number(params.get("days")) || 30 };
  for (const name of SCOPE) wanted[name] = params.get(name) ?? "";
  const body = h("div.stack");
  let ends = [];
  let turn = 0;
  const buttons = RANGES.map((days) => [days, h("button.button.small", { onclick: () => choose({ days }) }, t.ranges[days])]);
  const stops = [];
  const typed = (name, id) => {
    const soon = later(300, (event) => choose({ [name]: event.target.value.trim() }));
    stops.push(soon.cancel);
    const props = { type: "search", placeholder: common.all, autocomplete: "off", spellcheck: "false" };
    return h("input", { id, value: wanted[name], ...props, oninput: soon });
  };
  const csv = h("button.button", { onclick: () => busy(csv, save) }, apart.csv);
  show(
    root,
    heading(common.tabs.reports, csv),
    h(
      "div.filters",
      h(
        "div.field.wide",
        h("span.field-name", { id: "range-name" }, t.last),
        h(
          "div.group",
          { role: "group", "aria-labelledby": "range-name" },
          buttons.map(([, button]) => button),
        ),
      ),
      choice({
        id: "report-site",
        label: common.names.site,
        path: "/api/sites?limit=500",
        of: siteOption,
        chosen: wanted.site_id,
        choose: (site_id) => choose({ site_id }),
      }),
      field("report-pile", t.pile, typed("device_id", "report-pile")),
      field("report-tag", common.names.tag, typed("tag", "report-tag")),
    ),
    body,
  );

  function choose(change) {
    Object.assign(wanted, change);
    const query = new URLSearchParams({ days: wanted.days, ...scope() });
    history.replaceState(null, "", "#/reports?" + query);
    load();
  }

  const scope = () => Object.fromEntries(SCOPE.filter((name) => wanted[name]).map((name) => [name, wanted[name]]));

  /** Local midnight, `ago` days before today. */
  function midnight(ago) {
    const today = new Date();
    return new Date(today.getFullYear(), today.getMonth(), today.getDate() - ago);
  }

  /** The settlements of these days as a file. */
  function save() {
    const [from_at, until_at] = [midnight(wanted.days - 1), midnight(-1)].map((day) => day.getTime() / 1000);
    return download("/api/settlements.csv?" + new URLSearchParams({ from_at, until_at, ...scope() }), "settlements.csv");
  }

  async function load() {
    const mine = ++turn;
    for (const [days, button] of buttons) button.setAttribute("aria-pressed", String(days === wanted.days));
    const from = dayOf(midnight(wanted.days - 1));
    const query = new URLSearchParams({ from, to: dayOf(midnight(0)), time_zone: ZONE, ...scope() });
    try {
      const found = await ask("/api/reports/daily?" + query);
      if (mine === turn) draw(found);
    } catch (problem) {
      if (mine === turn) show(body, h("p.card.panel.empty", { role: "alert" }, explain(problem)));
    }
  }

  function draw(found) {
    for (const end of ends) end();
    ends = [];
    const flagged = found.flagged ? h("p.hint.warn", t.flagged(here.count(found.flagged)), h("a", { href: "#/flagged" }, t.look)) : null;
    const unbilled = found.unbilled.length
      ? h(
          "p.hint.warn",
          t.unbilled,
          found.unbilled.map(({ device_id, energy_mwh }, at) => [at ? ", " : "", named("piles", device_id), ` ${kwh(energy_mwh)}`]),
        )
      : null;
    if (!found.currencies.length) return show(body, flagged, unbilled, h("p.card.panel.empty", t.nothing));
    show(
      body,
      flagged,
      unbilled,
      found.currencies.map((each) => currency(each, ends, found.currencies.length > 1)),
      h("p.muted.small", t.zone(found.time_zone)),
    );
  }

  load();
  return () => {
    for (const stop of stops) stop();
    for (const end of ends) end();
  };
}

const field = (id, title, control) => h("div.field", h("label", { for: id }, title), control);

/** The sites to choose from, where there are any; without them the field stays away. */
function dayOf(date) {
  const two = (value) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
const minor = (sums) => (sums ? sums.electricity_minor + sums.service_minor : 0);

/** Tiles, charts and tables of one currency. `several`: it is not the only one, and some share their sign. */
function currency({ currency: name, minor_digits: digits, days }, ends, several) {
  const own = several ? " " + name : "";
  const of = (title) => (several ? t.of(title, name) : title);
  const money = (value) => here.money(value, name, digits) + own;
  const energy = sum(days.map((each) => each.energy_mwh));
  const revenue = sum(days.map((each) => each.revenue_minor));
  const orders = sum(days.map((each) => each.orders));
  const used = LABELS.filter((label) => days.some((each) => each.labels[label]));
  const others = (each) => sum(PARTS.map((name) => each[name]));
  const hasFees = days.some((each) => each.fees_minor);
  const hasOthers = days.some(others);
  const tile = (title, value) => h("div.tile.card", h("span.tile-number.number", value), h("span", title));
  const chart = (title, entries, options) => {
    const made = sized((width) => bars(width, options));
    ends.push(made.end);
    return section(title, legend(entries), made.element);
  };
  const labels = used.map((label) => [label, PERIOD_NAMES[label]]);
  return h(
    "div.stack",
    h(
      "div.tiles",
      tile(t.of(t.revenue, name), money(revenue)),
      tile(apart.net, money(revenue - sum(days.map((each) => each.credited_minor)))),
      tile(common.names.energy, kwh(energy, 1)),
      tile(t.orders, here.count(orders)),
      tile(t.average, orders ? money(Math.round(revenue / orders)) : "–"),
    ),
    chart(of(t.revenueByDay), [...labels, ...(hasFees ? [["fee", t.fees]] : []), ...(hasOthers ? [["others", t.others]] : [])], {
      label: t.inAll(t.revenueByDay, money(revenue)),
      format: (value) => here.money(Math.round(value), name, digits),
      bars: days.map((each) => ({
        name: short(each.day),
        title: t.barOrders(each.day, money(each.revenue_minor), each.orders),
        parts: [...used.map((label) => [label, minor(each.labels[label])]), ["fee", each.fees_minor], ["others", others(each)]],
      })),
    }),
    chart(of(t.energyByDay), labels, {
      label: t.inAll(of(t.energyByDay), kwh(energy, 1)),
      format: (value) => kwh(Math.round(value), value % 1_000_000 ? 1 : 0),
      bars: days.map((each) => ({
        name: short(each.day),
        title: t.bar(each.day, kwh(each.energy_mwh)),
        parts: used.map((label) => [label, each.labels[label]?.energy_mwh ?? 0]),
      })),
    }),
    section(of(apart.title), revenueTable(days, money, of), h("p.muted.small", apart.rule)),
    section(of(t.byPeriod), byPeriod(days, used, money, energy, of)),
    h("details.card.panel", h("summary", of(t.table)), byDay(days, money, of)),
  );
}

/** "2026-11-23" -> "23 Nov" as the locale writes it */
function short(day) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date).toLocaleDateString(LANGUAGE, { day: "numeric", month: "short" });
}

/** What was billed and what became of it; what does not occur is left out. */
function revenueTable(days, money, of) {
  const rows = Object.entries(apart.names)
    .map(([name, text]) => [text, sum(days.map((each) => each[name]))])
    .filter(([, minor]) => minor)
    .map(([text, minor]) => [text, money(minor)]);
  return table(of(apart.title), [apart.what, figures(common.names.amount)], rows);
}

function byPeriod(days, used, money, energy, of) {
  const columns = [
    common.names.period,
    figures(common.names.energy),
    figures(t.share),
    figures(common.names.electricity),
    figures(common.names.service),
    figures(common.names.together),
  ];
  const rows = used.map((label) => {
    const sumOf = (name) => sum(days.map((each) => each.labels[label]?.[name] ?? 0));
    const mwh = sumOf("energy_mwh");
    return [
      [h("span", { class: "swatch " + label, "aria-hidden": "true" }), PERIOD_NAMES[label]],
      kwh(mwh, 1),
      `${energy ? Math.round((100 * mwh) / energy) : 0} %`,
      money(sumOf("electricity_minor")),
      money(sumOf("service_minor")),
      money(sumOf("electricity_minor") + sumOf("service_minor")),
    ];
  });
  for (const name of ["fees_minor", ...PARTS, "tax_minor"]) {
    const minor = sum(days.map((each) => each[name]));
    if (minor) rows.push([t.parts[name], "", "", "", "", money(minor)]);
  }
  return table(of(t.periodCaption), columns, rows);
}

function byDay(days, money, of) {
  const columns = [t.day, figures(t.orders), figures(common.names.energy), figures(t.revenue)];
  return table(
    of(t.dayCaption),
    columns,
    days.map((each) => [each.day, here.count(each.orders), kwh(each.energy_mwh), money(each.revenue_minor)]),
  );
}
