// What stands above the view while something is wrong, and the view until there is one.

import { h } from "./dom.js";
import { format, t } from "./phone-say.js";

/** What stands above a running order that is not what it seems; "" where nothing is to be said. */
export function bannerText({ order, pile, lost, heardAt, stopping, failure }, running) {
  const { banner, failures } = t;
  const parts = [];
  if (lost) {
    parts.push(running && heardAt ? banner.lostAt(format.time(heardAt)) : banner.lost);
    if (running) parts.push(banner.lostCharging);
  } else if (running && pile && !pile.online) {
    parts.push(order.meter ? banner.pileOfflineAt(format.time(order.meter.at)) : banner.pileOffline, banner.pileOfflineCharging);
    if (stopping || order.stop_requested_at !== null) parts.push(banner.stopLater);
  }
  if (running && failure) parts.push(...failures.stop);
  return parts.join(" ");
}

export function loadingView() {
  return { title: null, element: h("main", h("section.card.message", { "aria-busy": "true" }, h("p.muted", t.loading))) };
}
