// The fields of a rate for what it has beyond energy and session fee: minimum, maximum, tax, staying on, tiers, offers.

import { h, show } from "./dom.js";
import { OFFERS_MAX, partsOf, TIERS_MAX } from "./console-ratecomponents.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = await words("console-words-prices");

/** {element, load(rate), parts()}. changed(): something else is typed. */
export function componentsPanel(changed) {
  let parts = partsOf({});
  const body = h("div");
  const element = h("details.more", h("summary", t.title), h("p.muted.small", t.hint), body);

  function load(rate) {
    parts = partsOf(rate);
    element.open = Object.keys(parts).some((name) => JSON.stringify(parts[name]) !== JSON.stringify(partsOf({})[name]));
    draw();
  }

  function draw(focus) {
    show(
      body,
      h(
        "div.filters",
        ["minimum", "maximum", "tax"].map((name) => field("part-" + name, t[name], parts, name)),
      ),
      group(
        t.idle.title,
        null,
        h(
          "div.filters",
          ["price", "after", "max"].map((name) => field("part-idle-" + name, t.idle[name], parts.idle, name)),
        ),
      ),
      group(
        t.tiers.title,
        t.tiers.hint,
        parts.tiers.map(tierRow),
        more(parts.tiers, TIERS_MAX, t.tiers.add, { up_to: "", price: "" }, "tier-up"),
      ),
      group(
        t.offers.title,
        t.offers.hint,
        parts.offers.map(offerRow),
        more(parts.offers, OFFERS_MAX, t.offers.add, { kind: "money", value: "" }, "offer-kind"),
      ),
    );
    if (focus) body.querySelector("#" + focus)?.focus();
  }

  const group = (title, hint, ...rest) => h("fieldset", h("legend", title), hint && h("p.muted.small", hint), rest);

  const field = (id, title, of, name, size = "8") =>
    h(
      "div.field",
      h("label", { for: id }, title),
      h("input", {
        id,
        size,
        value: of[name],
        autocomplete: "off",
        inputmode: "decimal",
        oninput: (event) => ((of[name] = event.target.value), changed()),
      }),
    );

  const tierRow = (tier, i) =>
    h(
      "div.filters",
      field(`tier-up-${i}`, t.tiers.up_to(i + 1), tier, "up_to"),
      field(`tier-price-${i}`, t.tiers.price(i + 1), tier, "price"),
      gone(parts.tiers, i, t.tiers.remove(i + 1)),
    );

  const offerRow = (offer, i) =>
    h(
      "div.filters",
      h(
        "div.field",
        h("label", { for: `offer-kind-${i}` }, t.offers.kind(i + 1)),
        h(
          "select",
          {
            id: `offer-kind-${i}`,
            onchange: (event) => (Object.assign(offer, { kind: event.target.value, value: "" }), rearranged(`offer-kind-${i}`)),
          },
          Object.entries(t.offers.kinds).map(([kind, name]) => h("option", { value: kind, selected: kind === offer.kind }, name)),
        ),
      ),
      offer.kind !== "full" && field(`offer-value-${i}`, t.offers.value(i + 1), offer, "value"),
      gone(parts.offers, i, t.offers.remove(i + 1)),
    );

  const gone = (all, i, label) =>
    h("button.button.small", { type: "button", "aria-label": label, onclick: () => (all.splice(i, 1), rearranged()) }, names.erase);

  const more = (all, most, title, empty, focus) =>
    all.length < most &&
    h(
      "p",
      h(
        "button.button.small",
        { type: "button", onclick: () => (all.push({ ...empty }), rearranged(`${focus}-${all.length - 1}`)) },
        title,
      ),
    );

  function rearranged(focus) {
    draw(focus ?? "part-minimum");
    changed();
  }

  return { element, load, parts: () => parts };
}
