// Holds and payments in English; loaded with phone-pay.js.

export default {
  hold: m => `${m} is held first. Only the bill is taken; the rest is released.`,
  holdAtMost: m => `At most ${m} is held first. Only the bill is taken; the rest is released.`,
  held: m => `${m} is held. Only the bill is taken at the end.`,
  stillHeld: m => `${m} is still held, because a bill of the pile may still come. If none comes, all of it is released, at the latest after some days.`,
  stepTitle: "Before the start",
  holdIt: m => `Hold ${m}`,
  giveUp: "Do not start",
  notHeld: "Nothing is held. Please try again or use another card.",
  title: "Payment",
  taking: "Being paid",
  notTaken: "Not paid",
  rows: { held: "Held before the start", captured: "Taken", released: "Released", refunded: "Given back" },
  states: {
    Held: "The hold stays until the bill has been checked.",
    Capturing: "The bill is being taken from the hold; you need not wait.",
    Releasing: "The hold is being released; you need not wait.",
    Refunding: "Money is on its way back to you.",
    CaptureRefused: "The bill could not be taken from the hold. The operator looks into it.",
    ReleaseRefused: "The hold could not be released yet. The operator looks into it.",
    RefundRefused: "The money could not be given back yet. The operator looks into it."
  }
};
