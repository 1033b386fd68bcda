// The views of the console and the sections of its detail pages. docs: "A view of the console" in CONTRIBUTING.md.

/**
 * Each view: the address after # (a part that begins with : goes to the view as it is), its entry of the navigation,
 * the module that opens it, and the permission without which it is not offered. The navigation has the entries in the
 * order in which they come first here; their names are `tabs` of console-words.
 */
export const VIEWS = [
  { path: "/piles", tab: "piles", module: "console-piles", need: "read" },
  { path: "/piles/:id", tab: "piles", module: "console-pile", need: "read" },
  { path: "/piles/:id/rate", tab: "piles", module: "console-rate", need: "read" },
  { path: "/orders", tab: "orders", module: "console-orders", need: "read" },
  { path: "/orders/:id", tab: "orders", module: "console-order", need: "read" },
  { path: "/flagged", tab: "flagged", module: "console-flagged", need: "read" },
  { path: "/flagged/:id", tab: "flagged", module: "console-settlement", need: "read" },
  { path: "/updates", tab: "updates", module: "console-updates", need: "read" },
  { path: "/updates/:id", tab: "updates", module: "console-rollout", need: "read" },
  { path: "/reports", tab: "reports", module: "console-reports", need: "read" },
];

/** What the page of a pile, an order or a settlement is made of below its head; `side`: in the narrow column. */
export const SECTIONS = {
  pile: [
    { module: "console-pile-orders", need: "read" },
    { module: "console-pile-events", need: "read" },
    { module: "console-pile-reported", need: "read", side: true },
    { module: "console-pile-updates", need: "read", side: true },
  ],
  order: [],
  settlement: [],
};
