// The provider's own step before the start: its form in a dialog. What is typed there goes to the provider alone.
//
// A provider is a module phone-pay-<adapter>.js with open({client, place, dark}): it draws into the element `place` and
// returns {confirm}; confirm(address) resolves to null once the provider has the hold, else to what it says went wrong.
// A provider that has to leave the page comes back to `address`.

import { h } from "./dom.js";
import { inBrief, money, t } from "./phone-say.js";

/** needed: the problem document of PaymentNeeded. Resolves to whether the hold is there; rejects where nothing could be loaded. */
export async function payStep({ adapter, client, amount_minor: minor, is_test }, rate, w) {
  const provider = await import(`./phone-pay-${adapter}.js`);
  const place = h("div.provider", h("p.muted", t.loading));
  const said = h("div.note.bad", { role: "alert" });
  const button = h("button.button.primary", { id: "hold", disabled: true }, w.holdIt(money(minor, rate)));
  const dialog = h(
    "dialog.card",
    { "aria-labelledby": "hold-title" },
    h("h2", { id: "hold-title" }, w.stepTitle),
    h("p", w.hold(money(minor, rate))),
    is_test && h("p.small", t.test),
    place,
    said,
    h("div.row", h("button.button", { id: "give-up", onclick: () => dialog.close() }, w.giveUp), button)
  );
  document.body.append(dialog);
  dialog.showModal();
  try {
    return await new Promise((resolve, reject) => {
      dialog.addEventListener("close", () => resolve(false));
      const dark = matchMedia("(prefers-color-scheme: dark)").matches;
      provider.open({ client, place, dark }).then(form => {
        button.disabled = false;
        button.onclick = async () => {
          button.disabled = true;
          said.replaceChildren();
          const problem = await form.confirm(location.href).catch(() => t.failures.Network[0]);
          if (problem === null) return resolve(true);
          said.append(...inBrief([problem, w.notHeld]));
          button.disabled = false;
        };
      }, reject);
    });
  } finally {
    dialog.remove();
  }
}
