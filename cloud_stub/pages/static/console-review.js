// Deciding about a flagged settlement: what its driver pays, and why. Asked first, done once.

import { notice } from "./console-dialog.js";
import { askWhy } from "./console-form.js";
import { facts, h, moneyOf, section, when } from "./console-parts.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const t = (await words("console-words-orders")).review;

const amount = (said, minor) => moneyOf(minor, said.order.rate);

/** What may be decided, or what has been; `decided()` once somebody has. */
export function reviewPanel(said, decided) {
  if (said.review)
    return section(
      t.became,
      facts([
        [t.decision, t.meanings[said.settles ? said.review.decision : "Closed"]],
        [t.because, said.review.note],
        [t.decided, when(said.review.at)],
      ]),
    );
  if (!said.flagged || !may("money")) return null;
  const { computed } = said;
  const button = (text, options) => h("button.button", { onclick: () => decide(said, options, decided) }, text);
  if (!said.settles) return section(t.becomes, h("p", t.noOrder), h("p.group", button(t.closeOpen, CLOSE)));
  return section(
    t.becomes,
    h("p", computed ? t.waits : t.onlyWaive),
    h("p.group", computed ? button(t.releaseAt(amount(said, computed.total_minor)), release(said)) : null, button(t.waiveOpen, WAIVE)),
  );
}

function release(said) {
  const due = amount(said, said.computed.total_minor);
  const text = t.releaseText(moneyOf(said.total_minor, said), due);
  return { decision: "release", title: t.releaseTitle(due), text, action: t.release };
}
const WAIVE = { decision: "waive", title: t.waiveTitle, text: t.waiveText, action: t.waive };
const CLOSE = { decision: "waive", title: t.closeTitle, text: t.closeText, action: t.close };

async function decide(said, { decision, ...asked }, decided) {
  const path = `/api/settlements/${said.id}/review`;
  const submit = (note) => ask(path, { method: "POST", body: { decision, note } });
  const now = await askWhy({ ...asked, submit });
  if (!now) return;
  decided(now);
  notice(t.done);
  document.querySelector("main h1")?.focus(); // the buttons are gone
}
