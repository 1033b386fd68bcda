// The live table of piles: searched, filtered and paged by the cloud, so that a thousand are as quick as ten.

import {
  busy,
  cellClass,
  connectorPill,
  dialog,
  explain,
  failure,
  h,
  heading,
  here,
  isTight,
  kb,
  later,
  notice,
  pill,
  show,
  when,
} from "./console-parts.js";
import { ask, poll } from "./console-session.js";
import { faultWords } from "./console-words.js";

const EVERY_MS = 2000;
const PAGE = 50;
const FILTERS = [
  ["", "All", "piles"],
  ["online", "Online", "online"],
  ["charging", "Charging", "charging"],
  ["faulted", "Faulted", "faulted"],
  ["offline", "Offline", "offline"],
  ["removed", "Removed", "removed"], // shown where there are any
];
const CONNECTORS_MAX = 8;

const power = (item) => item.connectors.reduce((sum, each) => sum + (each.order?.power_mw ?? 0), 0);

/** What each column shows of a pile. `of` gives what it depends on: a cell is made anew only when that changes. */
const COLUMNS = [
  {
    title: "Pile",
    of: (p) => [p.name, p.device_id],
    cell: (name, id) => [
      h("a", { class: "row-link", href: "#/piles/" + encodeURIComponent(id) }, name),
      name === id ? null : h("div", { class: "mono muted small" }, id),
    ],
  },
  {
    title: "State",
    of: (p) => [p.online, p.online ? null : p.last_seen_at, p.removed_at],
    cell: (online, seen, removed) => [
      removed !== null ? pill("Removed", "off") : online ? pill("Online", "ok") : pill("Offline", "off"),
      seen ? h("div", { class: "muted small" }, "seen ", when(seen)) : null,
    ],
  },
  {
    title: "Connectors",
    of: (p) => [p.online, ...p.connectors.map(({ status, plugged, emergency_stop }) => ({ status, plugged, emergency_stop }))],
    cell: (online, ...all) =>
      online
        ? h(
            "ol",
            { class: "connectors" },
            all.map((each) => h("li", {}, connectorPill(each))),
          )
        : h("span", { class: "muted" }, String(all.length)),
  },
  {
    title: "Power",
    number: true,
    of: (p) => [power(p)],
    cell: (mw) => (mw ? `${here.kw(mw, 1)} kW` : dash()),
  },
  {
    title: "Running order",
    of: (p) => [running(p)],
    cell: (orders) =>
      orders.length
        ? orders.map((each) => h("div", {}, h("a", { href: "#/orders/" + each.id }, each.text)))
        : dash(),
  },
  {
    title: "Faults",
    of: (p) => [
      p.connectors
        .filter((each) => each.fault)
        .map((each) => `${each.connector}: ${faultWords(each.fault)}`)
        .join("\n"),
    ],
    cell: (text) => (text ? text.split("\n").map((each) => h("div", { class: "fault" }, each)) : dash()),
  },
  { title: "Firmware", minor: true, of: (p) => [p.reported?.firmware], cell: (text) => text ?? dash() },
  {
    title: "Heap free",
    number: true,
    minor: true,
    of: (p) => [p.reported?.heap_min_free_bytes],
    cell: (bytes) =>
      bytes === undefined
        ? dash()
        : h("span", { class: isTight(bytes) ? "fault" : null, title: "The least it ever had" }, kb(bytes)),
  },
  {
    title: "Clock",
    minor: true,
    of: (p) => [p.reported?.clock],
    cell: (state) =>
      state === undefined ? dash() : state === "Unset" ? h("span", { class: "fault" }, "Unset") : state,
  },
  {
    title: "Outbox",
    number: true,
    of: (p) => [p.reported?.outbox, p.reported?.outbox_full],
    cell: (count, full) =>
      count === undefined
        ? dash()
        : h(
            "span",
            { class: full ? "fault" : null, title: "Settlements that wait for the cloud" },
            full ? `${count} full` : String(count),
          ),
  },
];

function dash() {
  return h("span", { class: "muted" }, "–");
}

function running(item) {
  return item.connectors
    .filter((each) => each.order)
    .map(({ order }) => ({
      id: order.order_id,
      text:
        order.state === "Charging"
          ? `${here.kwh(order.energy_mwh, 2)} kWh, ${here.money(order.cost_minor, order.currency, order.minor_digits)}`
          : order.state,
    }));
}

