// A hold: how much before the start, what is held while the order runs, what was taken and given back on its receipt.

import { h } from "./dom.js";
import { money, t } from "./phone-say.js";

const testMark = payment => payment.is_test && h("span.pill.test", t.test);

/**
 * Below the button: what is held. offer: the one that was chosen, where nothing else limits the order.
 * Where only the cloud can tell the sum of these limits, it is said to be at most that of an order without any.
 */
export function beforeStart(rate, limits, offer, w) {
  const highest = limits.duration_s > rate.duration_s ? rate.longest_hold_minor : rate.hold_minor;
  if (!highest) return null; // it costs nothing
  const isExact = offer || Object.keys(limits).every(name => name === "cost_minor");
  const sum = money(offer?.hold_minor ?? Math.min(highest, limits.cost_minor ?? highest), rate);
  return h("p.small.locked", isExact ? w.hold(sum) : w.holdAtMost(sum));
}

export function whileRunning({ payment, ...order }, w) {
  return h("p.small.muted", payment.held_minor > 0 && w.held(money(payment.held_minor, order)), " ", testMark(payment));
}

/** On the page of an order that did not start, as far as the cloud knows. */
export const afterNoStart = ({ payment, ...order }, w) =>
  payment.state === "Held" && h("p.small.locked", w.stillHeld(money(payment.held_minor, order)), " ", testMark(payment));

/** What stands at the head of a receipt that is not paid. A bill may come after its hold was released. */
export const pending = ({ state }, w) => (["CaptureRefused", "Released"].includes(state) ? w.notTaken : w.taking);

/** A card of the receipt: held, taken, released, refunded. */
export function onReceipt({ payment, ...order }, w) {
  const { held_minor: held, captured_minor: captured, refunded_minor: refunded, state } = payment;
  const isOver = captured > 0 || state === "Released";
  const row = (name, minor) => h("div", h("dt", name), h("dd.number", money(minor, order)));
  return h(
    "section.card",
    h("div.head", h("h2", w.title), testMark(payment)),
    w.states[state] && h("p.small.told", w.states[state]),
    h(
      "dl.facts",
      row(w.rows.held, held),
      isOver && row(w.rows.captured, captured),
      isOver && row(w.rows.released, held - captured),
      refunded > 0 && row(w.rows.refunded, refunded)
    )
  );
}
