// The live table of piles: searched, filtered and paged by the cloud, so that a thousand are as quick as ten.

import { choice, siteOption } from "./console-choice.js";
import { named } from "./console-names.js";
import { addPile } from "./console-pileadd.js";
import { importPiles } from "./console-pileimport.js";
import {
  cellClass,
  connectorPill,
  failure,
  h,
  heading,
  here,
  isTight,
  kb,
  kw,
  kwh,
  later,
  moneyOf,
  pill,
  show,
  when,
} from "./console-parts.js";
import { may, poll } from "./console-session.js";
import { faultWords } from "./console-words.js";
import { words } from "./say.js";

const t = await words("console-words-piles");
const { names, states, tabs } = await words("console-words");

const EVERY_MS = 2000;
const PAGE = 50;
const WANTED = ["q", "state", "site_id", "tag"];
const FILTERS = ["", "online", "charging", "faulted", "offline", "removed"]; // the last only where there are any

const power = (item) => item.connectors.reduce((sum, each) => sum + (each.order?.power_mw ?? 0), 0);

/** What each column shows of a pile. `of` gives what it depends on: a cell is made anew only when that changes. */
const COLUMNS = [
  {
    title: t.columns.pile,
    of: (p) => [p.name, p.device_id, p.site_id],
    cell: (name, id, site) => [
      h("a.row-link", { href: "#/piles/" + encodeURIComponent(id) }, name),
      name === id ? null : h("div.mono.muted.small", id),
      site && h("div.small", named("sites", site)),
    ],
  },
  {
    title: t.columns.state,
    of: (p) => [p.online, p.online ? null : p.last_seen_at, p.removed_at],
    cell: (online, seen, removed) => [
      removed !== null ? pill(t.filters.removed, "off") : online ? pill(t.filters.online, "ok") : pill(t.filters.offline, "off"),
      seen ? h("div.muted.small", t.seen(when(seen))) : null,
    ],
  },
  {
    title: t.columns.connectors,
    of: (p) => [
      p.online,
      ...p.connectors.map(({ status, plugged, emergency_stop, out_of_service, occupied_since }) => ({
        ...{ status, plugged, emergency_stop, out_of_service, occupied_since },
      })),
    ],
    cell: (online, ...all) =>
      online
        ? h(
            "ol.connectors",
            all.map((each) => h("li", connectorPill(each))),
          )
        : h("span.muted", String(all.length)),
  },
  {
    title: t.columns.power,
    number: true,
    of: (p) => [power(p)],
    cell: (mw) => (mw ? kw(mw, 1) : dash()),
  },
  {
    title: t.columns.running,
    of: (p) => [running(p)],
    cell: (orders) => (orders.length ? orders.map((each) => h("div", h("a", { href: "#/orders/" + each.id }, each.text))) : dash()),
  },
  {
    title: t.columns.faults,
    of: (p) => [
      p.connectors
        .filter((each) => each.fault)
        .map((each) => t.fault(each.connector, faultWords(each.fault)))
        .join("\n"),
    ],
    cell: (text) => (text ? text.split("\n").map((each) => h("div.fault", each)) : dash()),
  },
  { title: t.columns.firmware, minor: true, of: (p) => [p.reported?.firmware], cell: (text) => text ?? dash() },
  {
    title: t.columns.heap,
    number: true,
    minor: true,
    of: (p) => [p.reported?.heap_min_free_bytes],
    cell: (bytes) => (bytes === undefined ? dash() : h("span", { class: isTight(bytes) ? "fault" : null, title: t.heapTitle }, kb(bytes))),
  },
  {
    title: t.columns.clock,
    minor: true,
    of: (p) => [p.reported?.clock],
    cell: (state) => (state === undefined ? dash() : h("span", { class: state === "Unset" ? "fault" : null }, t.clocks[state] ?? state)),
  },
  {
    title: t.columns.outbox,
    number: true,
    of: (p) => [p.reported?.outbox, p.reported?.outbox_full],
    cell: (count, full) =>
      count === undefined
        ? dash()
        : h("span", { class: full ? "fault" : null, title: t.outboxTitle }, full ? t.full(count) : String(count)),
  },
];

function dash() {
  return h("span.muted.dash", "–");
}

function running(item) {
  return item.connectors
    .filter((each) => each.order)
    .map(({ order }) => ({
      id: order.order_id,
      text: order.state === "Charging" ? t.running(kwh(order.energy_mwh, 2), moneyOf(order.cost_minor, order)) : states[order.state],
    }));
}

