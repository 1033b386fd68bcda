// Pages with one thing to say: which pile?, what went wrong and what to do, why an order ended without a receipt.

import { h } from "./dom.js";

/** [what went wrong, what to do] of a code. */
export const explained = (words, code) =>
  words.failures[code] ?? words.failures.Rejected[code] ?? words.failures.Other;

function page(title, ...rest) {
  const head = h("h1", { tabindex: "-1" }, title);
  return { title: head, element: h("main", {}, h("section", { class: "card message" }, head, rest)) };
}

function idForm(words) {
  const input = h("input", {
    id: "device",
    required: true,
    autocomplete: "off",
    autocapitalize: "characters",
    spellcheck: "false",
    maxlength: "32",
  });
  const go = (event) => {
    event.preventDefault();
    const id = input.value.trim();
    if (id) location.assign("/p/" + encodeURIComponent(id));
  };
  return h(
    "form",
    { onsubmit: go },
    h("label", { for: "device" }, words.ask.label),
    h("div", { class: "row" }, input, h("button", { class: "button primary" }, words.ask.go)),
  );
}

export function askView(words) {
  return page(words.ask.title, h("p", {}, words.ask.text), idForm(words), h("p", { class: "muted" }, words.promise));
}

export function loadingView(words) {
  const text = h("p", { class: "muted" }, words.loading);
  return { title: null, element: h("main", {}, h("section", { class: "card message", "aria-busy": "true" }, text)) };
}

/** The page of a failure; again() is called by its button. */
export function failureView(words, code, device, again) {
  const [what, todo] = explained(words, code);
  const text = h("p", {}, todo);
  if (code === "UnknownPile") return page(what, h("p", { class: "mono" }, device.slice(0, 64)), text, idForm(words));
  if (code === "UnknownOrder") return page(what, text, h("a", { class: "button", href: location.pathname }, words.back));
  return page(what, text, h("button", { class: "button primary", id: "again", onclick: again }, words.again));
}

/** An order that ended before anything flowed; leave() is called by its button. */
export function endedView(words, order, leave) {
  const { failures } = words;
  const refused = failures.Rejected[order.reason] ?? failures[order.reason] ?? failures.Rejected.Other;
  const [what, todo] = order.state === "Rejected" ? refused : failures[order.state];
  const nothing = order.state !== "Expired" && h("p", {}, failures.nothing);
  return page(what, nothing, h("p", {}, todo), h("button", { class: "button primary", id: "back", onclick: leave }, words.back));
}
