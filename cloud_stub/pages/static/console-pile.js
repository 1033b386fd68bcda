// One pile: its connectors now, today's power, its latest orders and events, and what it reports of itself.

import {
  crumbs,
  facts,
  failure,
  h,
  heading,
  here,
  isTight,
  kb,
  connectorPill,
  pill,
  section,
  show,
  when,
} from "./console-parts.js";
import { keepingFocus, renew } from "./console-keep.js";
import { showLabel } from "./console-label.js";
import { eventWords, faultWords } from "./console-words.js";
import { orderTable } from "./console-orders.js";
import { removePile, reset, stopOrder } from "./console-pileactions.js";
import { poll } from "./console-session.js";
import { today } from "./console-today.js";

const EVERY_MS = 2000;
const SHOWN = 10;
const WEAK_DBM = -80; // below it, packets begin to get lost

export function open(root, _params, id) {
  const path = "/api/piles/" + encodeURIComponent(id);
  const own = "#/piles/" + encodeURIComponent(id);
  const head = h("div", { class: "stack" });
  const connectors = h("div", { class: "cards" });
  const reported = h("div");
  const curve = h("div");
  const orders = h("div");
  const events = h("div");
  show(
    root,
    crumbs(["Piles", "#/piles"], [id]),
    head,
    connectors,
    section("Power today", curve),
    h(
      "div",
      { class: "columns" },
      h("div", { class: "stack" }, section("Latest orders", orders), section("Events", events)),
      section("What it reports", reported),
    ),
  );
  const fail = (problem) => {
    end();
    show(root, failure(problem, "#/piles"));
  };
  const ends = [
    today(curve, path, fail),
    poll(
      path + "/report",
      EVERY_MS,
      (pile) => {
        document.title = pile.name + " · RateLock console";
        drawHead(head, pile, own, path);
        connectors.hidden = pile.removed_at !== null;
        drawConnectors(connectors, pile, path);
        drawReported(reported, pile);
      },
      fail,
    ),
    poll(
      `/api/orders?limit=${SHOWN}&device_id=${encodeURIComponent(id)}`,
      EVERY_MS,
      ({ items }) => {
        renew(
          orders,
          orderTable("Latest orders", items, { pile: false, empty: "It has no orders yet." }),
          items.length
            ? h(
                "p",
                { class: "more" },
                h("a", { href: "#/orders?device_id=" + encodeURIComponent(id) }, "All its orders"),
              )
            : null,
        );
      },
      fail,
    ),
    poll(
      `/api/events?limit=${SHOWN}&device_id=${encodeURIComponent(id)}`,
      EVERY_MS,
      ({ items }) => drawEvents(events, items),
      fail,
    ),
  ];
  function end() {
    for (const each of ends) each();
  }
  return end;
}

function drawHead(root, pile, own, path) {
  if (pile.removed_at !== null)
    return renew(
      root,
      heading([pile.name, " ", pill("Removed", "off")]),
      h(
        "p",
        { class: "hint warn" },
        "It was removed on ",
        when(pile.removed_at),
        ". It can connect no more; what was charged here stays, and so do the receipts.",
      ),
    );
  renew(
    root,
    heading(
      [pile.name, " ", pile.online ? pill("Online", "ok") : pill("Offline", "off")],
      h("a", { class: "button small", href: own + "/rate" }, pile.rate_id ? "Rate" : "Set its rate"),
      h(
        "a",
        {
          class: "button small",
          href: "/p/" + encodeURIComponent(pile.device_id),
          target: "_blank",
          rel: "noopener",
        },
        "Phone page",
      ),
      h(
        "button",
        { class: "button small", onclick: (event) => showLabel(event.currentTarget, pile) },
        "Label…",
      ),
      h(
        "button",
        {
          class: "button small danger",
          onclick: (event) => removePile(event.currentTarget, pile, path, () => (location.hash = "#/piles")),
        },
        "Remove…",
      ),
    ),
    pile.rate_id
      ? null
      : h(
          "p",
          { class: "hint warn" },
          "It has no rate yet, so nobody can charge here. ",
          h("a", { href: own + "/rate" }, "Write one"),
        ),
  );
}

/** Cards of the connectors. While only numbers change a card stays as it is, and so does the focus in it. */
function drawConnectors(root, pile, path) {
  pile.connectors.forEach((each, i) => {
    const { order } = each;
    const structure = JSON.stringify([
      pile.name,
      pile.online,
      each.status,
      each.emergency_stop,
      each.fault,
      each.plugged,
      order?.order_id,
      order?.state,
    ]);
    if (root.children[i]?.dataset.structure !== structure) {
      const card = connectorCard(pile, each, path);
      card.dataset.structure = structure;
      if (root.children[i]) keepingFocus(root, () => root.children[i].replaceWith(card));
      else root.append(card);
    }
    if (!order) return;
    show(root.children[i].querySelector(".power"), here.kw(order.power_mw, 2), h("small", {}, " kW"));
    show(
      root.children[i].querySelector(".so-far"),
      `${here.kwh(order.energy_mwh, 3)} kWh, ${here.money(order.cost_minor, order.currency, order.minor_digits)}`,
    );
  });
}

