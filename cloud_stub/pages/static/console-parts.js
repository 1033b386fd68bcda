// What every view of the console is made of: pills, tables, facts, and the names of what all views have.

import { notice } from "./console-dialog.js";
import { h, show } from "./dom.js";
import { formats } from "./format.js";
import { words } from "./say.js";

const t = await words("console-words");
/** The locale of numbers and times: the browser's own English, or the page's language. */
export const LANGUAGE = /^en\b/.test(t.locale) && /^en\b/.test(navigator.language) ? navigator.language : t.locale;
export const here = formats(LANGUAGE);
/** Where the person in front of the console is: all times here are of that zone, unless a view says otherwise. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
export const inZone = (zone) => formats(LANGUAGE, zone);

/** "1.234 kWh", "6.9 kW" */
export const kwh = (mwh, ...digits) => `${here.kwh(mwh, ...digits)} kWh`;
export const kw = (mw, digits) => `${here.kw(mw, digits)} kW`;
/** Minor units in the currency of a rate, an order or a bill. */
export const moneyOf = (minor, of) => here.money(minor, of.currency, of.minor_digits);

/** A word with a tone ("ok", "busy", "warn", "bad", "off"), told by its text and its dot, never by colour alone. */
export function pill(text, tone, title) {
  return h("span", { class: "pill " + tone, title }, h("span.dot", { "aria-hidden": "true" }), text);
}

const STATUS_TONES = {
  Available: "ok",
  Occupied: "ok",
  Preparing: "ok",
  Charging: "busy",
  SuspendedEV: "busy",
  SuspendedEVSE: "warn",
  Finishing: "busy",
  Unavailable: "off",
  Faulted: "bad",
};

/** What a connector is doing: {status, plugged, emergency_stop}, as the API has it of a connector. */
export function connectorPill({ status, plugged, emergency_stop: stopped, out_of_service: reason, occupied_since: since }) {
  if (reason && status === "Unavailable") return pill(t.outOfService, "warn", reason);
  if (since && !stopped) return pill(t.occupiedSince(here.time(since)), "warn");
  const shown = status === "Available" && plugged ? "Occupied" : status;
  if (stopped) return pill(t.stopPressed, "bad");
  return pill(t.statuses[shown] ?? shown, STATUS_TONES[shown] ?? "off");
}

const ORDER_TONES = {
  Pending: "warn",
  Accepted: "busy",
  Charging: "busy",
  Finishing: "busy",
  Settled: "warn",
  Paid: "ok",
  Rejected: "bad",
  Expired: "off",
  Cancelled: "off",
  Lost: "bad",
};

export function statePill(state) {
  return pill(t.states[state] ?? state, ORDER_TONES[state] ?? "off", state === "Settled" ? t.settled : undefined);
}

/** "EnergyLimitReached" -> "Energy limit reached": for a word that this console has no text for. */
export function spaced(name) {
  const parts = name.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2");
  return parts.charAt(0) + parts.slice(1).replace(/\b[A-Z][a-z]+/g, (word) => word.toLowerCase());
}

export const PERIOD_NAMES = t.periods; // as drivers read them
export const LABELS = ["valley", "flat", "peak", "sharp"];

/** Who did something, by name; the operator token has none of its own. */
export const whoWords = (name) => (name === "operator token" ? t.operatorToken : name);

/** An instant, with its full form to hover over. */
export function when(at) {
  if (at === null || at === undefined) return h("span.muted", "–");
  return h("time", { datetime: new Date(at * 1000).toISOString(), title: here.instant(at) }, here.dateTime(at));
}

/** The end of an id: ids begin with their time, so the ends tell them apart. */
export function shortId(id) {
  return h("span.mono.nowrap", { title: id }, id.length > 12 ? "…" + id.slice(-8) : id);
}

export function kb(bytes) {
  return `${Math.round(bytes / 1024)} KB`;
}

