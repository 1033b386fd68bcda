// The other orders of this phone: those that are open above each view, with the way to one more at this pile; the earlier ones below.

import { h } from "./dom.js";
import { bestConnector } from "./phone-choose.js";
import { format, t } from "./phone-say.js";
import { RUNNING } from "./phone-state.js";

const link = (href, ...text) => h("li", h("a", { href }, text));
const toOrder = ({ device, order_id, connector }, ...more) =>
  link(`/p/${encodeURIComponent(device)}?order=${encodeURIComponent(order_id)}`, t.others.order(device, connector), more);

/** others: orders of phone-store.js; shown: the order that the page shows, or null. */
export function othersView(others, shown, pile) {
  const rows = others.map(each => toOrder(each));
  if (shown && RUNNING.includes(shown.state) && pile?.connectors.length > 1) {
    const next = bestConnector({ ...pile, connectors: pile.connectors.filter(each => each.connector !== shown.connector) });
    rows.push(link(`/p/${encodeURIComponent(shown.device_id)}/${next}`, t.others.another));
  }
  return rows.length ? [others.length > 0 && h("h2.small", t.others.title), h("ul", rows)] : [];
}

export const earlierView = orders =>
  h(
    "details",
    h("summary", t.others.earlier),
    h("ul", orders.map(each => toOrder(each, h("span.muted.small", format.dateTime(each.at)))))
  );
