// What bills count as, credit notes, and revenue told apart, in English.

export default {
  kinds: { Billed: "Billed", Flagged: "Flagged", Waived: "Waived", Nobody: "Bills nobody" },
  credited: (amount) => `${amount} credited`,
  refund: (amount) => `${amount} of it after payment`,
  unpaid: (amount) => `${amount} to be paid`,

  credits: {
    title: "Credit notes",
    none: "Nothing of this bill was credited.",
    add: "Credit…",
    pay: "Enter a payment…",
    payTitle: (amount) => `Enter that ${amount} was paid?`,
    payText: "For money that the driver has paid outside of this cloud. It closes the bill, and cannot be taken back; it can be credited.",
    payAction: "It was paid",
    payDone: (amount) => `${amount} is entered as paid.`,
    dialog: "Credit this bill?",
    text: (left, state) =>
      `Up to ${left}. ` +
      ({
        captured: "The payment provider has captured the bill; it refunds the amount at once.",
        Paid: "The bill is paid, so the amount is to be paid back; that is done elsewhere.",
      }[state] ?? "The driver pays less by it. The settlement stays as it is."),
    amount: (currency) => `Amount in ${currency}`,
    amountWrong: (left) => `An amount above zero, ${left} at most.`,
    why: "Why, for those who look later",
    whyMissing: "Write down why.",
    action: "Credit it",
    done: (amount) => `${amount} was credited.`,
    at: "When",
    by: "By",
    number: "Amount",
    reason: "Why",
  },

  apart: {
    title: "Revenue told apart",
    what: "What",
    amount: "Amount",
    names: {
      billed_minor: "Billed",
      paid_minor: "Paid",
      unpaid_minor: "Unpaid",
      credited_minor: "Credited",
      refund_minor: "Credited after it was paid",
      waived_minor: "Waived, as the piles sealed it",
      flagged_minor: "Flagged, as the piles sealed it: in no other sum",
      flagged_paid_minor: "Paid before it was flagged",
      flagged_credited_minor: "Credited before it was flagged",
    },
    net: "Billed less credited",
    rule: "Billed = paid + unpaid + credited − credited after it was paid. A payment provider refunds the last by itself; otherwise it is to be paid back.",
    csv: "Settlements as CSV",
    site: "Site",
    tag: "Tag",
  },
};
