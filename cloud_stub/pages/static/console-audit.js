// The audit trail: who did what when. The address has the filter, so a list can be kept and sent.

import { auditTable } from "./console-audit-lines.js";
import { failure, h, heading, show } from "./console-parts.js";
import { ask, download, may } from "./console-session.js";
import { words } from "./say.js";

const t = await words("console-words-audit");
const PAGE = 50;
const FIELDS = ["actor", "action", "device_id", "order_id", "site_id", "tariff_id", "account"];
const DAYS = ["from", "until"];

export function open(root, params) {
  const lines = h("div.card");
  const given = new URLSearchParams();
  for (const name of FIELDS) if (params.get(name)) given.set(name, params.get(name));
  const first = startOf(params.get("from"));
  const last = startOf(params.get("until"), 1);
  if (first) given.set("from_at", first);
  if (last) given.set("until_at", last);
  let ended = false;

  async function load(before) {
    const query = new URLSearchParams(given);
    query.set("limit", PAGE);
    if (before) query.set("before", before);
    try {
      const { items, next } = await ask("/api/audit?" + query);
      if (ended) return;
      const older =
        next && h("p.pager", h("button.button", { onclick: (event) => (event.target.parentNode.remove(), load(next)) }, t.older));
      if (before) lines.append(auditTable(t.title, items), older ?? "");
      else show(lines, auditTable(t.title, items, { empty: t.none }), older);
    } catch (problem) {
      if (!ended) show(lines, failure(problem, "#/audit"));
    }
  }

  show(
    root,
    heading(t.title, h("button.button", { onclick: () => download("/api/audit.csv?" + given, "audit.csv") }, t.export)),
    filters(params),
    may("people") ? null : h("p.muted.small", t.withoutAccounts),
    lines,
  );
  load();
  return () => (ended = true);
}

/** The beginning of a day as this browser has it, or of the day after; null for what is no day. */
function startOf(day, later = 0) {
  const [year, month, date] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day ?? "")?.slice(1) ?? [];
  const at = new Date(year, month - 1, Number(date) + later).getTime();
  return Number.isNaN(at) ? null : Math.floor(at / 1000);
}

function filters(params) {
  const names = [...FIELDS.filter((name) => name !== "account" || may("people")), ...DAYS];
  const controls = names.map((name) => [
    name,
    h("input", {
      id: "audit-" + name,
      type: DAYS.includes(name) ? "date" : "text",
      value: params.get(name) ?? "",
      maxlength: "100",
      list: name === "action" ? "audit-actions" : null,
      spellcheck: "false",
      autocapitalize: "none",
    }),
  ]);
  const wanted = () => new URLSearchParams(controls.map(([name, each]) => [name, each.value.trim()]).filter(([, value]) => value));
  return h(
    "form.card.panel.audit-filter",
    { onsubmit: (event) => (event.preventDefault(), (location.hash = "#/audit?" + wanted())) },
    controls.map(([name, control]) => h("div.field", h("label", { for: control.id }, t.fields[name]), control)),
    h(
      "datalist",
      { id: "audit-actions" },
      Object.entries(t.actions).map(([value, text]) => h("option", { value }, text)),
    ),
    h("p.group", h("button.button.primary", t.filter), h("a.button", { href: "#/audit" }, t.clear)),
  );
}
