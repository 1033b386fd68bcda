// The rate changed between the look and the confirmation: both side by side, and the question again.

import { h } from "./dom.js";
import { priceNow } from "./phone-choose.js";

const LOOK_FIRST_MS = 800; // a new price must have been on the screen before it can be confirmed

/** Shows the dialog; accept() is called where the new rate is confirmed. */
export function askAgain({ words, format, old, rate, accept }) {
  document.querySelector("dialog")?.remove();
  const price = (of) => format.price(priceNow(of), of.currency);
  const money = (minor, of) => format.money(minor, of.currency, of.minor_digits);
  const side = (name, of) =>
    h(
      "div",
      { class: "side" },
      h("h3", {}, name),
      h("p", { class: "now-price" }, h("strong", { class: "number" }, price(of)), h("span", { class: "per" }, words.perKwh)),
      h("p", { class: "small" }, `${words.price.electricity} ${format.price(of.now.electricity_price, of.currency)}`),
      h("p", { class: "small" }, `${words.price.service} ${format.price(of.now.service_price, of.currency)}`),
      h("p", { class: "small" }, words.price.fee(money(of.session_fee_minor, of))),
      of.estimates
        .slice(-1)
        .map((each) =>
          h("p", { class: "small muted" }, `${format.kwh(each.energy_mwh, 0)} ${words.kwh} ≈ ${money(each.total_minor, of)}`),
        ),
    );
  const confirm = () => {
    dialog.close();
    accept();
  };
  const button = h("button", { class: "button primary", id: "accept", disabled: true, onclick: confirm }, words.changed.accept(price(rate)));
  const dialog = h(
    "dialog",
    { class: "card", "aria-labelledby": "changed-title", onclose: () => dialog.remove() },
    h("h2", { id: "changed-title" }, words.changed.title),
    h("p", {}, words.changed.text),
    h("div", { class: "sides" }, side(words.changed.old, old), side(words.changed.new, rate)),
    h("div", { class: "row" }, h("button", { class: "button", id: "look", onclick: () => dialog.close() }, words.changed.look), button),
  );
  document.body.append(dialog);
  dialog.showModal();
  setTimeout(() => button.removeAttribute("disabled"), LOOK_FIRST_MS);
}
