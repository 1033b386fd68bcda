// What bills count as, credit notes, and revenue told apart, in English.

export default {
  kinds: { Billed: "Billed", Flagged: "Flagged", Waived: "Waived", Nobody: "Nobody is billed" },
  credited: (amount) => `${amount} credited`,
  refund: (amount) => `${amount} of it after payment`,
  unpaid: (amount) => `${amount} to be paid`,

  credits: {
    title: "Credit notes",
    none: "There are no credit notes.",
    add: "Credit…",
    pay: "Enter a payment…",
    payTitle: (amount) => `Enter ${amount} as paid?`,
    payText: "Only for money that the driver has paid elsewhere. The bill is then paid. This cannot be undone, but the bill can be credited.",
    payAction: "Enter the payment",
    payDone: (amount) => `${amount} is entered as paid.`,
    dialog: "Credit this bill?",
    text: (left, state) =>
      `Up to ${left}. ` +
      ({
        captured: "The payment provider has captured the bill; it refunds the amount at once.",
        Paid: "The bill is paid, so you must pay the amount back outside this console.",
      }[state] ?? "The driver pays less by it. The settlement stays as it is."),
    amount: (currency) => `Amount in ${currency}`,
    amountWrong: (left) => `An amount above zero, ${left} at most.`,
    why: "Reason",
    whyMissing: "Enter a reason.",
    action: "Credit it",
    done: (amount) => `${amount} was credited.`,
    by: "By",
  },

  apart: {
    title: "Revenue by state",
    what: "What",
    names: {
      billed_minor: "Billed",
      paid_minor: "Paid",
      unpaid_minor: "Unpaid",
      credited_minor: "Credited",
      refund_minor: "Credited after it was paid",
      waived_minor: "Waived (totals of the piles)",
      flagged_minor: "Flagged (totals of the piles), in no other sum",
      flagged_paid_minor: "Paid before it was flagged",
      flagged_credited_minor: "Credited before it was flagged",
    },
    net: "Billed less credited",
    rule: "Billed = paid + unpaid + credited − credited after it was paid. What was credited after payment is refunded by the payment provider; without one, you pay it back.",
    csv: "Settlements as CSV",
  },
};
