// Names beside ids: asked for together, and put where they belong once the cloud has told them.

import { h, show } from "./dom.js";
import { ask } from "./console-session.js";

const ASKED_MAX = 500; // as the API takes it
const RENEW_MS = 30_000;
const PAGES = { piles: "#/piles/", sites: "#/sites/", tariffs: "#/tariffs/" };
const known = new Map(); // kind and id -> {name, at}
let waiting = []; // {kind, id, element}

const keyOf = (kind, id) => kind + " " + id;

/** A link to a thing's page, with its name and its id. kind: "piles", "sites" or "tariffs". */
export function named(kind, id) {
  const element = h("span.named");
  const found = known.get(keyOf(kind, id));
  draw(element, kind, id, found?.name);
  if (!found || Date.now() - found.at > RENEW_MS) {
    if (!waiting.length) setTimeout(askNames);
    waiting.push({ kind, id, element });
  }
  return element;
}

function draw(element, kind, id, name = id) {
  const link = h("a", { href: PAGES[kind] + encodeURIComponent(id) }, name);
  show(element, link, name !== id && [" ", h("span.mono.muted.small", id)]);
}

async function askNames() {
  const asked = waiting;
  waiting = [];
  const body = {};
  for (const { kind, id } of asked) (body[kind] ??= new Set()).add(id);
  for (const kind in body) body[kind] = [...body[kind]].slice(0, ASKED_MAX);
  let found;
  try {
    found = await ask("/api/names", { method: "POST", body });
  } catch {
    return; // the ids stay
  }
  for (const { kind, id, element } of asked) {
    const name = found[kind][id];
    known.set(keyOf(kind, id), { name, at: Date.now() });
    draw(element, kind, id, name);
  }
}
