// Names beside ids: asked for together, and put where they belong once the cloud has told them.

import { h, show } from "./dom.js";
import { ask } from "./console-session.js";

const ASKED_MAX = 500; // as the API takes it
const RENEW_MS = 30_000;
const PAGES = { piles: "#/piles/", sites: "#/sites/", tariffs: "#/tariffs/" };
const known = new Map(); // kind and id -> {name, at}
let waiting = []; // {kind, id, tell}

const keyOf = (kind, id) => kind + " " + id;

/** A link to a thing's page, with its name and its id. kind: "piles", "sites" or "tariffs". */
export function named(kind, id) {
  const element = h("span.named");
  const shown = known.get(keyOf(kind, id))?.name;
  draw(element, kind, id, shown);
  nameOf(kind, id).then((name) => name !== shown && draw(element, kind, id, name));
  return element;
}

/** "Harbour (S-1)": a thing's name and its id, for a text. */
export async function nameText(kind, id) {
  const name = (await nameOf(kind, id)) ?? id;
  return name === id ? id : `${name} (${id})`;
}

/** A thing's name; undefined where the cloud knows none, or does not answer. */
async function nameOf(kind, id) {
  const found = known.get(keyOf(kind, id));
  if (found && Date.now() - found.at <= RENEW_MS) return found.name;
  if (!waiting.length) setTimeout(askNames);
  return new Promise((tell) => waiting.push({ kind, id, tell }));
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
  const found = await ask("/api/names", { method: "POST", body }).catch(() => null);
  for (const { kind, id, tell } of asked) {
    if (found) known.set(keyOf(kind, id), { name: found[kind][id], at: Date.now() });
    tell(known.get(keyOf(kind, id))?.name);
  }
}
