// What a pile runs, and what was rolled out to it.

import { renew } from "./console-keep.js";
import { facts, h, section, table, when } from "./console-parts.js";
import { progressPill, reasonText, runs, whatOf } from "./console-rollout-parts.js";
import { poll } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const all = await words("console-words-updates");
const t = all.pile;
const EVERY_MS = 5000;
const SHOWN = 10;

export function open(place, { path, fail }) {
  const body = h("div");
  place.append(section(t.title, body));
  return poll(`${path}/updates?limit=${SHOWN}`, EVERY_MS, (found) => draw(body, found), fail);
}

function draw(root, { firmware, items }) {
  const c = all.list.columns;
  const rows = items.map((each) => [
    h("a", { href: "#/updates/" + each.rollout_id }, whatOf(each)),
    progressPill(each),
    when(each.changed_at),
  ]);
  const back = firmware?.fell_back_release;
  renew(root, [
    facts([
      [t.runs, runs(firmware ? firmware.release : null)],
      [t.board, firmware?.board],
      [t.back, back ? all.list.wentBack(back, reasonText(firmware.fell_back_reason)) : null],
    ]),
    table(t.history, [c.what, names.state, c.changed], rows, t.none),
  ]);
}
