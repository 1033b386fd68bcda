// A free charge: what says so, and the field of a code for one.

import { h } from "./dom.js";

/** choice.code: what was typed, kept over redraws; changed() is called when it was. */
export const codeField = (choice, changed, w) =>
  h(
    "div.limit",
    h("label", { for: "code" }, w.label),
    h("input", {
      id: "code",
      autocomplete: "off",
      autocapitalize: "characters",
      spellcheck: "false",
      maxlength: "40",
      "aria-describedby": "about-code",
      value: choice.code,
      oninput: event => {
        choice.code = event.target.value.replace(/[^\p{L}\p{N}]/gu, "").toUpperCase();
        changed();
      }
    }),
    h("p.muted.small", { id: "about-code" }, w.about)
  );

/** Whether the last confirmation was refused for it. */
export const tellCode = (place, isWrong) => place.querySelector("input").toggleAttribute("aria-invalid", isWrong);

/** In place of what is held. */
export const freeLine = text => h("p.small.locked", text);
