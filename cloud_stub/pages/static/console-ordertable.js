// A table of orders, as the list and the page of a pile show it.

import { named } from "./console-names.js";
import { figures, h, kwh, moneyOf, pill, shortId, statePill, table, when, wideOnly } from "./console-parts.js";
import { reasonWords } from "./console-words.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = await words("console-words-orders");
const money = await words("console-words-money");

/** A table of orders as /api/orders lists them. `pile`: whether it says which pile. */
export function orderTable(caption, items, { pile = true, empty = t.none } = {}) {
  const columns = [
    t.columns.made,
    names.order,
    ...(pile ? [names.pile] : []),
    names.state,
    figures(names.energy),
    figures(names.total),
    ...(pile ? [wideOnly(names.rate)] : []),
  ];
  const rows = items.map((each) => [
    when(each.created_at),
    h("a", { href: "#/orders/" + encodeURIComponent(each.order_id) }, shortId(each.order_id)),
    ...(pile ? [[named("piles", each.device_id), h("span.muted", ` · ${each.connector}`)]] : []),
    [
      statePill(each.state),
      each.bill && ["Flagged", "Waived"].includes(each.bill.kind)
        ? [" ", pill(money.kinds[each.bill.kind], each.bill.kind === "Flagged" ? "bad" : "off")]
        : null,
      each.reason ? h("div.muted.small", reasonWords(each.reason)) : null,
    ],
    each.energy_mwh === null ? "–" : kwh(each.energy_mwh),
    each.total_minor === null ? "–" : total(each),
    ...(pile ? [h("a", { href: `#/piles/${encodeURIComponent(each.device_id)}/rate` }, shortId(each.rate_id))] : []),
  ]);
  return table(caption, columns, rows, empty);
}

/** What is billed, and what became of it; what a flagged settlement says is struck out, because it bills nobody yet. */
function total(order) {
  const amount = moneyOf(order.total_minor, order);
  if (!order.bill) return amount;
  const { kind, credited_minor: credited, refund_minor: refund } = order.bill;
  if (kind === "Flagged") return h("s.muted", amount);
  return [
    amount,
    credited ? h("div.muted.small", money.credited(moneyOf(credited, order))) : null,
    refund ? h("div.muted.small", money.refund(moneyOf(refund, order))) : null,
  ];
}
