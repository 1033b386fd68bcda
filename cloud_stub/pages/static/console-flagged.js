// Settlements that were flagged, and one of them with both computations side by side.

import { ask, poll } from "./console-session.js";
import {
  crumbs,
  explain,
  facts,
  failure,
  h,
  heading,
  here,
  PERIOD_NAMES,
  pill,
  section,
  show,
  table,
  when,
  words,
} from "./console-parts.js";
import { renew } from "./console-keep.js";
import { reviewPanel } from "./console-review.js";
import { flagWords, reasonWords } from "./console-words.js";

const PAGE = 50;

export function open(root, params) {
  const reviewed = params.get("reviewed") === "true";
  const list = h("div", { class: "card" });
  const more = h("button", { class: "button small", hidden: true }, "Older");
  show(
    root,
    heading(
      reviewed ? "Settlements decided about" : "Flagged settlements",
      reviewed
        ? h("a", { class: "button small", href: "#/flagged" }, "Those that wait")
        : h("a", { class: "button small", href: "#/flagged?reviewed=true" }, "Those decided about"),
    ),
    h(
      "p",
      { class: "lead" },
      reviewed
        ? "What was flagged, and what became of it. What the piles sealed stays as it came."
        : "What a pile sealed and this cloud cannot confirm. Each is kept as it came, acknowledged, and not to be paid until somebody has looked into it.",
    ),
    list,
    h("div", { class: "pager" }, more),
  );
  const items = [];
  let next = null;
  async function load() {
    try {
      const which = reviewed ? "reviewed=true" : "flagged=true";
      const page = await ask(`/api/settlements?${which}&limit=${PAGE}` + (next ? "&before=" + next : ""));
      items.push(...page.items);
      next = page.next;
      more.hidden = !next;
      show(list, flaggedTable(items, reviewed));
    } catch (problem) {
      show(list, h("p", { class: "empty", role: "alert" }, explain(problem)));
    }
  }
  more.addEventListener("click", load);
  load();
}

const muted = (text) => h("span", { class: "muted" }, text);

function flaggedTable(items, reviewed) {
  const columns = [
    { title: "Received" },
    { title: "Settlement" },
    { title: "Pile" },
    { title: "What is wrong" },
    { title: "Pile says", number: true },
    { title: "Cloud computes", number: true },
    ...(reviewed ? [{ title: "Decision" }] : []),
  ];
  const rows = items.map((each) => [
    when(each.received_at),
    h("a", { href: "#/flagged/" + each.id }, `no. ${each.seq}`),
    h("a", { href: "#/piles/" + encodeURIComponent(each.device_id) }, each.device_id),
    each.flags.map((flag) => h("div", { title: flag }, flagWords(flag))),
    each.sealed ? muted("unreadable") : here.money(each.total_minor, each.currency, each.minor_digits),
    each.computed_minor === null
      ? muted("nothing")
      : here.money(each.computed_minor, each.currency, each.minor_digits),
    ...(reviewed
      ? [[each.review.decision, h("div", { class: "muted small" }, each.review.note)]]
      : []),
  ]);
  return table(
    reviewed ? "Settlements decided about" : "Flagged settlements",
    columns,
    rows,
    reviewed
      ? "Nobody has decided about any yet."
      : "No settlement is flagged: everything the piles sealed could be confirmed.",
  );
}

export function openOne(root, _params, id) {
  const body = h("div", { class: "stack" });
  show(root, crumbs(["Flagged", "#/flagged"], ["Settlement " + id]), body);
  return poll(
    "/api/settlements/" + id,
    10_000,
    (found) => draw(body, found),
    (problem) => show(root, failure(problem, "#/flagged")),
  );
}

function draw(root, said) {
  const { order } = said;
  renew(
    root,
    heading(
      [
        `Settlement no. ${said.seq} of ${said.device_id} `,
        said.flagged
          ? pill("Flagged", "bad")
          : said.review
            ? pill(said.settles ? said.review.decision : "Closed", "ok")
            : pill("Confirmed", "ok"),
      ],
      order
        ? h(
            "a",
            { class: "button small", href: "#/orders/" + encodeURIComponent(said.order_id) },
            "Its order",
          )
        : null,
    ),
    said.flags.length
      ? section(
          said.flagged ? "What is wrong" : "What was wrong",
          h(
            "ul",
            { class: "flags" },
            said.flags.map((flag) => h("li", {}, h("strong", {}, words(flag)), h("p", {}, flagWords(flag)))),
          ),
        )
      : null,
    reviewPanel(said, (now) => draw(root, now)),
    ...(said.sealed
      ? [section("As the pile sealed it", h("p", { class: "mono break" }, said.sealed))]
      : bothSides(said)),
  );
}

