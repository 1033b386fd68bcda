// A site in a central system, in English.

export default {
  title: "Central system (OCPP)",
  remoteStart: "Remote start",
  rejected: "Not allowed",
  change: "Change…",
  changeText: "A central system may start orders at this site at the one rate to which its users have agreed. No money is held for them.",
  rate: "Rate",
  rateHint: "The id of a version, such as r-01m8…; empty: no remote start",
  rateWrong: "The id of a rate, or nothing",
  agreement: "Agreement",
  agreementHint: "Who agreed to it, and where that is written. It is kept in the audit trail.",
  agreementWrong: "Say who agreed, and where that is written",
  save: "Save",
  pile: "Charge point",
  state: "Connection",
  unsent: "Waiting",
  errors: "Errors",
  none: "The OCPP gateway has not been started.",
  waitsFor: (action) => `answer to ${action}`,
  states: { Accepted: "Accepted", Connecting: "Connecting", Pending: "Pending", Rejected: "Rejected", "": "New" },
};
