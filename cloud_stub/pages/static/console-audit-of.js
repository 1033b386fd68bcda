// The latest audit lines about one thing, on its page.

import { auditTable } from "./console-audit-lines.js";
import { renew } from "./console-keep.js";
import { h, section } from "./console-parts.js";
import { poll } from "./console-session.js";
import { words } from "./say.js";

const t = await words("console-words-audit");
const EVERY_MS = 5000;
const SHOWN = 5;
const COLUMNS = { pile: "device_id", order: "order_id", site: "site_id", tariff: "tariff_id" };

export function open(place, { kind, id, fail }) {
  const column = COLUMNS[kind];
  const body = h("div");
  place.append(section(t.title, body));
  const of = `${column}=${encodeURIComponent(id)}`;
  const draw = ({ items }) =>
    renew(
      body,
      auditTable(t.title, items, { empty: t.noneHere, without: column }),
      items.length ? h("p.more", h("a", { href: "#/audit?" + of }, t.all)) : null,
    );
  return poll(`/api/audit?limit=${SHOWN}&${of}`, EVERY_MS, draw, fail);
}