/** Whether a pile whose heap was once this small is worth a look. */
export const isTight = (bytes) => bytes < 8 * 1024;

/** Columns of table(): of figures; of what a narrow window leaves out. */
export const figures = (title) => ({ title, number: true });
export const wideOnly = (title) => ({ title, minor: true });

/**
 * A table: on a phone each row is a block of named values. columns: a title, or {title, number, minor}; the column of
 * buttons has the title "". rows: arrays of cells.
 */
export function table(caption, titles, rows, empty) {
  const columns = titles.map((each) => (each.title ? each : { title: each }));
  if (!rows.length) return h("p.empty", empty ?? t.nothing);
  return h(
    "div.scroll",
    { tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table.rows",
      h("caption.visually-hidden", caption),
      h(
        "thead",
        h(
          "tr",
          columns.map((each) => h("th", { scope: "col", class: cellClass(each) }, each.title || h("span.visually-hidden", t.actions))),
        ),
      ),
      h(
        "tbody",
        rows.map((cells) =>
          h(
            "tr",
            cells.map((cell, i) => h("td", { class: cellClass(columns[i]), "data-label": columns[i].title }, cell)),
          ),
        ),
      ),
    ),
  );
}

export function cellClass(column) {
  return [column.number && "number right", column.minor && "minor"].filter(Boolean).join(" ") || null;
}

/** A list of facts: [[name, value], ...]; those without a value are left out. */
export function facts(rows) {
  return h(
    "dl.facts",
    rows.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => h("div", h("dt", name), h("dd", value))),
  );
}

export function heading(title, ...beside) {
  return h("div.heading", h("h1", { tabindex: "-1" }, title), h("div.beside", beside));
}

export function crumbs(...links) {
  return h(
    "nav.crumbs",
    { "aria-label": t.crumbs },
    links.map(([text, href], i) => [
      i ? h("span", { "aria-hidden": "true" }, "/") : null,
      href ? h("a", { href }, text) : h("span", { "aria-current": "page" }, text),
    ]),
  );
}

export function section(title, ...children) {
  return h("section.card.panel", h("h2", title), children);
}

/** What went wrong, of a Problem: in the page's language where this console knows its code. */
export function explain(problem) {
  const { components, piles = [], count = piles.length } = problem.members ?? {};
  const parts =
    components &&
    t.notBillable(
      components.map((each) => t.components[each] ?? each),
      piles,
      count - piles.length,
    );
  return [t.problems[problem.code] ?? t.refused(problem), parts].filter(Boolean).join(" ");
}

/** What the cloud has against one field: {field, reason} of a problem; `text` is there if the page itself found it. */
export const wrongField = ({ reason, text }) => text ?? t.wrongField(reason);

/** What a view shows when there is nothing to show. */
export function failure(problem, back) {
  return h(
    "div.card.panel.failure",
    { role: "alert" },
    h("h1", { tabindex: "-1" }, t.failure),
    h("p", explain(problem)),
    back && h("p", h("a", { href: back }, t.back)),
    problem.code === "Network" && h("p", h("button.button", { onclick: () => location.reload() }, t.again)),
  );
}

/** Run `work` with its button disabled; what goes wrong becomes a notice. Returns whether it went well. */
export async function busy(button, work) {
  button.disabled = true;
  try {
    await work();
    return true;
  } catch (problem) {
    notice(explain(problem), "bad");
    return false;
  } finally {
    button.disabled = false;
    // What is disabled loses the focus, and what has been drawn anew cannot have it back.
    if (document.activeElement === document.body) (button.isConnected ? button : document.querySelector("main h1"))?.focus();
  }
}

/** Does `work` once it has not been called for `ms`. A view that ends cancels what it still has to do. */
export function later(ms, work) {
  let timer;
  const soon = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), ms);
  };
  soon.cancel = () => clearTimeout(timer);
  return soon;
}

export { h, show };
