// The versions of a tariff, newest first: which holds and which will, and how many orders confirmed each.

import { miniBar } from "./console-daybar.js";
import { askFirst } from "./console-form.js";
import { explain, h, here, moneyOf, pill, show, when, whoWords } from "./console-parts.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const t = (await words("console-words-rate")).history;

const PAGE = 10;

const TONES = { Running: "ok", Scheduled: "busy", Withdrawn: "off" };

/** {element, reload()} of what openEditor() takes; `use(rate)` when a version is to be edited again. */
export function history(of, use) {
  const list = h("ol.versions");
  const more = h("button.button.small", { hidden: true, onclick: () => load(next) }, t.older);
  let next = null;

  async function load(before) {
    try {
      const page = await ask(`${of.versions}?limit=${PAGE}` + (before ? "&before=" + before : ""));
      next = page.next;
      more.hidden = !next;
      if (!before) show(list);
      list.append(...page.items.map(entry));
      if (!list.childElementCount) show(list, h("li.empty", t.none));
    } catch (problem) {
      show(list, h("li.empty", explain(problem)));
    }
  }

  function entry(rate) {
    const { orders, running, last_at: lastAt } = rate.confirmed;
    const prices = rate.periods.map((each) => each[1] + each[2]);
    const [low, high] = [Math.min(...prices), Math.max(...prices)].map((each) => here.price(each, rate.currency));
    const seen = orders
      ? h(
          "a",
          {
            href: "#/orders?" + new URLSearchParams(of.orders(rate)),
          },
          t.orders(here.count(orders)),
        )
      : null;
    return h(
      "li",
      h(
        "div.version-top",
        h("span.mono", { title: rate.rate_id }, "…" + rate.rate_id.slice(-8)),
        t.states[rate.state] && pill(t.states[rate.state], TONES[rate.state]),
        h("span.muted.small", rate.state === "Scheduled" ? t.from(when(rate.from_at)) : when(rate.from_at)),
        rate.published_by && h("span.muted.small", t.by(whoWords(rate.published_by))),
      ),
      miniBar(rate),
      h(
        "p.number",
        low === high ? t.price(low) : t.prices(low, high),
        rate.session_fee_minor ? t.fee(moneyOf(rate.session_fee_minor, rate)) : "",
      ),
      h("p.small", seen ? t.confirmed(seen, running, when(lastAt)) : h("span.muted", t.nobody)),
      rate.days?.length > 0 && h("p.muted.small", t.days(rate.days.map((day) => day.name).join(", "))),
      h(
        "p.group",
        may("price") && h("button.button.small", { type: "button", onclick: () => use(rate) }, t.edit),
        may("price") &&
          of.withdraw &&
          rate.state === "Scheduled" &&
          h("button.button.small.danger", { type: "button", onclick: () => withdraw(rate) }, t.withdraw),
      ),
    );
  }

  function withdraw(rate) {
    const submit = () => of.withdraw(rate).finally(() => load(null));
    askFirst(t.withdrawTitle, t.withdrawText(here.dateTime(rate.from_at)), t.withdraw, submit);
  }

  return {
    element: h("div", list, more),
    reload: () => load(null),
  };
}
