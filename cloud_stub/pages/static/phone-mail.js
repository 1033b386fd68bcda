// The receipt by e-mail: a field on it. Loaded where the cloud can send one.

import { Problem } from "./api.js";
import { h, show } from "./dom.js";
import { explained, inBrief } from "./phone-say.js";
import { ask, my, orderPath } from "./phone-state.js";

const LOOKS_RIGHT = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

export function mailForm(w) {
  const said = h("p", { id: "mail-said", role: "status" });
  const input = h("input", { id: "email", inputmode: "email", autocapitalize: "none", autocomplete: "email", maxlength: "254", "aria-describedby": "mail-said" });
  const button = h("button.button", { id: "send-mail" }, w.send);

  function tell(isWrong, ...words) {
    show(said, words);
    said.className = isWrong ? "wrong" : "good";
    input.toggleAttribute("aria-invalid", isWrong);
  }

  async function send(event) {
    event.preventDefault();
    const email = input.value.trim();
    if (!LOOKS_RIGHT.test(email)) {
      tell(true, w.wrong);
      return input.focus();
    }
    button.disabled = true;
    try {
      await ask(orderPath("/receipt"), { method: "POST", body: { email }, token: my.token });
      tell(false, w.sent(email));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      tell(true, error.code === "InvalidRequest" ? w.wrong : (w.problems[error.code] ?? inBrief(explained(error.code))));
    }
    button.disabled = false;
  }

  return h("form.card", { novalidate: true, onsubmit: send }, h("label", { for: "email" }, w.title), h("div.row", input, button), said);
}
