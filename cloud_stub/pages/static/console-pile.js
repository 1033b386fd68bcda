// One pile: its connectors now, today's power, and its sections (SECTIONS of console-views.js).

import { keepingFocus, renew } from "./console-keep.js";
import { showLabel } from "./console-label.js";
import { crumbs, connectorPill, failure, h, heading, here, kwh, moneyOf, pill, section, show, when } from "./console-parts.js";
import { removePile, reset, stopOrder } from "./console-pileactions.js";
import { openSections } from "./console-sections.js";
import { may, poll } from "./console-session.js";
import { today } from "./console-today.js";
import { faultWords } from "./console-words.js";
import { words } from "./say.js";

const common = await words("console-words");
const all = await words("console-words-piles");
const t = all.pile;
const EVERY_MS = 2000;

export function open(root, _params, id) {
  const path = "/api/piles/" + encodeURIComponent(id);
  const own = "#/piles/" + encodeURIComponent(id);
  const head = h("div.stack");
  const connectors = h("div.cards");
  const curve = h("div");
  const [wide, narrow] = [h("div.stack"), h("div.stack")];
  show(
    root,
    crumbs([common.tabs.piles, "#/piles"], [id]),
    head,
    connectors,
    section(all.today.title, curve),
    h("div.columns", wide, narrow),
  );
  const fail = (problem) => {
    end();
    show(root, failure(problem, "#/piles"));
  };
  const sections = openSections("pile", { id, path, fail }, wide, narrow);
  const ends = [
    sections,
    today(curve, path, fail),
    poll(
      path + "/report",
      EVERY_MS,
      (pile) => {
        document.title = common.title(pile.name);
        drawHead(head, pile, own, path);
        connectors.hidden = pile.removed_at !== null;
        drawConnectors(connectors, pile, path);
        sections.update(pile);
      },
      fail,
    ),
  ];
  function end() {
    for (const each of ends) each();
  }
  end.unsaved = sections.unsaved;
  return end;
}

function drawHead(root, pile, own, path) {
  if (pile.removed_at !== null)
    return renew(root, heading([pile.name, " ", pill(all.filters.removed, "off")]), h("p.hint.warn", t.removedOn(when(pile.removed_at))));
  renew(
    root,
    heading(
      [pile.name, " ", pile.online ? pill(all.filters.online, "ok") : pill(all.filters.offline, "off")],
      h("a.button.small", { href: own + "/rate" }, pile.rate_id ? common.names.rate : t.setRate),
      h("a.button.small", { href: "/p/" + encodeURIComponent(pile.device_id), target: "_blank", rel: "noopener" }, t.phone),
      h("button.button.small", { onclick: (event) => showLabel(event.currentTarget, pile) }, t.label),
      may("register") &&
        h(
          "button.button.small.danger",
          { onclick: () => removePile(pile, path, () => (location.hash = "#/piles")) },
          t.remove,
        ),
    ),
    pile.rate_id ? null : h("p.hint.warn", t.noRate, h("a", { href: own + "/rate" }, t.writeRate)),
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
      each.out_of_service,
      each.occupied_since,
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
    show(root.children[i].querySelector(".power"), here.kw(order.power_mw, 2), h("small", " kW"));
    show(root.children[i].querySelector(".so-far"), all.running(kwh(order.energy_mwh), moneyOf(order.cost_minor, order)));
  });
}

function connectorCard(pile, each, path) {
  const order = each.order;
  const idle = each.plugged ? t.plugged : t.unplugged;
  return h(
    "section",
    {
      class: "card connector" + (each.fault || each.emergency_stop ? " has-fault" : ""),
      "aria-label": common.connector(each.connector),
    },
    h("div.connector-top", h("h2", common.connector(each.connector)), connectorPill(each)),
    order
      ? [
          h("p.power.big.number"),
          h("p.so-far.number"),
          h(
            "p.actions",
            h("a", { href: "#/orders/" + order.order_id }, t.order(common.states[order.state])),
            may("operate") && h("button.button.small", { onclick: () => stopOrder(each, pile) }, t.stop),
          ),
        ]
      : h("p.muted", pile.online ? idle : t.unknown),
    each.emergency_stop ? h("p.fault-box", t.stopped) : null,
    each.fault
      ? h(
          "div.fault-box",
          h("p", h("strong", faultWords(each.fault)), pile.online ? null : t.whenSeen),
          may("operate") && h("button.button.danger.small", { onclick: () => reset(pile, each, path) }, t.reset),
        )
      : null,
  );
}
