// One order: its life, its lines or its locked rate, and its sections.

import { extraTable } from "./console-billlines.js";
import { renew } from "./console-keep.js";
import { crumbs, facts, figures, h, heading, here, kwh, moneyOf, PERIOD_NAMES, section, statePill, table, when } from "./console-parts.js";
import { closeOrder } from "./console-pileactions.js";
import { openPolled } from "./console-sections.js";
import { may } from "./console-session.js";
import { reasonWords } from "./console-words.js";
import { words } from "./say.js";

const { names, tabs } = await words("console-words");
const t = (await words("console-words-orders")).order;
const prices = await words("console-words-prices");
const EVERY_MS = 2000;
const OPEN = ["Pending", "Accepted", "Charging", "Finishing"];

export const open = (root, _params, id) =>
  openPolled(root, {
    kind: "order",
    id,
    path: "/api/orders/" + encodeURIComponent(id),
    everyMs: EVERY_MS,
    above: crumbs([tabs.orders, "#/orders"], ["…" + id.slice(-8)]),
    list: "#/orders",
    draw: drawOrder,
  });

function drawOrder(root, order) {
  const money = (minor) => moneyOf(minor, order);
  const settlement = order.settlement;
  const limits = order.limits;
  renew(
    root,
    heading(
      [names.order, " ", h("span.mono", "…" + order.order_id.slice(-8)), " ", statePill(order.state)],
      h(
        "span.group",
        OPEN.includes(order.state) && may("operate") && h("button.button.small", { onclick: () => closeOrder(order) }, t.close),
        h("a.button.small", { href: "#/piles/" + encodeURIComponent(order.device_id) }, t.pile),
      ),
    ),
    h(
      "div.columns.even",
      section(
        t.about,
        facts([
          [names.id, h("span.mono", order.order_id)],
          [names.pile, t.at(order.device_id, order.connector)],
          [t.reason, order.reason && reasonWords(order.reason)],
          [names.rate, h("span.mono", order.rate_id)],
          [
            t.limits,
            [
              limits.energy_mwh && kwh(limits.energy_mwh),
              limits.cost_minor && money(limits.cost_minor),
              t.most(here.clock(limits.duration_s)),
            ]
              .filter(Boolean)
              .join(", "),
          ],
          [t.energy, !settlement && order.meter ? kwh(order.meter.energy_mwh) : null],
          [prices.staying, order.staying && staying(order.staying, money)],
          [t.cost, !settlement && order.meter ? money(order.meter.cost_minor) : null],
        ]),
      ),
      section(
        t.life,
        facts([
          [t.confirmed, when(order.created_at)],
          [t.accepted, order.accepted_at && when(order.accepted_at)],
          [t.charging, order.charging_at && when(order.charging_at)],
          [t.stopAsked, order.stop_requested_at && when(order.stop_requested_at)],
          [t.finishing, order.finishing_at && when(order.finishing_at)],
          [t.settled, order.settled_at && when(order.settled_at)],
          [order.payment ? t.paid : t.free, order.paid_at && when(order.paid_at)],
        ]),
      ),
    ),
    settlement
      ? section(
          names.settlement,
          settlement.flagged ? h("p.hint.bad", t.flagged, h("a", { href: "#/flagged/" + settlement.id }, t.compare)) : null,
          settlement.review ? h("p.hint", reviewed(settlement)) : null,
          settlement.last_reading === "Missing" ? h("p.hint", t.noLast) : null,
          lineTable(settlement, order),
          extraTable(settlement, order),
        )
      : section(t.locked, stepTable(order)),
  );
}

function staying({ since_at: since, free_until_at: free, cost_minor: cost }, money) {
  return prices.stayingText(when(since), when(free), money(cost));
}

function reviewed({ id, review }) {
  return [review === "Waived" ? t.waived : t.released, h("a", { href: "#/flagged/" + id }, t.sealed)];
}

function lineTable(settlement, order) {
  const money = (minor) => moneyOf(minor, order);
  const columns = [
    names.from,
    names.period,
    figures(names.energy),
    figures(t.price),
    figures(names.electricity),
    figures(names.service),
    figures(names.together),
  ];
  const rows = settlement.periods.map(([at, electricity, service, label, mwh, electricityMinor, serviceMinor]) => [
    when(at),
    PERIOD_NAMES[label],
    kwh(mwh),
    `${here.price(electricity, order.currency)} + ${here.price(service, order.currency)}`,
    money(electricityMinor),
    money(serviceMinor),
    money(electricityMinor + serviceMinor),
  ]);
  const sum = (place) => settlement.periods.reduce((all, row) => all + row[place], 0);
  if (settlement.session_fee_minor) rows.push([names.fee, "", "", "", "", "", money(settlement.session_fee_minor)]);
  rows.push([
    h("strong", settlement.flagged ? t.claimed : names.total),
    "",
    kwh(settlement.energy_mwh),
    "",
    money(sum(5)),
    money(sum(6)),
    h("strong", money(settlement.total_minor)),
  ]);
  return table(t.lines, columns, rows);
}

function stepTable({ rate, currency }) {
  const columns = [names.from, names.period, figures(names.electricity), figures(names.service)];
  return table(
    t.prices,
    columns,
    rate.steps.map(([at, electricity, service, label]) => [
      when(at),
      PERIOD_NAMES[label],
      here.price(electricity, currency),
      here.price(service, currency),
    ]),
  );
}
