// The payment of an order, on its page: what its hold has become. An order without a hold has none.

import { holdParts } from "./console-hold.js";
import { renew } from "./console-keep.js";
import { explain, h, section } from "./console-parts.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const t = (await words("console-words-payments")).hold;

export function open(place) {
  let known = "";

  async function update(order) {
    const { payment, settlement } = order;
    const now = JSON.stringify([payment, settlement?.flagged]);
    if (now === known) return;
    known = now;
    if (!payment?.hold_id) return renew(place);
    try {
      const hold = await ask("/api/payments/" + encodeURIComponent(payment.hold_id));
      if (now !== known) return;
      const again = () => ((known = ""), update(order));
      renew(place, section(t.title, settlement?.flagged && hold.state === "Held" && h("p.hint", t.flagged), holdParts(hold, again)));
    } catch (problem) {
      renew(place, section(t.title, h("p.empty", { role: "alert" }, explain(problem))));
    }
  }

  const end = () => {};
  end.update = update;
  return end;
}
