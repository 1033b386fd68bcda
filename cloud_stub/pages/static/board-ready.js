// The last step: whether the pile is online, its price, its label.

import { Problem } from "./api.js";
import { h, keepFile } from "./dom.js";
import { pause } from "./board-port.js";
import { ask, fetched } from "./console-session.js";
import { formats } from "./format.js";
import { priceNow as kwhPrice } from "./phone-rate.js";

const ONLINE_MS = 90_000;
const ASK_MS = 1_000;

/** Show what the pile has, and wait until it is online, as long as that may take. Throws Problem. */
export async function waitForPile(t, id, isCurrent, bad, say) {
  const path = `/api/piles/${encodeURIComponent(id)}`;
  const end = performance.now() + ONLINE_MS;
  const facts = await about(t, id, path);
  say(h("p.muted", t.ready.waiting), facts);
  while (isCurrent() && !(await ask(path + "/report")).online) {
    if (performance.now() > end) return say(bad(t.ready.late), facts);
    await pause(ASK_MS);
  }
  if (isCurrent()) say(h("p.good", t.ready.online(id)), facts);
}

async function about(t, id, path) {
  const label = await fetched(path + "/label?kind=svg");
  const print = async () => keepFile(await fetched(path + "/label?kind=pdf"), `label-${id}.pdf`);
  const price = await priceNow(t, path);
  const rateLink = `/console#/piles/${encodeURIComponent(id)}/rate`;
  return h(
    "div.ready",
    h("p", price ? t.ready.rate(price) : h("strong.warn", t.ready.noRate)),
    h("img.label", { src: URL.createObjectURL(label), alt: t.ready.labelAlt(id) }),
    h(
      "p.links",
      h("a.button" + (price ? "" : ".primary"), { href: rateLink }, price ? t.ready.showRate : t.ready.setRate),
      h("button.button", { type: "button", onclick: print }, t.ready.print),
      h("a.button", { href: `/p/${encodeURIComponent(id)}` }, t.ready.page),
      h("button.button", { type: "button", onclick: () => location.reload() }, t.ready.next),
    ),
  );
}

/** What a kWh costs now, electricity and service together; null where the pile has no rate. */
async function priceNow(t, path) {
  try {
    const rate = await ask(path + "/rate");
    return formats(t.locale).price(kwhPrice(rate), rate.currency);
  } catch (problem) {
    if (problem instanceof Problem && problem.code === "NoRate") return null;
    throw problem;
  }
}