export function open(root, params) {
  const wanted = Object.fromEntries(WANTED.map((name) => [name, params.get(name) ?? ""]));
  let cursors = [null]; // `after` of each page up to the present one
  let next = null;
  let stop = () => {};

  const filters = h("div.tiles", { role: "group", "aria-label": t.filter });
  const typed = later(250, () => choose({ q: search.value.trim() }));
  const search = h("input", {
    type: "search",
    id: "search",
    placeholder: t.placeholder,
    value: wanted.q,
    oninput: typed,
  });
  const body = h("tbody");
  const count = h("p.muted.number", { role: "status" });
  const back = h("button.button.small", { disabled: true, onclick: () => turn(cursors.slice(0, -1)) }, names.previous);
  const forth = h("button.button.small", { disabled: true, onclick: () => turn([...cursors, next]) }, names.next);
  const list = h("div.scroll.card", { tabindex: "0", role: "region", "aria-label": t.caption });
  const rows = new Map();

  const filter = (name) => ({
    id: "filter-" + name,
    label: t[name],
    chosen: wanted[name],
    choose: (value) => choose({ [name]: value }),
  });
  const tiles = FILTERS.map((state) => {
    const number = h("span.tile-number.number", "–");
    const button = h(
      "button",
      { class: "tile card " + (state || "all"), hidden: state === "removed", onclick: () => choose({ state }) },
      number,
      h("span", t.filters[state || "all"]),
    );
    filters.append(button);
    return { state, name: state || "piles", number, button };
  });
  show(
    root,
    heading(
      tabs.piles,
      h("label.search", { for: "search" }, h("span.visually-hidden", t.search), search),
      may("register") && h("a.button", { href: "/console/flash" }, t.board),
      may("register") && h("button.button", { onclick: addPile }, t.add.open),
      may("register") && h("button.button", { onclick: importPiles }, t.importMany),
    ),
    h(
      "div.filters",
      choice({ ...filter("site_id"), path: "/api/sites?limit=500", of: siteOption }),
      choice({ ...filter("tag"), path: "/api/tags", of: ({ tag }) => [tag, tag] }),
    ),
    filters,
    list,
    h("div.pager", count, back, forth),
  );
  list.append(
    h(
      "table.piles.rows",
      h("caption.visually-hidden", t.caption),
      h(
        "thead",
        h(
          "tr",
          COLUMNS.map((each) => h("th", { scope: "col", class: cellClass(each) }, each.title)),
        ),
      ),
      body,
    ),
  );

  function choose(change) {
    Object.assign(wanted, change);
    const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
    history.replaceState(null, "", "#/piles" + (query ? "?" + query : ""));
    turn([null]);
  }

  function turn(to) {
    cursors = to;
    stop();
    const query = new URLSearchParams({ limit: PAGE });
    for (const name of WANTED) if (wanted[name]) query.set(name, wanted[name]);
    if (cursors.at(-1)) query.set("after", cursors.at(-1));
    for (const each of tiles) each.button.setAttribute("aria-pressed", String(each.state === wanted.state));
    stop = poll("/api/piles?" + query, EVERY_MS, draw, (problem) => show(root, failure(problem, "#/piles")));
  }

  function draw({ items, next: after, summary }) {
    next = after;
    for (const each of tiles) {
      show(each.number, here.count(summary[each.name]));
      each.button.classList.toggle("none", !summary[each.name]);
      each.button.hidden = each.state === "removed" && !summary.removed && wanted.state !== "removed";
    }
    const keep = new Set(items.map((each) => each.device_id));
    for (const [id, row] of rows) {
      if (keep.has(id)) continue;
      row.element.remove();
      rows.delete(id);
    }
    items.forEach((item, place) => {
      const row = rows.get(item.device_id) ?? makeRow(item.device_id);
      if (body.children[place] !== row.element) body.insertBefore(row.element, body.children[place] ?? null);
      row.update(item);
    });
    const first = (cursors.length - 1) * PAGE;
    const shown = items.length
      ? t.range(here.count(first + 1), here.count(first + items.length), here.count(summary.matching))
      : nothing(summary);
    if (count.textContent !== shown) show(count, shown);
    back.disabled = cursors.length === 1;
    forth.disabled = !next || first + items.length >= summary.matching;
  }

  function nothing(summary) {
    return summary.piles ? t.noneMatches : t.noneYet;
  }

  function makeRow(id) {
    const cells = COLUMNS.map((each) => h("td", { class: cellClass(each), "data-label": each.title }));
    const depends = COLUMNS.map(() => null);
    const element = h(
      "tr",
      {
        onclick: (event) => event.target.closest("a") || (location.hash = "#/piles/" + encodeURIComponent(id)),
      },
      cells,
    );
    const row = {
      element,
      update(item) {
        COLUMNS.forEach((column, i) => {
          const values = column.of(item);
          const known = JSON.stringify(values);
          if (known === depends[i]) return;
          depends[i] = known;
          show(cells[i], column.cell(...values));
        });
      },
    };
    rows.set(id, row);
    return row;
  }

  turn([null]);
  return () => {
    typed.cancel();
    stop();
  };
}