export function open(root, params) {
  const wanted = { q: params.get("q") ?? "", state: params.get("state") ?? "" };
  let cursors = [null]; // `after` of each page up to the present one
  let next = null;
  let stop = () => {};

  const filters = h("div", { class: "tiles", role: "group", "aria-label": "Filter by state" });
  const typed = later(250, () => choose({ q: search.value.trim() }));
  const search = h("input", {
    type: "search",
    id: "search",
    placeholder: "Id or name",
    value: wanted.q,
    oninput: typed,
  });
  const body = h("tbody");
  const count = h("p", { class: "muted number", role: "status" });
  const back = h("button", { class: "button small", onclick: () => turn(cursors.slice(0, -1)) }, "Previous");
  const forth = h("button", { class: "button small", onclick: () => turn([...cursors, next]) }, "Next");
  const list = h("div", { class: "scroll card", tabindex: "0", role: "region", "aria-label": "Piles" });
  const rows = new Map();

  const tiles = FILTERS.map(([state, text, name]) => {
    const number = h("span", { class: "tile-number number" }, "–");
    const button = h(
      "button",
      { class: "tile card " + (state || "all"), onclick: () => choose({ state }) },
      number,
      h("span", {}, text),
    );
    filters.append(button);
    return { state, name, number, button };
  });
  show(
    root,
    heading(
      "Piles",
      h(
        "label",
        { class: "search", for: "search" },
        h("span", { class: "visually-hidden" }, "Search piles"),
        search,
      ),
      h("button", { class: "button", onclick: (event) => addPile(event.currentTarget) }, "Add a pile"),
    ),
    filters,
    list,
    h("div", { class: "pager" }, count, back, forth),
  );
  list.append(
    h(
      "table",
      { class: "piles" },
      h("caption", { class: "visually-hidden" }, "Piles and what they do now"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
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
    if (wanted.q) query.set("q", wanted.q);
    if (wanted.state) query.set("state", wanted.state);
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
      ? `${here.count(first + 1)} to ${here.count(first + items.length)} of ${here.count(summary.matching)}`
      : nothing(summary);
    if (count.textContent !== shown) show(count, shown);
    back.disabled = cursors.length === 1;
    forth.disabled = !next || first + items.length >= summary.matching;
  }

  function nothing(summary) {
    return summary.piles ? "No pile is like that." : "There are no piles yet: add the first one.";
  }

  function makeRow(id) {
    const cells = COLUMNS.map((each) => h("td", { class: cellClass(each) }));
    const depends = COLUMNS.map(() => null);
    const element = h(
      "tr",
      {
        onclick: (event) =>
          event.target.closest("a") || (location.hash = "#/piles/" + encodeURIComponent(id)),
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

async function addPile(button) {
  const id = h("input", {
    id: "new-id",
    pattern: "[A-Za-z0-9_\\-]{3,32}",
    autocomplete: "off",
    spellcheck: "false",
  });
  const name = h("input", { id: "new-name", maxlength: "100", autocomplete: "off" });
  const connectors = h("input", {
    id: "new-connectors",
    type: "number",
    min: "1",
    max: String(CONNECTORS_MAX),
    value: "1",
  });
  const wrong = h("p", { class: "error", role: "alert" });
  let made = null;
  await dialog(
    "Add a pile",
    [
      h(
        "div",
        { class: "field" },
        h("label", { for: "new-id" }, "Device id"),
        id,
        h(
          "p",
          { class: "muted small" },
          "3 to 32 letters, digits, - or _. It is printed on the label and cannot be changed.",
        ),
      ),
      h("div", { class: "field" }, h("label", { for: "new-name" }, "Name"), name),
      h("div", { class: "field" }, h("label", { for: "new-connectors" }, "Connectors"), connectors),
      wrong,
    ],
    (close) => {
      const add = h("button", { class: "button primary", type: "button" }, "Add");
      add.addEventListener("click", () =>
        busy(add, async () => {
          if (!/^[A-Za-z0-9_-]{3,32}$/.test(id.value)) {
            show(wrong, "The id needs 3 to 32 letters, digits, - or _.");
            return id.focus();
          }
          const count = Number(connectors.value);
          if (!Number.isInteger(count) || count < 1 || count > CONNECTORS_MAX) {
            show(wrong, `A pile has 1 to ${CONNECTORS_MAX} connectors.`);
            return connectors.focus();
          }
          try {
            made = await ask("/api/piles", {
              method: "POST",
              body: { device_id: id.value, name: name.value, connectors: count },
            });
            close(true);
          } catch (problem) {
            show(wrong, explain(problem));
          }
        }),
      );
      return [h("button", { class: "button", type: "button", onclick: () => close(false) }, "Cancel"), add];
    },
  );
  if (made) await showKey(made);
  button.focus();
}

/** The key is told once; whoever closes this without it has to make another pile. */
async function showKey({ device_id, key }) {
  await dialog(
    `${device_id} is registered`,
    [
      "This is its key. It is shown now and never again: put it into the pile.",
      h("code", { class: "key", tabindex: "0" }, key),
    ],
    (close) => [
      h(
        "button",
        {
          class: "button",
          type: "button",
          onclick: (event) =>
            navigator.clipboard.writeText(key).then(
              () => show(event.target, "Copied"),
              () => notice("The browser does not let the key be copied: select it.", "bad"),
            ),
        },
        "Copy",
      ),
      h("button", { class: "button primary", type: "button", onclick: () => close(true) }, "I have it"),
    ],
  );
  location.hash = "#/piles/" + encodeURIComponent(device_id) + "/rate";
}
