// Settlements that were flagged, and those that somebody has decided about.

import { named } from "./console-names.js";
import { explain, figures, h, heading, moneyOf, show, table, when } from "./console-parts.js";
import { ask } from "./console-session.js";
import { flagWords } from "./console-words.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const all = await words("console-words-orders");
const t = all.flagged;
const PAGE = 50;

export function open(root, params) {
  const reviewed = params.get("reviewed") === "true";
  const list = h("div.card");
  const more = h("button.button.small", { hidden: true }, names.older);
  show(
    root,
    heading(
      reviewed ? t.reviewed : t.title,
      reviewed
        ? h("a.button.small", { href: "#/flagged" }, t.toWaiting)
        : h("a.button.small", { href: "#/flagged?reviewed=true" }, t.toReviewed),
    ),
    h("p.lead", reviewed ? t.aboutReviewed : t.about),
    list,
    h("div.pager", more),
  );
  const items = [];
  let next = null;
  async function load() {
    try {
      const which = reviewed ? "reviewed=true" : "flagged=true";
      const page = await ask(`/api/settlements?${which}&limit=${PAGE}` + (next ? "&before=" + next : ""));
      items.push(...page.items);
      next = page.next;
      more.hidden = !next;
      show(list, flaggedTable(items, reviewed));
    } catch (problem) {
      show(list, h("p.empty", { role: "alert" }, explain(problem)));
    }
  }
  more.addEventListener("click", load);
  load();
}

const muted = (text) => h("span.muted", text);

function flaggedTable(items, reviewed) {
  const columns = [
    t.received,
    names.settlement,
    names.pile,
    t.wrong,
    figures(t.says),
    figures(t.computes),
    ...(reviewed ? [t.decision] : []),
  ];
  const rows = items.map((each) => [
    when(each.received_at),
    h("a", { href: "#/flagged/" + each.id }, t.number(each.seq)),
    named("piles", each.device_id),
    each.flags.map((flag) => h("div", flagWords(flag)[1])),
    each.sealed ? muted(t.unreadable) : moneyOf(each.total_minor, each),
    each.computed_minor === null ? muted(t.nothing) : moneyOf(each.computed_minor, each),
    ...(reviewed ? [[all.review.decisions[each.review.decision], h("div.muted.small", each.review.note)]] : []),
  ]);
  return table(reviewed ? t.reviewed : t.title, columns, rows, reviewed ? t.noneReviewed : t.none);
}
