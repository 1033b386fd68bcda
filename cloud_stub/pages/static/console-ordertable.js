// A table of orders, as the list and the page of a pile show it.

import { named } from "./console-names.js";
import { h, kwh, moneyOf, pill, shortId, statePill, table, when } from "./console-parts.js";
import { reasonWords } from "./console-words.js";
import { words } from "./say.js";

const t = await words("console-words-orders");
const money = await words("console-words-money");

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
            named("piles", each.device_id),
            h("span", { class: "muted" }, ` · ${each.connector}`),
          ],
        ]
      : []),
    [
      statePill(each.state),
      each.bill && ["Flagged", "Waived"].includes(each.bill.kind)
        ? [" ", pill(money.kinds[each.bill.kind], each.bill.kind === "Flagged" ? "bad" : "off")]
        : null,
      each.reason ? h("div", { class: "muted small" }, reasonWords(each.reason)) : null,
    ],
    each.energy_mwh === null ? "–" : kwh(each.energy_mwh),
    each.total_minor === null ? "–" : total(each),
    ...(pile
      ? [h("a", { href: `#/piles/${encodeURIComponent(each.device_id)}/rate` }, shortId(each.rate_id))]
      : []),
  ]);
  return table(caption, columns, rows, empty);
}

/** What is billed, and what became of it; what a flagged settlement says is struck out, because it bills nobody yet. */
function total(order) {
  const amount = moneyOf(order.total_minor, order);
  if (!order.bill) return amount;
  const { kind, credited_minor: credited, refund_minor: refund } = order.bill;
  if (kind === "Flagged") return h("s", { class: "muted" }, amount);
  return [
    amount,
    credited ? h("div", { class: "muted small" }, money.credited(moneyOf(credited, order))) : null,
    refund ? h("div", { class: "muted small" }, money.refund(moneyOf(refund, order))) : null,
  ];
}
