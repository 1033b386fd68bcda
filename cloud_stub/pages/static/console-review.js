// Deciding about a flagged settlement: what its driver pays, and why. Asked first, done once.

import { askWhy, busy, facts, h, here, notice, section, when } from "./console-parts.js";
import { ask } from "./console-session.js";

const DECISIONS = { Released: "Released at what the locked rate gives", Waived: "Waived: nothing is to be paid" };

const amount = (said, minor) => here.money(minor, said.order.rate.currency, said.order.rate.minor_digits);

/** What may be decided, or what has been; `decided()` once somebody has. */
export function reviewPanel(said, decided) {
  if (said.review)
    return section(
      "What became of it",
      facts([
        ["Decision", said.settles ? DECISIONS[said.review.decision] : "Closed: it bills nobody"],
        ["Because", said.review.note],
        ["Decided", when(said.review.at)],
      ]),
    );
  if (!said.flagged) return null;
  const { computed } = said;
  const button = (text, options) =>
    h(
      "button",
      {
        class: "button",
        onclick: (event) => decide(event.currentTarget, said, options, decided),
      },
      text,
    );
  if (!said.settles)
    return section(
      "What becomes of it",
      h("p", {}, "It settles no order, so it bills nobody. Close it once its cause is known."),
      h("p", { class: "group" }, button("Close…", CLOSE)),
    );
  return section(
    "What becomes of it",
    h(
      "p",
      {},
      computed
        ? "Until somebody decides, its driver is told that the bill is being checked, and cannot pay."
        : "The locked rate gives nothing for what it says, so it can only be waived.",
    ),
    h(
      "p",
      { class: "group" },
      computed ? button(`Release at ${amount(said, computed.total_minor)}…`, release(said)) : null,
      button("Waive…", WAIVE),
    ),
  );
}

const release = (said) => ({
  decision: "release",
  title: `Release at ${amount(said, said.computed.total_minor)}?`,
  text: [
    `The pile sealed ${here.money(said.total_minor, said.currency, said.minor_digits)}; the driver's receipt will show what the locked rate gives, ${amount(said, said.computed.total_minor)}, and can be paid.`,
  ],
  action: "Release",
});
const WAIVE = {
  decision: "waive",
  title: "Waive this bill?",
  text: ["The driver pays nothing. The receipt shows the energy, and amounts of zero."],
  action: "Waive",
};
const CLOSE = {
  decision: "waive",
  title: "Close this settlement?",
  text: ["It stays as it is, with your reason, and waits for nobody any more."],
  action: "Close it",
};

async function decide(button, said, { decision, title, text, action }, decided) {
  const note = await askWhy(title, text, action);
  if (!note) return;
  await busy(button, async () => {
    const path = `/api/settlements/${said.id}/review`;
    decided(await ask(path, { method: "POST", body: { decision, note } }));
    notice("Your decision has been recorded.");
  });
}
