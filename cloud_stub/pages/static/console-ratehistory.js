// The versions of a pile's rate, newest first, and how many orders confirmed each.

import { miniBar } from "./console-daybar.js";
import { explain, h, here, moneyOf, pill, show, when } from "./console-parts.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const t = (await words("console-words-rate")).history;

const PAGE = 10;

/** {element, reload()}; `use(rate)` when a version is to be edited again. */
export function history(pile, path, use) {
  const list = h("ol", { class: "versions" });
  const more = h(
    "button",
    { class: "button small", hidden: true, onclick: () => load(next) },
    t.older,
  );
  let next = null;
  let first = null;

  async function load(before) {
    try {
      const page = await ask(`${path}/rates?limit=${PAGE}` + (before ? "&before=" + before : ""));
      next = page.next;
      more.hidden = !next;
      if (!before) {
        first = page.items[0]?.rate_id;
        show(list);
      }
      list.append(...page.items.map(entry));
      if (!list.childElementCount) show(list, h("li", { class: "empty" }, t.none));
    } catch (problem) {
      show(list, h("li", { class: "empty" }, explain(problem)));
    }
  }

  function entry(rate) {
    const { orders, running, last_at: lastAt } = rate.confirmed;
    const prices = rate.periods.map((each) => each[1] + each[2]);
    const [low, high] = [Math.min(...prices), Math.max(...prices)].map((each) =>
      here.price(each, rate.currency),
    );
    const seen = orders
      ? h(
          "a",
          {
            href: `#/orders?device_id=${encodeURIComponent(pile.device_id)}&rate_id=${encodeURIComponent(rate.rate_id)}`,
          },
          t.orders(here.count(orders)),
        )
      : null;
    return h(
      "li",
      {},
      h(
        "div",
        { class: "version-top" },
        h("span", { class: "mono", title: rate.rate_id }, "…" + rate.rate_id.slice(-8)),
        rate.rate_id === first ? pill(t.now, "ok") : null,
        h("span", { class: "muted small" }, when(rate.published_at)),
      ),
      miniBar(rate),
      h(
        "p",
        { class: "number" },
        low === high ? t.price(low) : t.prices(low, high),
        rate.session_fee_minor
          ? t.fee(moneyOf(rate.session_fee_minor, rate))
          : "",
      ),
      h(
        "p",
        { class: "small" },
        seen
          ? t.confirmed(seen, running, when(lastAt))
          : h("span", { class: "muted" }, t.nobody),
      ),
      h("button", { class: "button small", onclick: () => use(rate) }, t.edit),
    );
  }

  return {
    element: h("div", {}, list, more),
    reload: () => load(null),
  };
}
