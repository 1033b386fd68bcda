// The console's frame: login, navigation, and which view is open. The address after # says which:
// #/piles?q=gate&state=faulted, #/piles/PILE-1, #/piles/PILE-1/rate, #/orders/ID, #/flagged/7, #/reports

import { confirm, h, noticeRegion, pill, show, ZONE } from "./console-parts.js";
import { logIn, logOut, poll, session, token } from "./console-session.js";
import * as flagged from "./console-flagged.js";
import * as orders from "./console-orders.js";
import * as pile from "./console-pile.js";
import * as piles from "./console-piles.js";
import * as rate from "./console-rate.js";
import * as reports from "./console-reports.js";

const ROUTES = [
  [/^\/piles$/, "piles", piles.open],
  [/^\/piles\/([^/]+)$/, "piles", pile.open],
  [/^\/piles\/([^/]+)\/rate$/, "piles", rate.open],
  [/^\/orders$/, "orders", orders.open],
  [/^\/orders\/([^/]+)$/, "orders", orders.openOne],
  [/^\/flagged$/, "flagged", flagged.open],
  [/^\/flagged\/([0-9]+)$/, "flagged", flagged.openOne],
  [/^\/reports$/, "reports", reports.open],
];
const TABS = [
  ["piles", "Piles"],
  ["orders", "Orders"],
  ["flagged", "Flagged"],
  ["reports", "Energy & revenue"],
];

const SUMMARY_EVERY_MS = 5000;
const LOST = "The changes to this rate have not been published, and would be lost.";

let leave = () => {}; // what ends the present view
let quit = () => {}; // what ends the frame's own poll
let link;
let place = location.hash; // of the present view

session.ended = showLogin;
session.link = (connected) => {
  if (!link || link.dataset.connected === String(connected)) return;
  link.dataset.connected = String(connected);
  show(link, connected ? pill("Live", "ok") : pill("Connection lost, trying again", "bad"));
};

function showLogin() {
  leave();
  quit();
  leave = quit = () => {};
  link = null;
  const field = h("input", {
    id: "token",
    type: "password",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
  });
  const wrong = h("p", { class: "error", role: "alert", id: "token-error" });
  const button = h("button", { class: "button primary", type: "submit" }, "Log in");
  const form = h(
    "form",
    {
      class: "card login",
      onsubmit: async (event) => {
        event.preventDefault();
        button.disabled = true;
        try {
          await logIn(field.value.trim());
          showFrame();
        } catch (problem) {
          show(
            wrong,
            problem.code === "Unauthorized"
              ? "That is not the operator token."
              : "The cloud does not answer. Try again.",
          );
          field.setAttribute("aria-invalid", "true");
          field.setAttribute("aria-describedby", "token-error");
          field.select();
          field.focus();
        } finally {
          button.disabled = false;
        }
      },
    },
    brand("h1"),
    h("p", { class: "muted" }, "The console of whoever runs the piles."),
    h("label", { for: "token" }, "Operator token"),
    field,
    wrong,
    button,
    h(
      "p",
      { class: "muted small" },
      "It is the value of RATELOCK_OPERATOR_TOKEN, or stands in the file operator.token of the data folder. It is kept until this tab is closed.",
    ),
  );
  document.title = "Log in · RateLock console";
  show(document.body, h("main", { class: "login-page" }, form));
  field.focus();
}

function brand(tag) {
  return h(
    tag,
    { class: "brand" },
    h("span", { class: "brand-mark", "aria-hidden": "true" }),
    "RateLock",
    h("span", { class: "muted" }, " console"),
  );
}

function showFrame() {
  link = h("span", { class: "link", role: "status" });
  const main = h("main", { id: "view", tabindex: "-1" });
  show(
    document.body,
    h(
      "a",
      { class: "skip", href: "#view", onclick: (event) => (event.preventDefault(), main.focus()) },
      "Skip to the content",
    ),
    h(
      "header",
      { class: "top" },
      brand("div"),
      h(
        "nav",
        { class: "tabs", "aria-label": "Main" },
        TABS.map(([name, text]) => h("a", { href: "#/" + name, "data-tab": name }, text)),
      ),
      link,
      h("button", { class: "button small", onclick: async () => (await mayLeave()) && logOut() }, "Log out"),
    ),
    main,
    h("footer", { class: "foot muted small" }, `All times are in ${ZONE}, where this browser is.`),
    noticeRegion(),
  );
  // On every view: whether the cloud can be reached, and whether something waits for a person.
  quit = poll(
    "/api/piles?limit=1",
    SUMMARY_EVERY_MS,
    ({ summary }) => badge(summary.flagged_settlements),
    () => {},
  );
  route();
}

function badge(count) {
  const tab = document.querySelector('[data-tab="flagged"]');
  tab.querySelector(".badge")?.remove();
  if (count) tab.append(h("span", { class: "badge", title: "Settlements to look into" }, String(count)));
}

function route() {
  const main = document.getElementById("view");
  if (!token() || !main) return;
  place = location.hash;
  leave();
  leave = () => {};
  const [path, query] = (location.hash.slice(1) || "/piles").split("?");
  for (const [pattern, tab, open] of ROUTES) {
    const match = pattern.exec(path);
    if (!match) continue;
    for (const each of document.querySelectorAll("[data-tab]")) {
      if (each.dataset.tab === tab) each.setAttribute("aria-current", "page");
      else each.removeAttribute("aria-current");
    }
    document.title = TABS.find(([name]) => name === tab)[1] + " · RateLock console";
    show(main);
    scrollTo(0, 0);
    const end = open(main, new URLSearchParams(query), ...match.slice(1).map(plain));
    leave = end ?? leave;
    return;
  }
  show(
    main,
    h(
      "div",
      { class: "card panel failure" },
      h("h1", {}, "There is no such page"),
      h("p", {}, h("a", { href: "#/piles" }, "To the piles")),
    ),
  );
}

/** A part of the address as it was before it was put there; one that nobody put there stays as it is. */
function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Whether nothing that is written here would be lost, or the person lets it go. */
async function mayLeave() {
  return !leave.unsaved?.() || (await confirm("Leave without publishing?", LOST, "Leave", true));
}

/** Go where the address says, unless the person stays. */
async function moved() {
  const to = location.hash;
  if (!leave.unsaved?.()) return route();
  history.replaceState(null, "", place || "#/piles");
  if (await mayLeave()) {
    leave();
    leave = () => {};
    location.hash = to;
  }
}

addEventListener("hashchange", moved);
addEventListener("beforeunload", (event) => {
  if (leave.unsaved?.()) event.preventDefault(); // the browser asks in its own words
});
if (token()) showFrame();
else showLogin();