function bothSides(said) {
  const { order } = said;
  return [
    section("Both computations", comparison(said)),
    h(
      "div",
      { class: "columns even" },
      section(
        "As the pile sealed it",
        facts([
          ["Order", h("span", { class: "mono" }, said.order_id)],
          ["Connector", compared(String(said.connector), order && String(order.connector))],
          ["Registers", `${here.kwh(said.start_register_mwh)} → ${here.kwh(said.end_register_mwh)} kWh`],
          [
            "Difference",
            compared(
              `${here.kwh(said.end_register_mwh - said.start_register_mwh, 6)} kWh`,
              `${here.kwh(said.energy_mwh, 6)} kWh`,
            ),
          ],
          ["Started", when(said.started_at)],
          ["Ended", when(said.ended_at)],
          ["Stop reason", reasonWords(said.stop_reason)],
          ["Made after a power cut", said.recovered ? "Yes" : "No"],
          ["Reading after the end", said.last_reading === "Missing" ? "Missing: the last one before it is billed" : null],
          ["Chain", said.epoch > 1 ? `${said.epoch}: the flash was erased, or the board replaced` : null],
          ["Unbilled before it", said.unbilled_mwh ? `${here.kwh(said.unbilled_mwh, 6)} kWh` : null],
          ["Firmware", said.firmware],
          ["Rate digest", h("span", { class: "mono break" }, said.rate_digest)],
          ["Seal", h("span", { class: "mono break" }, said.mac)],
        ]),
      ),
      section(
        "As the order was locked",
        order
          ? facts([
              ["Pile", compared(order.device_id, said.device_id)],
              ["State", order.state],
              ["Confirmed", when(order.created_at)],
              ["At the latest over", when(order.window_end_at)],
              [
                "Money limit",
                order.limits.cost_minor
                  ? here.money(order.limits.cost_minor, order.rate.currency, order.rate.minor_digits)
                  : "None",
              ],
              ["Rate", h("span", { class: "mono" }, order.rate.rate_id)],
              [
                "Rate digest",
                h(
                  "span",
                  { class: "mono break" + (order.rate_digest === said.rate_digest ? "" : " differs") },
                  order.rate_digest,
                ),
              ],
              ["Computed and received", when(said.received_at)],
            ])
          : h("p", { class: "empty" }, "There is no such order here, so there is nothing to compare with."),
      ),
    ),
  ];
}

/** A value beside the one it should be: told where they are not the same. */
function compared(value, other) {
  return other === null || other === undefined || value === other
    ? value
    : h("span", { class: "differs" }, `${value}, not ${other}`);
}

function comparison(said) {
  const { computed } = said;
  const money = (minor) => here.money(minor, said.currency, said.minor_digits);
  const rows = [];
  const add = (name, ours, theirs, format) => {
    const same = ours !== undefined && ours === theirs;
    const difference =
      ours === undefined || theirs === undefined
        ? ""
        : same
          ? h("span", { class: "same" }, "the same")
          : h("strong", { class: "differs" }, (theirs > ours ? "+" : "−") + format(Math.abs(theirs - ours)));
    rows.push([
      name,
      theirs === undefined ? "–" : format(theirs),
      ours === undefined ? "–" : format(ours),
      difference,
    ]);
  };
  const mine = new Map((computed?.periods ?? []).map((row) => [row[0], row]));
  for (const row of said.periods) {
    const known = mine.get(row[0]) ?? [];
    const name = (text) => [
      h("span", {}, `${PERIOD_NAMES[row[3]]} from `),
      here.dateTime(row[0]),
      h("div", { class: "muted small" }, text),
    ];
    add(name("Electricity"), known[5], row[5], money);
    add(name("Service"), known[6], row[6], money);
  }
  add("Session fee", computed?.session_fee_minor, said.session_fee_minor, money);
  add(h("strong", {}, "Total"), computed?.total_minor, said.total_minor, money);
  const columns = [
    { title: "Line" },
    { title: "The pile sealed", number: true },
    { title: "The cloud computes", number: true },
    { title: "Difference", number: true },
  ];
  return [
    table("Both computations", columns, rows),
    computed
      ? null
      : h(
          "p",
          { class: "hint warn" },
          said.order
            ? "The cloud computed nothing: the periods are not those of the locked rate."
            : "The cloud computed nothing: it knows no such order.",
        ),
  ];
}
