// The lines of a bill beyond energy and session fee: of a settlement, of its computation, of a sample session.

import { figures, h, here, moneyOf, table } from "./console-parts.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = (await words("console-words-prices")).lines;

/** [{key, name, ms, price, minor}] of the bill; the lines of two computations have the same keys. */
export function extraLines(bill) {
  const idleMinor = bill.idle?.idle_minor ?? bill.idle_minor;
  return [
    ...(bill.times ?? []).map(([at, price, ms, minor]) => ({ key: "time" + at, name: t.time, ms, price, minor })),
    ...(bill.tiers ?? []).map(([mw, price, ms, minor]) => ({
      key: "tier" + mw,
      name: t.tier(here.count(Math.floor(mw / 1000))),
      ms,
      price,
      minor,
    })),
    ...(idleMinor == null ? [] : [{ key: "idle", name: t.idle, ms: bill.idle?.time_ms, minor: idleMinor }]),
    ...(bill.top_up_minor == null ? [] : [{ key: "topUp", name: t.topUp, minor: bill.top_up_minor }]),
  ];
}

/** The lines as a table, and the tax in the total; null where the bill has neither. about: its currency. */
export function extraTable(bill, about) {
  const money = (minor) => moneyOf(minor, about);
  const lines = extraLines(bill);
  const columns = [t.line, figures(t.lasted), figures(t.price), figures(names.amount)];
  const rows = lines.map(({ name, ms, price, minor }) => [
    name,
    ms == null ? "" : here.clock(Math.floor(ms / 1000)),
    price == null ? "" : here.price(price, about.currency),
    money(minor),
  ]);
  return [
    lines.length ? table(t.title, columns, rows) : null,
    bill.tax_minor == null ? null : h("p.muted", t.tax(money(bill.total_minor - bill.tax_minor), money(bill.tax_minor))),
  ];
}
