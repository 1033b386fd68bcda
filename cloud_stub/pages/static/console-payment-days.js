// What was held, moved and left unpaid by day and provider, as a table and a file; and the comparison with the provider's report.

import { digitsOf, loadCurrencies } from "./console-currency.js";
import { kindOf, pageOf, providerOf, testMark } from "./console-hold.js";
import {
  busy,
  crumbs,
  explain,
  figures,
  h,
  heading,
  here,
  moneyOf,
  pill,
  section,
  shortId,
  show,
  table,
  when,
  wideOnly,
  wrongField,
  ZONE,
} from "./console-parts.js";
import { ask, download } from "./console-session.js";
import { words } from "./say.js";

const { names, tabs } = await words("console-words");
const { ranges } = await words("console-words-reports");
const all = await words("console-words-payments");
const t = all.days;
const AMOUNTS = ["held", "captured", "released", "refunded", "unpaid"];
const RANGES = [7, 30, 90]; // days

export function open(root, params) {
  let days = Number(params.get("days")) || 30;
  let turn = 0;
  const body = h("div.stack");
  const compared = h("div.stack", { role: "status" });
  const csv = h(
    "button.button",
    { onclick: () => busy(csv, () => download("/api/reports/payments.csv?" + query(), "payments.csv")) },
    names.csv,
  );
  const compare = h("button.button", { onclick: () => busy(compare, reconcile) }, all.compare.action);
  const buttons = RANGES.map((each) => [each, h("button.button.small", { onclick: () => choose(each) }, ranges[each])]);
  show(
    root,
    crumbs([tabs.payments, "#/payments"], [t.title]),
    heading(t.title, csv),
    h(
      "div.filters",
      h(
        "div.group",
        { role: "group", "aria-label": t.day },
        buttons.map(([, button]) => button),
      ),
    ),
    h("p.lead", t.about),
    body,
    section(all.compare.title, h("p.muted", all.compare.about), h("p", compare), compared),
    h("p.muted.small", t.zone(ZONE)),
  );

  /** The last days, today included, as this browser has them. */
  function query() {
    const day = (ago) => {
      const now = new Date();
      const at = new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago);
      return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((each) => String(each).padStart(2, "0")).join("-");
    };
    return new URLSearchParams({ from: day(days - 1), to: day(0), time_zone: ZONE });
  }

  function choose(wanted) {
    days = wanted;
    history.replaceState(null, "", "#/payment-days?days=" + days);
    show(compared);
    load();
  }

  async function load() {
    const mine = ++turn;
    for (const [each, button] of buttons) button.setAttribute("aria-pressed", String(each === days));
    try {
      const found = await ask("/api/reports/payments?" + query());
      if (mine !== turn) return;
      const unresolved = found.unresolved > 0 && h("p.hint.warn", t.unresolved(here.count(found.unresolved)));
      show(body, unresolved, h("div.card", dayTable(found.rows)));
    } catch (problem) {
      if (mine === turn) show(body, h("p.card.panel.empty", { role: "alert" }, explain(problem)));
    }
  }

  async function reconcile() {
    const mine = turn;
    show(compared);
    try {
      const [found] = await Promise.all([ask("/api/reports/reconciliation?" + query()), loadCurrencies()]);
      if (mine === turn) show(compared, comparison(found));
    } catch (problem) {
      const { errors } = problem.members; // of days that the provider has no report of any more
      if (mine === turn) show(compared, h("p.hint.bad", errors?.map(wrongField).join(" ") ?? explain(problem)));
    }
  }

  load();
  return () => turn++;
}

const provider = (row) => [providerOf(row.adapter), row.is_test ? [" ", testMark(row)] : null];

/** A row for each day and provider, then their sums. */
function dayTable(rows) {
  const columns = [t.day, t.provider, figures(t.holds), ...AMOUNTS.map((name) => figures(all.hold[name] ?? t[name]))];
  const cells = (first, row) => [
    first,
    provider(row),
    here.count(row.holds),
    ...AMOUNTS.map((name) => moneyOf(row[name + "_minor"], row) + (several ? " " + row.currency : "")),
  ];
  const several = new Set(rows.map((each) => each.currency)).size > 1; // and some share their sign
  const sums = [...sumsOf(rows).values()].map((sum) => cells(h("strong", t.inAll), sum));
  return table(t.title, columns, [...rows.map((row) => cells(row.day, row)), ...sums], t.none);
}

/** Of each provider and currency. */
function sumsOf(rows) {
  const sums = new Map();
  for (const row of rows) {
    const key = row.adapter + " " + row.currency;
    const sum = sums.get(key);
    if (!sum) sums.set(key, { ...row });
    else for (const name of ["holds", ...AMOUNTS.map((each) => each + "_minor")]) sum[name] += row[name];
  }
  return sums;
}

function comparison(found) {
  const { compare: w } = all;
  const { differences: items } = found;
  const said = (minor, state, currency, digits, isOther) =>
    minor === null
      ? "–"
      : [
          moneyOf(minor, { currency, minor_digits: digits ?? digitsOf(currency) ?? 0 }),
          isOther && ` ${currency}`, // several currencies share a sign
          state && h("div.muted.small", all.calls[state] ?? state),
        ];
  const theirs = ({ theirs_minor: minor, theirs_state: state, theirs_currency: currency, ...ours }) =>
    currency === ours.currency ? said(minor, state, currency, ours.minor_digits) : said(minor, state, currency, null, true);
  const columns = [w.what, w.kind, w.hold, figures(w.ours), figures(w.theirs), names.when, wideOnly(all.hold.ref)];
  const rows = items.map((each) => [
    h("strong", w.names[each.what] ?? each.what),
    kindOf(each.kind),
    each.hold_id ? h("a", { href: pageOf(each.hold_id) }, shortId(each.hold_id)) : "–",
    said(each.ours_minor, each.ours_state, each.currency, each.minor_digits),
    theirs(each),
    when(each.at),
    each.ref ? h("span.mono.break", each.ref) : "–",
  ]);
  return [
    h("p", items.length ? pill(w.count(here.count(items.length)), "bad") : pill(w.equal, "ok"), " ", testMark(found)),
    h("p.muted", w.rows(providerOf(found.adapter), here.count(found.rows_ours), here.count(found.rows_theirs))),
    items.length > 0 && table(w.title, columns, rows),
  ];
}
