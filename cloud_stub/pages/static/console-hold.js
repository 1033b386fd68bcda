// A hold for the eye: its state, its amounts, its calls to the provider, and the button that has a refused one made again.

import { notice } from "./console-dialog.js";
import { busy, facts, figures, h, moneyOf, pill, shortId, table, when, wideOnly } from "./console-parts.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const all = await words("console-words-payments");
const t = all.hold;

const TONES = {
  Authorizing: "busy",
  ActionNeeded: "busy",
  Held: "warn",
  Refused: "off",
  Capturing: "busy",
  Captured: "ok",
  CaptureRefused: "bad",
  Releasing: "busy",
  Released: "ok",
  ReleaseRefused: "bad",
  Refunding: "busy",
  RefundRefused: "bad",
};
const CALL_TONES = { Open: "busy", Done: "ok", Refused: "bad" };

/** Where a hold has its page. */
export const pageOf = (holdId) => "#/payments/" + encodeURIComponent(holdId);

/** The mark of what a test provider did; nothing where money moves. */
export const testMark = ({ is_test: isTest }) => isTest && pill(all.test, "warn");

/** The state, and that no money moves where that is so. */
export const statePills = (hold) => [
  pill(all.states[hold.state] ?? hold.state, TONES[hold.state] ?? "off"),
  hold.is_test ? [" ", testMark(hold)] : null,
];

/** Why it is so: in words where this console knows them, else as the provider says it. */
export const reasonOf = (reason) => reason && (all.reasons[reason] ?? h("span.mono", reason));

/** A provider by its name. */
export const providerOf = (adapter) => all.adapters[adapter] ?? adapter;

export const kindOf = (kind) => all.kinds[kind] ?? kind;

/** Elements for a section. hold: as /api/payments/{hold_id} has it; changed(): after a retry; more: facts besides. */
export function holdParts(hold, changed, more = []) {
  const money = (minor) => moneyOf(minor, hold);
  const wasRefused = hold.state.endsWith("Refused") && hold.state !== "Refused";
  const canRetry = wasRefused && hold.reason !== "amount_differs" && may("money");
  return [
    h("p", statePills(hold)),
    facts([
      [t.held, money(hold.held_minor)],
      [t.captured, money(hold.captured_minor)],
      [t.released, money(hold.released_minor)],
      [t.refunded, money(hold.refunded_minor)],
      [names.why, reasonOf(hold.reason)],
      [t.provider, providerOf(hold.adapter)],
      [t.ref, hold.ref && h("span.mono.break", hold.ref)],
      ...more,
    ]),
    canRetry && [
      h("p.hint.warn", t.retryText),
      h("p", h("button.button.small", { onclick: (event) => retry(event.target, hold.hold_id, changed) }, t.retry)),
    ],
    h("h3", t.calls),
    callTable(hold),
  ];
}

async function retry(button, holdId, changed) {
  const path = `/api/payments/${encodeURIComponent(holdId)}/retry`;
  if (!(await busy(button, () => ask(path, { method: "POST" })))) return;
  notice(t.retried);
  changed();
}

function callTable(hold) {
  const columns = [t.call, figures(names.amount), t.answer, t.made, wideOnly(t.key)];
  const rows = hold.calls.map((each) => [
    kindOf(each.kind),
    moneyOf(each.amount_minor, hold),
    [
      pill(all.calls[each.state] ?? each.state, CALL_TONES[each.state] ?? "off"),
      each.reason && h("div.muted.small", reasonOf(each.reason)),
    ],
    when(each.created_at),
    shortId(each.key),
  ]);
  return table(t.calls, columns, rows);
}
