// A table of orders, as the list and the page of a pile show it.

import { h, kwh, moneyOf, shortId, statePill, table, when } from "./console-parts.js";
import { reasonWords } from "./console-words.js";
import { words } from "./say.js";

const t = await words("console-words-orders");

/** A table of orders as /api/orders lists them. `pile`: whether it says which pile. */
export function orderTable(caption, items, { pile = true, empty = t.none } = {}) {
  const columns = [
    { title: t.columns.made },
    { title: t.columns.order },
    ...(pile ? [{ title: t.columns.pile }] : []),
    { title: t.columns.state },
    { title: t.columns.energy, number: true },
    { title: t.columns.total, number: true },
    ...(pile ? [{ title: t.columns.rate, minor: true }] : []),
  ];
  const rows = items.map((each) => [
    when(each.created_at),
    h("a", { href: "#/orders/" + encodeURIComponent(each.order_id) }, shortId(each.order_id)),
    ...(pile
      ? [
          [
            h("a", { href: "#/piles/" + encodeURIComponent(each.device_id) }, each.device_id),
            h("span", { class: "muted" }, ` · ${each.connector}`),
          ],
        ]
      : []),
    [
      statePill(each.state),
      each.reason ? h("div", { class: "muted small" }, reasonWords(each.reason)) : null,
    ],
    each.energy_mwh === null ? "–" : kwh(each.energy_mwh),
    each.total_minor === null ? "–" : moneyOf(each.total_minor, each),
    ...(pile
      ? [h("a", { href: `#/piles/${encodeURIComponent(each.device_id)}/rate` }, shortId(each.rate_id))]
      : []),
  ]);
  return table(caption, columns, rows, empty);
}