function connectorCard(pile, each, path) {
  const order = each.order;
  const idle = each.plugged ? "A vehicle is plugged in." : "Nothing is plugged in.";
  return h(
    "section",
    {
      class: "card connector" + (each.fault || each.emergency_stop ? " has-fault" : ""),
      "aria-label": "Connector " + each.connector,
    },
    h("div", { class: "connector-top" }, h("h2", {}, "Connector " + each.connector), connectorPill(each)),
    order
      ? [
          h("p", { class: "power big number" }),
          h("p", { class: "so-far number" }),
          h(
            "p",
            { class: "actions" },
            h("a", { href: "#/orders/" + order.order_id }, "Order " + order.state.toLowerCase()),
            h(
              "button",
              { class: "button small", onclick: (event) => stopOrder(event.currentTarget, each, pile) },
              "Stop…",
            ),
          ),
        ]
      : h("p", { class: "muted" }, pile.online ? idle : "Not known while the pile is offline."),
    each.emergency_stop
      ? h(
          "p",
          { class: "fault-box" },
          "The emergency stop or the stop button is pressed, or a wire of theirs is broken. It is released at the pile, by hand.",
        )
      : null,
    each.fault
      ? h(
          "div",
          { class: "fault-box" },
          h("p", {}, h("strong", {}, faultWords(each.fault)), pile.online ? null : " (when it was last seen)"),
          h(
            "button",
            {
              class: "button danger small",
              onclick: (event) => reset(event.currentTarget, pile, each, path),
            },
            "Reset fault…",
          ),
        )
      : null,
  );
}

function drawReported(root, pile) {
  const said = pile.reported ?? {};
  const warn = (text, bad) => (bad ? h("span", { class: "fault" }, text) : text);
  renew(
    root,
    facts([
      ["Id", h("span", { class: "mono" }, pile.device_id)],
      ["Last seen", pile.last_seen_at ? here.instant(pile.last_seen_at) : "Never"],
      ["Firmware", said.firmware],
      ["Clock", said.clock && warn(said.clock, said.clock === "Unset")],
      ["Heap free", said.heap_free_bytes === undefined ? null : kb(said.heap_free_bytes)],
      [
        "Least heap free",
        said.heap_min_free_bytes === undefined
          ? null
          : warn(kb(said.heap_min_free_bytes), isTight(said.heap_min_free_bytes)),
      ],
      [
        "Outbox",
        said.outbox === undefined
          ? null
          : warn(said.outbox_full ? `${said.outbox}, full` : String(said.outbox), said.outbox_full),
      ],
      ["Unusable messages", said.dropped === undefined ? null : String(said.dropped)],
      ["Damaged records", said.damaged === undefined ? null : warn(String(said.damaged), said.damaged > 0)],
      ["Running for", said.uptime_s === undefined ? null : here.clock(said.uptime_s)],
      ["Last reset by", said.reset_cause],
      ["Restarts", said.boots === undefined ? null : String(said.boots)],
      ["Orders recovered", said.recoveries === undefined ? null : String(said.recoveries)],
      [
        "Wi-Fi signal",
        said.wifi_rssi_dbm === undefined ? null : warn(`${said.wifi_rssi_dbm} dBm`, said.wifi_rssi_dbm < WEAK_DBM),
      ],
      ["Chip memory free", said.ram_free_bytes === undefined ? null : kb(said.ram_free_bytes)],
      ["Least chip memory free", said.ram_min_free_bytes === undefined ? null : kb(said.ram_min_free_bytes)],
      ["Latest cycle late", said.late_max_ms === undefined ? null : `${said.late_max_ms} ms`],
      [
        "Rate",
        pile.rate_id &&
          h(
            "a",
            { class: "mono", href: "#/piles/" + encodeURIComponent(pile.device_id) + "/rate" },
            "…" + pile.rate_id.slice(-8),
          ),
      ],
      ["Registered", when(pile.created_at)],
    ]),
    pile.reported ? null : h("p", { class: "muted" }, "It has not reported yet."),
  );
}

function drawEvents(root, items) {
  if (!items.length) return show(root, h("p", { class: "empty" }, "Nothing has happened."));
  renew(
    root,
    h(
      "ol",
      { class: "events" },
      items.map((each) => {
        const [text, tone] = eventWords(each);
        return h(
          "li",
          {},
          h("span", { class: "dot " + tone, "aria-hidden": "true" }),
          h(
            "div",
            {},
            h("p", {}, text),
            h(
              "p",
              { class: "muted small" },
              when(each.at),
              each.order_id
                ? [
                    " · ",
                    h(
                      "a",
                      { href: "#/orders/" + encodeURIComponent(each.order_id) },
                      "order …" + each.order_id.slice(-8),
                    ),
                  ]
                : null,
            ),
          ),
        );
      }),
    ),
  );
}
