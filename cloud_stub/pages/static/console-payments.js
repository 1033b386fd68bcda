// The holds, newest first, by state.

import { pageOf, reasonOf, statePills } from "./console-hold.js";
import { explain, figures, h, heading, moneyOf, shortId, show, table, when } from "./console-parts.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const common = await words("console-words");
const all = await words("console-words-payments");
const t = all.list;
const PAGE = 50;

export function open(root, params) {
  const state = params.get("state") ?? "";
  const list = h("div.card");
  const more = h("button.button.small", { hidden: true, onclick: load }, common.names.older);
  const items = [];
  let next = null;
  let ended = false;
  const choose = (event) => {
    location.hash = "#/payments" + (event.target.value ? "?state=" + event.target.value : "");
  };
  const option = ([value, text]) => h("option", { value, selected: value === state }, text);
  show(
    root,
    heading(
      common.tabs.payments,
      h("a.button.small", { href: "#/payment-days" }, t.days),
      may("money") && h("a.button.small", { href: "#/free-vend" }, t.free),
    ),
    h(
      "div.filters",
      h(
        "div.field",
        h("label", { for: "hold-state" }, common.names.state),
        h("select", { id: "hold-state", onchange: choose }, [["", common.all], ...Object.entries(all.states)].map(option)),
      ),
    ),
    list,
    h("div.pager", more),
  );

  async function load() {
    try {
      const query = new URLSearchParams({ limit: PAGE, ...(state && { state }), ...(next && { before: next }) });
      const page = await ask("/api/payments?" + query);
      if (ended) return;
      items.push(...page.items);
      next = page.next;
      more.hidden = !next;
      show(list, holdTable(items));
    } catch (problem) {
      if (!ended) show(list, h("p.empty", { role: "alert" }, explain(problem)));
    }
  }

  load();
  return () => (ended = true);
}

function holdTable(items) {
  const { hold: w } = all;
  const amounts = ["held", "captured", "released", "refunded"];
  const columns = [w.made, common.names.order, common.names.pile, common.names.state, ...amounts.map((name) => figures(w[name]))];
  const rows = items.map((each) => [
    h("a", { href: pageOf(each.hold_id) }, when(each.created_at)),
    each.order_id ? h("a", { href: "#/orders/" + encodeURIComponent(each.order_id) }, shortId(each.order_id)) : "–",
    h("a", { href: "#/piles/" + encodeURIComponent(each.device_id) }, each.device_id),
    [statePills(each), each.reason && h("div.muted.small", reasonOf(each.reason))],
    ...amounts.map((name) => moneyOf(each[name + "_minor"], each)),
  ]);
  return table(common.tabs.payments, columns, rows, t.none);
}
