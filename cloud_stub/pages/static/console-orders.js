// Orders: the list with its filters and its export.

import { choice, siteOption } from "./console-choice.js";
import { orderTable } from "./console-ordertable.js";
import { busy, explain, h, heading, here, later, show } from "./console-parts.js";
import { ask, download } from "./console-session.js";
import { words } from "./say.js";

const common = await words("console-words");
const t = await words("console-words-orders");
const PAGE = 100;
const OF_API = ["device_id", "site_id", "state", "rate_id"];
const FILTERS = [...OF_API, "from", "until"];

export function open(root, params) {
  const wanted = Object.fromEntries(FILTERS.map((name) => [name, params.get(name) ?? ""]));
  let before = [null];
  let next = null;
  const list = h("div.card");
  const count = h("p.muted.number", { role: "status" });
  const back = h("button.button.small", { onclick: () => load(before.slice(0, -1)) }, t.newer);
  const forth = h("button.button.small", { onclick: () => load([...before, next]) }, common.names.older);
  const choose = (change) => {
    Object.assign(wanted, change);
    const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
    history.replaceState(null, "", "#/orders" + (query ? "?" + query : ""));
    load([null]);
  };
  const field = (name, control) => h("div.field", h("label", { for: "filter-" + name }, t.filters[name]), control);
  const ends = [];
  const input = (name, props) => {
    const typed = later(250, (event) => choose({ [name]: event.target.value.trim() }));
    ends.push(typed.cancel);
    return h("input", { id: "filter-" + name, value: wanted[name], ...props, oninput: typed });
  };
  const csv = h(
    "button.button",
    { onclick: () => busy(csv, () => download("/api/orders.csv?" + query(), "orders.csv")) },
    common.names.csv,
  );
  show(
    root,
    heading(common.tabs.orders, csv),
    h(
      "div.filters",
      { role: "search" },
      field(
        "device_id",
        input("device_id", {
          type: "search",
          autocomplete: "off",
          spellcheck: "false",
          placeholder: common.all,
        }),
      ),
      choice({
        id: "filter-site_id",
        label: common.names.site,
        path: "/api/sites?limit=500",
        of: siteOption,
        chosen: wanted.site_id,
        choose: (site_id) => choose({ site_id }),
      }),
      field(
        "state",
        h(
          "select",
          { id: "filter-state", onchange: (event) => choose({ state: event.target.value }) },
          h("option", { value: "" }, common.all),
          Object.entries(common.states).map(([each, text]) => h("option", { value: each, selected: each === wanted.state }, text)),
        ),
      ),
      field("from", input("from", { type: "date" })),
      field("until", input("until", { type: "date" })),
      wanted.rate_id
        ? field(
            "rate_id",
            h(
              "button.button.small",
              { id: "filter-rate_id", onclick: (event) => (event.target.closest(".field").remove(), choose({ rate_id: "" })) },
              `…${wanted.rate_id.slice(-8)} ×`,
            ),
          )
        : null,
    ),
    list,
    h("div.pager", count, back, forth),
  );

  function query(more = {}) {
    const found = new URLSearchParams(more);
    for (const name of OF_API) if (wanted[name]) found.set(name, wanted[name]);
    if (wanted.from) found.set("from_at", midnight(wanted.from, 0));
    if (wanted.until) found.set("until_at", midnight(wanted.until, 1));
    return found;
  }

  /** Nothing was found: perhaps the pile's id is not whole. */
  async function explainNothing(mine) {
    if (!wanted.device_id) return;
    const path = "/api/piles?limit=5&q=" + encodeURIComponent(wanted.device_id);
    const [there, removed] = await Promise.all([ask(path), ask(path + "&state=removed")]);
    const items = [...there.items, ...removed.items];
    if (mine !== turn || items.some((each) => each.device_id === wanted.device_id)) return;
    const names = items.map((each) =>
      h(
        "button.button.small",
        {
          onclick: () => {
            document.getElementById("filter-device_id").value = each.device_id;
            choose({ device_id: each.device_id });
          },
        },
        each.name === each.device_id ? each.name : `${each.name} (${each.device_id})`,
      ),
    );
    show(list, h("div.empty", h("p", t.noPile(wanted.device_id, names.length > 0)), h("div.group.suggestions", names)));
  }

  let turn = 0;
  async function load(to) {
    const mine = ++turn;
    const reversed = wanted.from && wanted.until && wanted.from > wanted.until;
    const last = document.getElementById("filter-until");
    if (reversed) last.setAttribute("aria-invalid", "true");
    else last.removeAttribute("aria-invalid");
    if (reversed) {
      [next, before] = [null, [null]];
      back.disabled = forth.disabled = true;
      show(count);
      return show(list, h("p.empty", { role: "alert" }, t.reversed));
    }
    try {
      const page = await ask("/api/orders?" + query(to.at(-1) ? { limit: PAGE, before: to.at(-1) } : { limit: PAGE }));
      if (mine !== turn) return; // a newer filter has been chosen meanwhile
      before = to;
      next = page.next;
      show(list, orderTable(common.tabs.orders, page.items));
      if (!page.items.length) await explainNothing(mine);
      const first = (before.length - 1) * PAGE;
      show(count, page.items.length ? t.range(here.count(first + 1), here.count(first + page.items.length)) : "");
      back.disabled = before.length === 1;
      forth.disabled = !next;
    } catch (problem) {
      if (mine === turn) show(list, h("p.empty", { role: "alert" }, explain(problem)));
    }
  }

  load([null]);
  return () => ends.forEach((end) => end());
}

/** Unix seconds of the local midnight at which the day "2026-11-23" begins, or `more` days later. */
function midnight(day, more) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + more).getTime() / 1000;
}
