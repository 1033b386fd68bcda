// Updates over the air: releases, which pile runs which, and the rollouts.

import { notice } from "./console-dialog.js";
import { askFirst } from "./console-form.js";
import { renew } from "./console-keep.js";
import { explain, figures, h, heading, here, kb, section, show, table, when, wideOnly } from "./console-parts.js";
import { failed, reasonText, rolloutPill, runs, selectionText, whatOf } from "./console-rollout-parts.js";
import { addRelease, configure, startRollout } from "./console-rollout-start.js";
import { ask, may, poll } from "./console-session.js";
import { words } from "./say.js";

const common = await words("console-words");
const all = await words("console-words-updates");
const t = all.list;
const EVERY_MS = 3000;
const SHOWN = 20; // rollouts
const PAGE = 100; // piles

export function open(root) {
  const [releases, firmware, rollouts] = [h("div"), h("div"), h("div")];
  const wanted = (problem) => notice(explain(problem), "bad");
  let known = [];
  const button = (text, work, primary) =>
    h("button", { class: "button" + (primary ? " primary" : ""), type: "button", onclick: work }, text);
  show(
    root,
    heading(
      common.tabs.updates,
      may("release") && [
        button(t.add, () => addRelease().then((done) => done && load())),
        button(t.configure, () => configure()),
        button(t.start, () => startRollout(known), true),
      ],
    ),
    section(t.rollouts, rollouts),
    section(t.releases, releases),
    section(t.firmware, firmware, eachPile()),
  );

  async function load() {
    try {
      const found = await ask("/api/releases");
      known = found.items;
      show(releases, releaseTable(known, load));
      show(firmware, firmwareTable(found.firmware));
    } catch (problem) {
      wanted(problem);
    }
  }

  load();
  return poll(`/api/rollouts?limit=${SHOWN}`, EVERY_MS, ({ items }) => renew(rollouts, rolloutTable(items)), wanted);
}

function rolloutTable(items) {
  const c = t.columns;
  const columns = [c.what, c.to, common.names.state, figures(c.done), figures(c.lost), wideOnly(c.began)];
  const rows = items.map((each) => [
    h("a", { href: "#/updates/" + each.rollout_id }, whatOf(each)),
    selectionText(each.selection),
    rolloutPill(each.state),
    all.one.waveCounts(here.count(each.states.Confirmed ?? 0), here.count(each.piles)),
    here.count(failed(each.states)),
    when(each.created_at),
  ]);
  return table(t.rollouts, columns, rows, t.noRollouts);
}

function releaseTable(items, load) {
  const c = t.columns;
  const columns = [
    c.release,
    c.version,
    c.boards,
    { ...figures(c.size), minor: true },
    figures(c.piles),
    wideOnly(c.added),
    ...(may("release") ? [""] : []),
  ];
  const rows = items.map((each) => [
    String(each.release),
    each.version,
    each.boards.map(({ board }) => board).join(", "),
    kb(each.size_bytes),
    here.count(each.piles),
    when(each.added_at),
    ...(may("release") ? [removal(each.release, load)] : []),
  ]);
  return table(t.releases, columns, rows, t.noReleases);
}

function removal(number, load) {
  const submit = () => ask(`/api/releases/${number}`, { method: "DELETE" });
  const remove = async () => {
    if (!(await askFirst(t.removeTitle(number), t.removeText, common.names.erase, submit))) return;
    notice(t.removed(number));
    load();
  };
  return h("button.button.small", { type: "button", onclick: remove, "aria-label": t.removeTitle(number) }, common.names.erase);
}

function firmwareTable(items) {
  const c = t.columns;
  const rows = items.map((each) => [runs(each.release), each.board ?? "–", here.count(each.piles)]);
  return table(t.firmware, [c.runs, c.board, figures(c.piles)], rows, t.noFirmware);
}

/** Every pile and what it runs, page by page, once somebody wants to see it. */
function eachPile() {
  const body = h("div");
  let before = [null];
  const box = h("details", { ontoggle: () => box.open && load([null]) }, h("summary", t.each), body);

  async function load(to) {
    const query = new URLSearchParams({ limit: PAGE, ...(to.at(-1) && { after: to.at(-1) }) });
    try {
      const page = await ask("/api/firmware?" + query);
      before = to;
      show(
        body,
        pileTable(page.items),
        h(
          "div.pager",
          h("button.button.small", { disabled: to.length === 1, onclick: () => load(before.slice(0, -1)) }, common.names.previous),
          h("button.button.small", { disabled: !page.next, onclick: () => load([...before, page.next]) }, common.names.next),
        ),
      );
    } catch (problem) {
      show(body, h("p.empty", { role: "alert" }, explain(problem)));
    }
  }

  return box;
}

function pileTable(items) {
  const c = t.columns;
  const rows = items.map((each) => [
    h("a", { href: "#/piles/" + encodeURIComponent(each.device_id) }, each.name),
    [
      runs(each.release),
      each.on_trial ? ` (${t.onTrial})` : null,
      each.fell_back_release ? h("p.muted.small", t.wentBack(each.fell_back_release, reasonText(each.fell_back_reason))) : null,
    ],
    each.board ?? "–",
  ]);
  return table(t.each, [c.pile, c.runs, c.board], rows, t.noFirmware);
}
