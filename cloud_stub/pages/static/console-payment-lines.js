// What the detail of an event or an audit line about payments and free charging says.

import { words } from "./say.js";

const t = await words("console-words-payments");

/** How much, and the provider's reason; the action itself says what was refused. */
function callWords(detail) {
  const more = (_, reason) => (reason ? ": " + (t.reasons[reason] ?? reason) : "");
  return detail.replace("TEST - no money moves", t.test).replace(/: \w+ was refused(?:, (.+))?$/, more);
}

const CALLS = [
  "HoldMade",
  "HoldCaptured",
  "HoldReleased",
  "PaymentRefunded",
  "HoldRefused",
  "CaptureRefused",
  "ReleaseRefused",
  "RefundRefused",
];

export const paymentDetails = {
  ...Object.fromEntries(CALLS.map((kind) => [kind, callWords])),
  PaymentRetried: (detail) => detail.replace(/: was (\w+)$/, (_, state) => `: ${t.states[state] ?? state}`),
  FreeOrderMade: (detail) => detail.replace(/^Free: /, ""),
  FreeVendGranted: (detail) => detail.replace(/: by code: /, `: ${t.free.code}: `).replace(/: everybody: /, `: ${t.free.everybody}: `),
};
