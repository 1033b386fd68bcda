// What every view of the console is made of: pills, tables, dialogs, notices, and the words for the wire's words.

import { h, show } from "./dom.js";
import { formats } from "./format.js";

export const LANGUAGE = navigator.language.startsWith("en") ? navigator.language : "en-GB";
export const here = formats(LANGUAGE);
/** Where the person in front of the console is: all times here are of that zone. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
export const inZone = (zone) => formats(LANGUAGE, zone);

/** A word with a tone ("ok", "busy", "warn", "bad", "off"), told by its text and its dot, never by colour alone. */
export function pill(text, tone, title) {
  return h(
    "span",
    { class: "pill " + tone, title },
    h("span", { class: "dot", "aria-hidden": "true" }),
    text,
  );
}

const STATUS = {
  Available: ["Available", "ok"],
  Occupied: ["Occupied", "ok"],
  Preparing: ["Plugged in", "ok"],
  Charging: ["Charging", "busy"],
  SuspendedEV: ["Paused by vehicle", "busy"],
  SuspendedEVSE: ["Paused by pile", "warn"],
  Finishing: ["Finishing", "busy"],
  Unavailable: ["Unavailable", "off"],
  Faulted: ["Faulted", "bad"],
};

/** What a connector is doing: {status, plugged, emergency_stop}, as the API has it of a connector. */
export function connectorPill({ status, plugged, emergency_stop: stopped }) {
  const shown = status === "Available" && plugged ? "Occupied" : status;
  const [text, tone] = stopped ? ["Stop pressed", "bad"] : (STATUS[shown] ?? [shown, "off"]);
  return pill(text, tone, status);
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
  return pill(state, ORDER_TONES[state] ?? "off", state === "Settled" ? "Settled, not paid yet" : undefined);
}

/** "EnergyLimitReached" -> "Energy limit reached" */
export function words(name) {
  const spaced = name.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2");
  return spaced.charAt(0) + spaced.slice(1).replace(/\b[A-Z][a-z]+/g, (word) => word.toLowerCase());
}

export const PERIOD_NAMES = { valley: "Off-peak", flat: "Flat", peak: "Peak", sharp: "Sharp peak" }; // as drivers read them
export const LABELS = ["valley", "flat", "peak", "sharp"];

/** An instant, with its full form to hover over. */
export function when(at) {
  if (at === null || at === undefined) return h("span", { class: "muted" }, "–");
  return h(
    "time",
    { datetime: new Date(at * 1000).toISOString(), title: here.instant(at) },
    here.dateTime(at),
  );
}

/** The end of an id: ids begin with their time, so the ends tell them apart. */
export function shortId(id) {
  return h("span", { class: "mono nowrap", title: id }, id.length > 12 ? "…" + id.slice(-8) : id);
}

export function kb(bytes) {
  return `${Math.round(bytes / 1024)} KB`;
}

/** Whether a pile whose heap was once this small is worth a look. */
export const isTight = (bytes) => bytes < 8 * 1024;

