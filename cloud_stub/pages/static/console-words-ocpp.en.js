// A site in a central system, in English.

export default {
  title: "Central system (OCPP)",
  remoteStart: "Remote start",
  rejected: "Not allowed",
  change: "Change…",
  changeText: "A central system may start orders at this site, but only at the rate that its users have agreed to. No money is held for these orders.",
  rateHint: "The id of a version, such as r-01m8…; empty: no remote start",
  rateWrong: "Enter the id of a version, or nothing.",
  agreement: "Agreement",
  agreementHint: "Who agreed and where that is written, or why it ends. It is kept in the audit trail.",
  agreementWrong: "Enter who agreed, or why it ends.",
  pile: "Charge point",
  state: "Connection",
  unsent: "Waiting",
  errors: "Errors",
  none: "No pile of this site is a charge point yet. The OCPP gateway makes them, once it runs.",
  waitsFor: (action) => `answer to ${action}`,
  states: { Accepted: "Accepted", Connecting: "Connecting", Pending: "Pending", Rejected: "Rejected", "": "New" },
};
