// The latest orders of a pile.

import { renew } from "./console-keep.js";
import { orderTable } from "./console-ordertable.js";
import { h, section } from "./console-parts.js";
import { poll } from "./console-session.js";
import { words } from "./say.js";

const t = (await words("console-words-piles")).orders;
const EVERY_MS = 2000;
const SHOWN = 10;

export function open(place, { id, fail }) {
  const body = h("div");
  place.append(section(t.title, body));
  const of = "device_id=" + encodeURIComponent(id);
  const draw = ({ items }) =>
    renew(
      body,
      orderTable(t.title, items, { pile: false, empty: t.none }),
      items.length ? h("p.more", h("a", { href: "#/orders?" + of }, t.all)) : null,
    );
  return poll(`/api/orders?limit=${SHOWN}&${of}`, EVERY_MS, draw, fail);
}
