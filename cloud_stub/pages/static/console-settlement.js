// One settlement that was flagged, with both computations side by side, and its sections.

import { extraLines } from "./console-billlines.js";
import { renew } from "./console-keep.js";
import { crumbs, facts, figures, h, heading, here, kwh, moneyOf, PERIOD_NAMES, pill, section, table, when } from "./console-parts.js";
import { reviewPanel } from "./console-review.js";
import { openPolled } from "./console-sections.js";
import { flagWords, reasonWords } from "./console-words.js";
import { words } from "./say.js";

const common = await words("console-words");
const all = await words("console-words-orders");
const t = all.settlement;
const EVERY_MS = 10_000;

export const open = (root, _params, id) =>
  openPolled(root, {
    kind: "settlement",
    id,
    path: "/api/settlements/" + encodeURIComponent(id),
    everyMs: EVERY_MS,
    above: crumbs([common.tabs.flagged, "#/flagged"], [t.crumb(id)]),
    list: "#/flagged",
    draw,
  });

function draw(root, said) {
  const { order } = said;
  renew(
    root,
    heading(
      [
        t.title(said.seq, said.device_id),
        said.flagged
          ? pill(t.flagged, "bad")
          : said.review
            ? pill(said.settles ? all.review.decisions[said.review.decision] : t.closed, "ok")
            : pill(t.confirmed, "ok"),
      ],
      order ? h("a.button.small", { href: "#/orders/" + encodeURIComponent(said.order_id) }, t.order) : null,
    ),
    said.flags.length
      ? section(
          said.flagged ? t.wrong : t.wasWrong,
          h(
            "ul.flags",
            said.flags.map((flag) => {
              const [name, text] = flagWords(flag);
              return h("li", h("strong", name), h("p", text));
            }),
          ),
        )
      : null,
    reviewPanel(said, (now) => draw(root, now)),
    ...(said.sealed ? [section(t.sealed, h("p.mono.break", said.sealed))] : bothSides(said)),
  );
}

function bothSides(said) {
  const { order } = said;
  return [
    section(t.both, comparison(said)),
    h(
      "div.columns.even",
      section(
        t.sealed,
        facts([
          [common.names.order, h("span.mono", said.order_id)],
          [t.connector, compared(String(said.connector), order && String(order.connector))],
          [t.registers, `${here.kwh(said.start_register_mwh)} → ${kwh(said.end_register_mwh)}`],
          [t.difference, compared(kwh(said.end_register_mwh - said.start_register_mwh, 6), kwh(said.energy_mwh, 6))],
          [t.started, when(said.started_at)],
          [t.ended, when(said.ended_at)],
          [t.reason, reasonWords(said.stop_reason)],
          [t.recovered, said.recovered ? common.yes : common.no],
          [t.last, said.last_reading === "Missing" ? t.lastMissing : null],
          [t.chain, said.epoch > 1 ? t.chainText(said.epoch) : null],
          [t.unbilled, said.unbilled_mwh ? kwh(said.unbilled_mwh, 6) : null],
          [t.firmware, said.firmware],
          [t.digest, h("span.mono.break", said.rate_digest)],
          [t.seal, h("span.mono.break", said.mac)],
        ]),
      ),
      section(
        t.locked,
        order
          ? facts([
              [common.names.pile, compared(order.device_id, said.device_id)],
              [common.names.state, common.states[order.state]],
              [t.confirmedAt, when(order.created_at)],
              [t.latest, when(order.window_end_at)],
              [t.limit, order.limits.cost_minor ? moneyOf(order.limits.cost_minor, order.rate) : common.none],
              [common.names.rate, h("span.mono", order.rate.rate_id)],
              [
                t.digest,
                h("span", { class: "mono break" + (order.rate_digest === said.rate_digest ? "" : " differs") }, order.rate_digest),
              ],
              [t.received, when(said.received_at)],
            ])
          : h("p.empty", t.noOrder),
      ),
    ),
  ];
}

/** A value beside the one it should be: told where they are not the same. */
function compared(value, other) {
  return other === null || other === undefined || value === other ? value : h("span.differs", t.not(value, other));
}

function comparison(said) {
  const { computed } = said;
  const money = (minor) => moneyOf(minor, said);
  const rows = [];
  const add = (name, ours, theirs, format) => {
    const same = ours !== undefined && ours === theirs;
    const difference =
      ours === undefined || theirs === undefined
        ? ""
        : same
          ? h("span.same", t.same)
          : h("strong.differs", (theirs > ours ? "+" : "−") + format(Math.abs(theirs - ours)));
    rows.push([name, theirs === undefined ? "–" : format(theirs), ours === undefined ? "–" : format(ours), difference]);
  };
  const mine = new Map((computed?.periods ?? []).map((row) => [row[0], row]));
  for (const row of said.periods) {
    const known = mine.get(row[0]) ?? [];
    const name = (text) => [t.from(PERIOD_NAMES[row[3]], here.dateTime(row[0])), h("div.muted.small", text)];
    add(name(common.names.electricity), known[5], row[5], money);
    add(name(common.names.service), known[6], row[6], money);
  }
  const ours = new Map(computed ? extraLines(computed).map((line) => [line.key, line.minor]) : []);
  for (const { key, name, minor } of extraLines(said)) add(name, ours.get(key), minor, money);
  add(common.names.fee, computed?.session_fee_minor, said.session_fee_minor, money);
  add(h("strong", common.names.total), computed?.total_minor, said.total_minor, money);
  const columns = [t.line, figures(t.theirs), figures(t.ours), figures(t.difference)];
  return [table(t.both, columns, rows), computed ? null : h("p.hint.warn", said.order ? t.noPeriods : t.unknown)];
}
