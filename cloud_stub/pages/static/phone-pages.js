// The pages with one thing to say: which pile, what went wrong and what to do. Loaded where one of them is needed.

import { h } from "./dom.js";
import { holdsOf } from "./phone-later.js";
import { explained, refusalWords, t } from "./phone-say.js";

const WITH_FORM = ["UnknownPile", "PileRemoved", "NotFound"];

function page(title, ...rest) {
  const head = h("h1", { tabindex: "-1" }, title);
  return { title: head, element: h("main", h("section.card.message", head, rest)) };
}

function idForm() {
  const input = h("input", { id: "device", required: true, autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: "32" });
  const go = event => {
    event.preventDefault();
    const id = input.value.trim();
    if (id) location.assign("/p/" + encodeURIComponent(id));
  };
  return h("form", { onsubmit: go }, h("label", { for: "device" }, t.ask.label), h("div.row", input, h("button.button.primary", t.ask.go)));
}

export function askView() {
  return page(t.ask.title, h("p", t.ask.text), idForm(), h("p.muted", t.promise));
}

/** The page of a failure at `device` ("" for none); again() is called by its button. */
export function failureView(code, { device, pile, again }) {
  const [what, todo] = explained(code);
  const which = new Set([pile?.name ?? device, device]);
  return page(
    what,
    device && h("p.mono", [...which].join(" · ").slice(0, 120)),
    h("p", todo),
    WITH_FORM.includes(code)
      ? idForm()
      : /Order|Link/.test(code)
        ? h("a.button", { href: location.pathname }, t.back)
        : h("button.button.primary", { id: "again", onclick: again }, t.again)
  );
}

/** An order that ended before anything flowed; leave() is called by its button. */
export function endedView(order, leave) {
  const { failures } = t;
  const [what, todo] = order.state === "Rejected" ? refusalWords(order.reason) : explained(order.state);
  const nothing = !["Expired", "Lost"].includes(order.state) && h("p", failures.nothing);
  const holds = holdsOf(order.payment);
  return page(what, nothing, h("p", todo), holds?.afterNoStart(order, holds.w), h("button.button.primary", { id: "back", onclick: leave }, t.back));
}
