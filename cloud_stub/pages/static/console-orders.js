// Orders: the list with its filters and its export, and one order with its life and its lines.

import {
  busy,
  crumbs,
  explain,
  facts,
  failure,
  h,
  heading,
  here,
  later,
  PERIOD_NAMES,
  section,
  shortId,
  show,
  statePill,
  table,
  when,
} from "./console-parts.js";
import { renew } from "./console-keep.js";
import { closeOrder } from "./console-pileactions.js";
import { reasonWords } from "./console-words.js";
import { ask, download, poll } from "./console-session.js";

const PAGE = 100;
const STATES = [
  "Pending",
  "Accepted",
  "Charging",
  "Finishing",
  "Settled",
  "Paid",
  "Rejected",
  "Expired",
  "Cancelled",
  "Lost",
];
const OPEN = ["Pending", "Accepted", "Charging", "Finishing"];
const FILTERS = ["device_id", "state", "rate_id", "from", "until"];

/** A table of orders as /api/orders lists them. `pile`: whether it says which pile. */
export function orderTable(caption, items, { pile = true, empty = "There are no such orders." } = {}) {
  const columns = [
    { title: "Made" },
    { title: "Order" },
    ...(pile ? [{ title: "Pile" }] : []),
    { title: "State" },
    { title: "Energy", number: true },
    { title: "Total", number: true },
    ...(pile ? [{ title: "Rate", minor: true }] : []),
  ];
  const rows = items.map((each) => [
    when(each.created_at),
    h("a", { href: "#/orders/" + encodeURIComponent(each.order_id) }, shortId(each.order_id)),
    ...(pile
      ? [
          [
            h("a", { href: "#/piles/" + encodeURIComponent(each.device_id) }, each.device_id),
            h("span", { class: "muted" }, ` · ${each.connector}`),
          ],
        ]
      : []),
    [
      statePill(each.state),
      each.reason ? h("div", { class: "muted small" }, reasonWords(each.reason)) : null,
    ],
    each.energy_mwh === null ? "–" : `${here.kwh(each.energy_mwh)} kWh`,
    each.total_minor === null ? "–" : here.money(each.total_minor, each.currency, each.minor_digits),
    ...(pile
      ? [h("a", { href: `#/piles/${encodeURIComponent(each.device_id)}/rate` }, shortId(each.rate_id))]
      : []),
  ]);
  return table(caption, columns, rows, empty);
}