/** A table that scrolls within itself. columns: [{title, number, wide}]; rows: arrays of cells. */
export function table(caption, columns, rows, empty) {
  if (!rows.length) return h("p", { class: "empty" }, empty ?? "Nothing here yet.");
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "visually-hidden" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((each) => h("th", { scope: "col", class: cellClass(each) }, each.title)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((cells) =>
          h(
            "tr",
            {},
            cells.map((cell, i) => h("td", { class: cellClass(columns[i]) }, cell)),
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
    "dl",
    { class: "facts" },
    rows
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

export function heading(title, ...beside) {
  return h(
    "div",
    { class: "heading" },
    h("h1", { tabindex: "-1" }, title),
    h("div", { class: "beside" }, beside),
  );
}

export function crumbs(...links) {
  return h(
    "nav",
    { class: "crumbs", "aria-label": "Where you are" },
    links.map(([text, href], i) => [
      i ? h("span", { "aria-hidden": "true" }, "/") : null,
      href ? h("a", { href }, text) : h("span", { "aria-current": "page" }, text),
    ]),
  );
}

export function section(title, ...children) {
  return h("section", { class: "card panel" }, h("h2", {}, title), children);
}

const PROBLEMS = {
  Network: "The cloud does not answer. Check the connection and try again.",
  UnknownPile: "There is no pile with that id. It may have been removed, or the address mistyped.",
  UnknownOrder: "There is no order with that id.",
  UnknownSettlement: "There is no settlement with that id.",
  AlreadyReviewed: "Somebody has decided about it already.",
  DatabaseUnavailable: "The database does not answer at the moment. Try again in a little while.",
  PileRemoved: "This pile was removed.",
  PileInUse: "An order holds this pile. Stop it and wait for its settlement, then try again.",
};

export function explain(problem) {
  return PROBLEMS[problem.code] ?? problem.message;
}

/** What a view shows when there is nothing to show. */
export function failure(problem, back) {
  return h(
    "div",
    { class: "card panel failure", role: "alert" },
    h("h1", { tabindex: "-1" }, "This cannot be shown"),
    h("p", {}, explain(problem)),
    back ? h("p", {}, h("a", { href: back }, "Back to the list")) : null,
  );
}

let notices;

/** A region that screen readers follow; made once. */
export function noticeRegion() {
  notices = h("div", { class: "notices", role: "status", "aria-live": "polite" });
  return notices;
}

/** A short notice that goes by itself; one about something that failed stays until it is dismissed. */
export function notice(text, tone = "ok") {
  const shown = h(
    "div",
    { class: "notice " + tone },
    h("span", {}, text),
    h("button", { class: "plain", "aria-label": "Dismiss", onclick: () => shown.remove() }, "×"),
  );
  notices.append(shown);
  if (tone === "ok") setTimeout(() => shown.remove(), 6000);
}

/** Ask before doing; resolves to whether `action` was chosen. `body`: texts or elements. */
export function confirm(title, body, action, danger = false) {
  return dialog(title, [body].flat(), (close) => [
    h("button", { class: "button", type: "button", onclick: () => close(false) }, "Cancel"),
    h(
      "button",
      { class: "button " + (danger ? "danger" : "primary"), type: "button", onclick: () => close(true) },
      action,
    ),
  ]);
}

const WHY_MAX = 500; // as the API takes it

/** Asks for a decision and its reason; resolves to the reason, "" where it was cancelled. */
export async function askWhy(title, text, action) {
  const why = h("input", { id: "why", maxlength: String(WHY_MAX), autocomplete: "off" });
  const wrong = h("p", { class: "error", role: "alert" });
  const body = [
    ...text,
    h("div", { class: "field" }, h("label", { for: "why" }, "Why, for those who look later"), why),
    wrong,
    "It is recorded and cannot be changed.",
  ];
  const decide = (close) => () => {
    if (why.value.trim()) return close(true);
    show(wrong, "Write down why.");
    why.focus();
  };
  const wanted = await dialog(title, body, (close) => [
    h("button", { class: "button", type: "button", onclick: () => close(false) }, "Cancel"),
    h("button", { class: "button primary", type: "button", onclick: decide(close) }, action),
  ]);
  return wanted ? why.value.trim() : "";
}

/** A modal dialog; resolves to what its buttons close it with, false for Escape. */
export function dialog(title, body, buttons) {
  return new Promise((resolve) => {
    let result = false;
    const close = (value) => {
      result = value;
      box.close();
    };
    const box = h(
      "dialog",
      { class: "card", "aria-labelledby": "dialog-title" },
      h("h2", { id: "dialog-title" }, title),
      h(
        "div",
        { class: "dialog-body" },
        body.map((part) => (typeof part === "string" ? h("p", {}, part) : part)),
      ),
      h("div", { class: "dialog-buttons" }, buttons(close)),
    );
    box.addEventListener("close", () => {
      box.remove();
      resolve(result);
    });
    document.body.append(box);
    box.showModal();
  });
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
    if (document.activeElement === document.body)
      (button.isConnected ? button : document.querySelector("main h1"))?.focus();
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
