// The tariffs, what each costs now, and to how many places each is assigned.

import { loadCurrencies } from "./console-currency.js";
import { miniBar } from "./console-daybar.js";
import { formDialog } from "./console-form.js";
import { failure, h, heading, here, show, table, when, wideOnly } from "./console-parts.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const { names, tabs } = await words("console-words");
const t = await words("console-words-tariffs");
export const ID = /^[A-Za-z0-9_-]{1,32}$/;
const LISTED = 500;

export function open(root, params) {
  let ended = false;
  const all = params.get("all") === "true";
  Promise.all([ask(`/api/tariffs?limit=${LISTED}&of_piles=${all}`), loadCurrencies()]).then(
    ([{ items }]) => ended || draw(root, items, all),
    (problem) => ended || show(root, failure(problem, "#/tariffs")),
  );
  return () => {
    ended = true;
  };
}

/** "0.70 to 1.20" of a version, on its usual day. */
export function priceRange(rate) {
  const prices = rate.periods.map((each) => each[1] + each[2]);
  const [low, high] = [Math.min(...prices), Math.max(...prices)].map((each) => here.price(each, rate.currency));
  return low === high ? low : t.range(low, high);
}

function draw(root, items, all) {
  const columns = [names.tariff, t.columns.price, wideOnly(t.columns.day), wideOnly(t.columns.since), t.columns.places];
  const rows = items.map(({ tariff_id: id, name, rate, sites, piles, connectors }) => [
    [h("a.row-link", { href: "#/tariffs/" + encodeURIComponent(id) }, name), name !== id && h("div.mono.muted.small", id)],
    rate ? priceRange(rate) : h("span.muted", t.noVersion),
    rate ? miniBar(rate) : "–",
    when(rate?.published_at),
    t.counts(sites, piles, connectors) || h("span.muted", t.nowhere),
  ]);
  show(
    root,
    heading(
      tabs.tariffs,
      h("a.button.small", { href: "#/calendars" }, t.calendars),
      h("a.button.small", { href: "#/tariffs" + (all ? "" : "?all=true") }, all ? t.shared : t.ofPiles),
      may("price") && h("button.button", { onclick: addTariff }, t.add.open),
    ),
    h("div.card", table(tabs.tariffs, columns, rows, t.none)),
  );
}

async function addTariff() {
  const made = await formDialog({
    id: "tariff",
    title: t.add.open,
    body: t.add.text,
    fields: [
      { name: "name", label: names.name, control: h("input", { maxlength: "100" }), check: (value) => (value ? null : names.nameWrong) },
      {
        name: "tariff_id",
        label: names.id,
        hint: names.idHint,
        control: h("input", { maxlength: "32", spellcheck: "false" }),
        check: (value) => (ID.test(value) ? null : names.idWrong),
      },
    ],
    action: t.add.action,
    submit: (body) => ask("/api/tariffs", { method: "POST", body }),
  });
  if (made) location.hash = `#/tariffs/${encodeURIComponent(made.tariff_id)}/prices`;
}
