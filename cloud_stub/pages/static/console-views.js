// The views of the console and the sections of its detail pages. docs: "A view of the console" in CONTRIBUTING.md.

/**
 * Each view: the address after # (a part that begins with : goes to the view as it is), its entry of the navigation,
 * the module that opens it, and the permission without which it is not offered. The navigation has the entries in the
 * order in which they come first here, but for those `apart`, which stand elsewhere; their names are `tabs` of console-words.
 */
export const VIEWS = [
  { path: "/piles", tab: "piles", module: "console-piles", need: "read" },
  { path: "/piles/:id", tab: "piles", module: "console-pile", need: "read" },
  { path: "/piles/:id/rate", tab: "piles", module: "console-rate", need: "read" },
  { path: "/sites", tab: "sites", module: "console-sites", need: "read" },
  { path: "/sites/:id", tab: "sites", module: "console-site", need: "read" },
  { path: "/tariffs", tab: "tariffs", module: "console-tariffs", need: "read" },
  { path: "/tariffs/:id", tab: "tariffs", module: "console-tariff", need: "read" },
  { path: "/tariffs/:id/prices", tab: "tariffs", module: "console-tariffrate", need: "read" },
  { path: "/calendars", tab: "tariffs", module: "console-calendars", need: "read" },
  { path: "/orders", tab: "orders", module: "console-orders", need: "read" },
  { path: "/orders/:id", tab: "orders", module: "console-order", need: "read" },
  { path: "/flagged", tab: "flagged", module: "console-flagged", need: "read" },
  { path: "/flagged/:id", tab: "flagged", module: "console-settlement", need: "read" },
  { path: "/payments", tab: "payments", module: "console-payments", need: "read" },
  { path: "/payments/:id", tab: "payments", module: "console-payment", need: "read" },
  { path: "/payment-days", tab: "payments", module: "console-payment-days", need: "read" },
  { path: "/free-vend", tab: "payments", module: "console-free-vend", need: "money" },
  { path: "/updates", tab: "updates", module: "console-updates", need: "read" },
  { path: "/updates/:id", tab: "updates", module: "console-rollout", need: "read" },
  { path: "/reports", tab: "reports", module: "console-reports", need: "read" },
  { path: "/people", tab: "people", module: "console-people", need: "people" },
  { path: "/webhooks", tab: "people", module: "console-webhooks", need: "people" },
  { path: "/audit", tab: "audit", module: "console-audit", need: "read" },
  { path: "/account", tab: "account", module: "console-account", need: "any", apart: true },
];

/** What the page of a pile, an order, a settlement, a site or a tariff is made of below its head; `side`: in the narrow column. */
export const SECTIONS = {
  pile: [
    { module: "console-pile-orders", need: "read" },
    { module: "console-pile-events", need: "read" },
    { module: "console-audit-of", need: "read" },
    { module: "console-pile-site", need: "read", side: true },
    { module: "console-pile-care", need: "read", side: true },
    { module: "console-pile-reported", need: "read", side: true },
    { module: "console-pile-updates", need: "read", side: true },
  ],
  order: [
    { module: "console-order-payment", need: "read" },
    { module: "console-order-credits", need: "read" },
    { module: "console-audit-of", need: "read" },
  ],
  settlement: [],
  site: [
    { module: "console-site-ocpp", need: "read" },
    { module: "console-audit-of", need: "read" },
  ],
  tariff: [{ module: "console-audit-of", need: "read" }],
};
