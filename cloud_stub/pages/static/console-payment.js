// One hold, also where no order was made with it.

import { holdParts } from "./console-hold.js";
import { renew } from "./console-keep.js";
import { crumbs, failure, h, heading, section, shortId, show, when } from "./console-parts.js";
import { poll } from "./console-session.js";
import { words } from "./say.js";

const { names, tabs } = await words("console-words");
const t = (await words("console-words-payments")).hold;
const EVERY_MS = 5000;

export function open(root, _params, id) {
  const body = h("div.stack");
  const link = (page, name) => h("a", { href: page + encodeURIComponent(name) }, name);
  let stop;
  const draw = (hold) =>
    renew(
      body,
      heading([t.crumb, " ", shortId(hold.hold_id)]),
      section(
        t.title,
        holdParts(hold, start, [
          [names.order, hold.order_id ? link("#/orders/", hold.order_id) : t.noOrder],
          [names.pile, link("#/piles/", hold.device_id)],
          [t.made, when(hold.created_at)],
          [t.changed, when(hold.changed_at)],
        ]),
      ),
    );
  const fail = (problem) => show(root, failure(problem, "#/payments"));
  function start() {
    stop?.();
    stop = poll("/api/payments/" + encodeURIComponent(id), EVERY_MS, draw, fail);
  }
  show(root, crumbs([tabs.payments, "#/payments"], [t.crumb]), body);
  start();
  return () => stop();
}
