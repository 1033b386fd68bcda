// The console's frame: login, navigation, and which view is open. The address after # says which:
// #/piles?q=gate&state=faulted, #/piles/PILE-1, #/piles/PILE-1/rate, #/orders/ID, #/flagged/7, #/reports

import { Problem } from "./api.js";
import { confirm, leaveDialog, noticeRegion, typedInDialog } from "./console-dialog.js";
import { renew } from "./console-keep.js";
import { loginAgain, loginPage } from "./console-login.js";
import { failure, h, heading, pill, show, ZONE } from "./console-parts.js";
import { logOut, may, poll, resume, session, unreachable, who } from "./console-session.js";
import { VIEWS } from "./console-views.js";
import { languageButton, words } from "./say.js";

const t = await words("console-words");
const SUMMARY_EVERY_MS = 5000;

let leave = () => {}; // what ends the present view
let quit = () => {}; // what ends the frame's own poll
let link;
let opened = 0; // counts the views, because their modules come late
let renewal = null;
let tab; // of the present view

session.ended = showLogin;
// Without a frame somebody has logged out: what still asks waits for ever.
session.renew = () => (link ? (renewal ??= loginAgain().finally(() => (renewal = null))) : new Promise(() => {}));
session.link = (connected) => {
  if (!link || link.dataset.connected === String(connected)) return;
  link.dataset.connected = String(connected);
  show(link, connected ? pill(t.frame.live, "ok") : pill(t.frame.lost, "bad"));
};

/** The words of every view are loaded anew, so the page is too; the session and the address stay. */
const language = () => languageButton(t.other, async () => (await mayLeave()) && location.reload());

function brand(tag) {
  return h(tag, { class: "brand" }, h("span.brand-mark", { "aria-hidden": "true" }), "RateLock", h("span.muted", " " + t.console));
}

function showLogin() {
  leave();
  quit();
  leave = quit = () => {};
  link = renewal = null;
  opened += 1;
  document.title = t.title(t.login.action);
  show(document.body, loginPage(brand("h1"), language(), showFrame));
  document.querySelector("input").focus();
}

const tabs = () => [...new Set(VIEWS.filter((view) => !view.apart && may(view.need)).map((view) => view.tab))];

function showFrame() {
  link = h("span.link", { role: "status" });
  const main = h("main", { id: "view", tabindex: "-1" });
  const menu = h(
    "button.button.small.menu",
    { "aria-expanded": "false", "aria-controls": "menu", onclick: () => openMenu(menu.ariaExpanded !== "true") },
    t.frame.menu,
  );
  const openMenu = (wanted) => (menu.ariaExpanded = String(wanted));
  const nav = h("nav.tabs", { "aria-label": t.frame.main });
  const me = h("a.me", { href: "#/account", "data-tab": "account", title: t.tabs.account });
  session.changed = () => {
    renew(
      nav,
      tabs().map((name) => h("a", { href: "#/" + name, "data-tab": name }, t.tabs[name])),
    );
    show(me, who().kind === "script" ? t.login.token : who().name);
    markTab();
  };
  session.changed();
  show(
    document.body,
    h("a.skip", { href: "#view", onclick: (event) => (event.preventDefault(), main.focus()) }, t.frame.skip),
    h(
      "header.top",
      {
        onkeydown: (event) => {
          if (event.key !== "Escape" || menu.ariaExpanded !== "true") return;
          openMenu(false);
          menu.focus();
        },
      },
      brand("div"),
      link,
      menu,
      h(
        "div.bar",
        { id: "menu", onclick: (event) => event.target.closest("a") && openMenu(false) },
        nav,
        h(
          "div.bar-end",
          me,
          language(),
          h("button.button.small", { onclick: async () => (await mayLeave()) && logOut() }, t.frame.logOut),
        ),
      ),
    ),
    main,
    h("footer.foot.muted.small", t.frame.zone(ZONE)),
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
  tab?.querySelector(".badge")?.remove();
  if (count) tab?.append(h("span.badge", { title: t.frame.flagged }, String(count)));
}

function markTab() {
  for (const each of document.querySelectorAll("[data-tab]")) {
    if (each.dataset.tab === tab) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
}

async function route() {
  const main = document.getElementById("view");
  if (!who() || !main) return;
  const mine = ++opened;
  leave();
  leave = () => {};
  const [path, query] = (location.hash.slice(1) || "/piles").split("?");
  const parts = path.split("/");
  const view = VIEWS.find((each) => fits(each.path.split("/"), parts));
  tab = view?.tab;
  markTab();
  document.title = t.title(view ? t.tabs[view.tab] : t.frame.nowhere);
  show(main);
  scrollTo(0, 0);
  if (!view) return show(main, h("div.card.panel.failure", heading(t.frame.nowhere), h("p", h("a", { href: "#/piles" }, t.frame.start))));
  if (!may(view.need)) return show(main, failure(new Problem("Forbidden", 403, {}), "#/piles"));
  const names = view.path.split("/");
  const values = parts.filter((_, i) => names[i].startsWith(":")).map(plain);
  let module;
  try {
    module = await import(`./${view.module}.js`);
  } catch {
    return mine === opened && show(main, failure(unreachable()));
  }
  if (mine === opened) leave = module.open(main, new URLSearchParams(query), ...values) ?? leave;
}

const fits = (names, parts) =>
  names.length === parts.length && names.every((name, i) => (name.startsWith(":") ? parts[i] : name === parts[i]));

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
  return !leave.unsaved?.() || (await confirm(t.leave.title, t.leave.text, t.leave.action, true));
}

/** Go where the address says, unless the person stays. A dialog is left first: it belongs to the view below it. */
async function moved({ oldURL }) {
  const to = location.hash;
  const inDialog = document.querySelector("dialog[open]");
  if (!inDialog && !leave.unsaved?.()) return route();
  history.replaceState(null, "", oldURL);
  if (inDialog) return leaveDialog();
  if (await mayLeave()) {
    leave();
    leave = () => {};
    location.hash = to;
  }
}

addEventListener("hashchange", moved);
addEventListener("beforeunload", (event) => {
  if (leave.unsaved?.() || typedInDialog()) event.preventDefault(); // the browser asks in its own words
});
if (await resume()) showFrame();
else showLogin();
