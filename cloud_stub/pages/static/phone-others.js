// Above each view: the other orders of this phone, and the way to one more at this pile.

import { h } from "./dom.js";
import { bestConnector } from "./phone-choose.js";
import { t } from "./phone-say.js";
import { RUNNING } from "./phone-state.js";
import { openOrders } from "./phone-store.js";

const link = (href, text) => h("li", h("a", { href }, text));

/** shown: the order that the page shows, or null. */
export function othersView(shown, pile) {
  const others = openOrders().filter(each => each.order_id !== shown?.order_id);
  const rows = others.map(each =>
    link(`/p/${encodeURIComponent(each.device)}?order=${encodeURIComponent(each.order_id)}`, t.others.order(each.device, each.connector))
  );
  if (shown && RUNNING.includes(shown.state) && pile?.connectors.length > 1) {
    const next = bestConnector({ ...pile, connectors: pile.connectors.filter(each => each.connector !== shown.connector) });
    rows.push(link(`/p/${encodeURIComponent(shown.device_id)}/${next}`, t.others.another));
  }
  return rows.length ? [others.length > 0 && h("h2.small", t.others.title), h("ul", rows)] : [];
}
