// The price changed between the look and the confirmation: both side by side, and the question again.

import { h } from "./dom.js";
import { partsOf } from "./phone-later.js";
import { inWords, largePrice, nextChange } from "./phone-price.js";
import { amountOf, explained, money, price, t } from "./phone-say.js";

const LOOK_FIRST_MS = 800; // a new price must have been on the screen before it can be confirmed

/** Shows the dialog; accept() is called where the new rate is confirmed, closed() where it is put away. */
export function askAgain({ old, rate, accept, closed }) {
  const isLater = inWords(old.now, old) === inWords(rate.now, rate); // what changed is not the price of this moment
  const hasFee = old.session_fee_minor || rate.session_fee_minor;
  const side = (name, of) => {
    const parts = partsOf(of);
    return h(
      "div.side",
      h("h3", name),
      largePrice(of.now, of),
      [[t.price.electricity, of.now.electricity_price], [t.price.service, of.now.service_price]].map(
        ([name, value]) => value > 0 && h("p.small", `${name} ${price(value, of)}`)
      ),
      hasFee && h("p.small", t.price.fee(money(of.session_fee_minor, of))),
      isLater && nextChange(of, of.steps[0][0]).map(text => h("p.small", text)),
      parts && h("div.small", parts.terms(of, parts.w)),
      !of.isOld &&
        of.estimates.slice(-1).map(each => h("p.small.muted", `${amountOf(each)} ≈ ${money(each.total_minor, of)}`))
    );
  };
  const [what, todo] = explained("RateChanged");
  const confirm = () => {
    dialog.close();
    accept();
  };
  const button = h("button.button.primary", { id: "accept", disabled: true, onclick: confirm }, t.confirm.button(inWords(rate.now, rate)));
  const put = () => {
    dialog.remove();
    closed();
  };
  const dialog = h(
    "dialog.card",
    { "aria-labelledby": "changed-title", onclose: put },
    h("h2", { id: "changed-title" }, what),
    h("p", todo),
    h("div.sides", side(t.changed.old, old), side(t.changed.new, rate)),
    h("div.row", h("button.button", { id: "look", onclick: () => dialog.close() }, t.changed.look), button)
  );
  const before = document.querySelector("dialog");
  document.body.append(dialog);
  dialog.showModal();
  before?.remove();
  setTimeout(() => button.removeAttribute("disabled"), LOOK_FIRST_MS);
}