export function open(root, params) {
  const wanted = Object.fromEntries(FILTERS.map((name) => [name, params.get(name) ?? ""]));
  let before = [null];
  let next = null;
  const list = h("div", { class: "card" });
  const count = h("p", { class: "muted number", role: "status" });
  const back = h("button", { class: "button small", onclick: () => load(before.slice(0, -1)) }, "Newer");
  const forth = h("button", { class: "button small", onclick: () => load([...before, next]) }, "Older");
  const choose = (change) => {
    Object.assign(wanted, change);
    const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
    history.replaceState(null, "", "#/orders" + (query ? "?" + query : ""));
    load([null]);
  };
  const field = (name, text, control) =>
    h("div", { class: "field" }, h("label", { for: "filter-" + name }, text), control);
  const ends = [];
  const input = (name, props) => {
    const typed = later(250, (event) => choose({ [name]: event.target.value.trim() }));
    ends.push(typed.cancel);
    return h("input", { id: "filter-" + name, value: wanted[name], ...props, oninput: typed });
  };
  const csv = h(
    "button",
    { class: "button", onclick: () => busy(csv, () => download("/api/orders.csv?" + query(), "orders.csv")) },
    "Export CSV",
  );
  show(
    root,
    heading("Orders", csv),
    h(
      "div",
      { class: "filters", role: "search" },
      field(
        "device_id",
        "Pile id",
        input("device_id", {
          type: "search",
          autocomplete: "off",
          spellcheck: "false",
          placeholder: "All",
        }),
      ),
      field(
        "state",
        "State",
        h(
          "select",
          { id: "filter-state", onchange: (event) => choose({ state: event.target.value }) },
          h("option", { value: "" }, "All"),
          STATES.map((each) => h("option", { value: each, selected: each === wanted.state }, each)),
        ),
      ),
      field("from", "From", input("from", { type: "date" })),
      field("until", "To", input("until", { type: "date" })),
      wanted.rate_id
        ? field(
            "rate_id",
            "Rate",
            h(
              "button",
              {
                class: "button small",
                id: "filter-rate_id",
                onclick: (event) => (event.target.closest(".field").remove(), choose({ rate_id: "" })),
              },
              `…${wanted.rate_id.slice(-8)} ×`,
            ),
          )
        : null,
    ),
    list,
    h("div", { class: "pager" }, count, back, forth),
  );

  function query(more = {}) {
    const found = new URLSearchParams(more);
    for (const name of ["device_id", "state", "rate_id"]) if (wanted[name]) found.set(name, wanted[name]);
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
        "button",
        {
          class: "button small",
          onclick: () => {
            document.getElementById("filter-device_id").value = each.device_id;
            choose({ device_id: each.device_id });
          },
        },
        each.name === each.device_id ? each.name : `${each.name} (${each.device_id})`,
      ),
    );
    show(
      list,
      h(
        "div",
        { class: "empty" },
        h("p", {}, `No pile has the id ${wanted.device_id}.` + (names.length ? " Do you mean one of these?" : "")),
        h("div", { class: "group suggestions" }, names),
      ),
    );
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
      return show(list, h("p", { class: "empty", role: "alert" }, "The last day is before the first one."));
    }
    try {
      const page = await ask(
        "/api/orders?" + query(to.at(-1) ? { limit: PAGE, before: to.at(-1) } : { limit: PAGE }),
      );
      if (mine !== turn) return; // a newer filter has been chosen meanwhile
      before = to;
      next = page.next;
      show(list, orderTable("Orders", page.items));
      if (!page.items.length) await explainNothing(mine);
      const first = (before.length - 1) * PAGE;
      show(
        count,
        page.items.length
          ? `${here.count(first + 1)} to ${here.count(first + page.items.length)}, newest first`
          : "",
      );
      back.disabled = before.length === 1;
      forth.disabled = !next;
    } catch (problem) {
      if (mine === turn) show(list, h("p", { class: "empty", role: "alert" }, explain(problem)));
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

export function openOne(root, _params, id) {
  const body = h("div", { class: "stack" });
  show(root, crumbs(["Orders", "#/orders"], ["…" + id.slice(-8)]), body);
  return poll(
    "/api/orders/" + encodeURIComponent(id),
    2000,
    (order) => drawOrder(body, order),
    (problem) => show(root, failure(problem, "#/orders")),
  );
}

function drawOrder(root, order) {
  const money = (minor) => here.money(minor, order.currency, order.minor_digits);
  const settlement = order.settlement;
  const limits = order.limits;
  renew(
    root,
    heading(
      ["Order ", h("span", { class: "mono" }, "…" + order.order_id.slice(-8)), " ", statePill(order.state)],
      h(
        "span",
        { class: "group" },
        OPEN.includes(order.state)
          ? h(
              "button",
              { class: "button small", onclick: (event) => closeOrder(event.currentTarget, order) },
              "Close…",
            )
          : null,
        h("a", { class: "button small", href: "#/piles/" + encodeURIComponent(order.device_id) }, "Its pile"),
      ),
    ),
    h(
      "div",
      { class: "columns even" },
      section(
        "The order",
        facts([
          ["Id", h("span", { class: "mono" }, order.order_id)],
          ["Pile", [order.device_id, ", connector ", String(order.connector)]],
          ["Reason", order.reason && reasonWords(order.reason)],
          ["Rate", h("span", { class: "mono" }, order.rate_id)],
          [
            "Limits",
            [
              limits.energy_mwh && `${here.kwh(limits.energy_mwh)} kWh`,
              limits.cost_minor && money(limits.cost_minor),
              "at most " + here.clock(limits.duration_s),
            ]
              .filter(Boolean)
              .join(", "),
          ],
          ["Energy so far", !settlement && order.meter ? `${here.kwh(order.meter.energy_mwh)} kWh` : null],
          ["Cost so far", !settlement && order.meter ? money(order.meter.cost_minor) : null],
        ]),
      ),
      section(
        "Its life",
        facts([
          ["Confirmed", when(order.created_at)],
          ["Accepted", order.accepted_at && when(order.accepted_at)],
          ["Charging", order.charging_at && when(order.charging_at)],
          ["Stop asked for", order.stop_requested_at && when(order.stop_requested_at)],
          ["Finishing", order.finishing_at && when(order.finishing_at)],
          ["Settled", order.settled_at && when(order.settled_at)],
          [order.payment ? "Paid" : "Closed, nothing to pay", order.paid_at && when(order.paid_at)],
        ]),
      ),
    ),
    settlement
      ? section(
          "Settlement",
          settlement.flagged
            ? h(
                "p",
                { class: "hint bad" },
                "It was flagged. ",
                h("a", { href: "#/flagged/" + settlement.id }, "Compare both computations"),
              )
            : null,
          settlement.review ? h("p", { class: "hint" }, reviewed(settlement)) : null,
          settlement.last_reading === "Missing"
            ? h("p", { class: "hint" }, "The meter gave no reading after the end; the last one before it is billed.")
            : null,
          lineTable(settlement, order),
        )
      : section("Locked rate", stepTable(order)),
  );
}

function reviewed({ id, review }) {
  const said =
    review === "Waived"
      ? "It was flagged, and waived: nothing is to be paid. "
      : "It was flagged, and released: these lines are what the locked rate gives. ";
  return [said, h("a", { href: "#/flagged/" + id }, "What the pile sealed")];
}

function lineTable(settlement, { currency, minor_digits }) {
  const money = (minor) => here.money(minor, currency, minor_digits);
  const columns = [
    { title: "From" },
    { title: "Period" },
    { title: "Energy", number: true },
    { title: "Price a kWh", number: true },
    { title: "Electricity", number: true },
    { title: "Service", number: true },
    { title: "Together", number: true },
  ];
  const rows = settlement.periods.map(
    ([at, electricity, service, label, mwh, electricityMinor, serviceMinor]) => [
      when(at),
      PERIOD_NAMES[label],
      `${here.kwh(mwh)} kWh`,
      `${here.price(electricity, currency)} + ${here.price(service, currency)}`,
      money(electricityMinor),
      money(serviceMinor),
      money(electricityMinor + serviceMinor),
    ],
  );
  const sum = (place) => settlement.periods.reduce((all, row) => all + row[place], 0);
  if (settlement.session_fee_minor)
    rows.push(["Session fee", "", "", "", "", "", money(settlement.session_fee_minor)]);
  rows.push([
    h("strong", {}, "Total"),
    "",
    `${here.kwh(settlement.energy_mwh)} kWh`,
    "",
    money(sum(5)),
    money(sum(6)),
    h("strong", {}, money(settlement.total_minor)),
  ]);
  return table("Lines of the settlement", columns, rows);
}

function stepTable({ rate, currency }) {
  const columns = [
    { title: "From" },
    { title: "Period" },
    { title: "Electricity", number: true },
    { title: "Service", number: true },
  ];
  return table(
    "Prices of the locked rate",
    columns,
    rate.steps.map(([at, electricity, service, label]) => [
      when(at),
      PERIOD_NAMES[label],
      here.price(electricity, currency),
      here.price(service, currency),
    ]),
  );
}
