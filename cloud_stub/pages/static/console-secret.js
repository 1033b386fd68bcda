// A key or a token, which is shown once.

import { dialog, notice } from "./console-dialog.js";
import { h, show } from "./dom.js";
import { words } from "./say.js";

const t = (await words("console-words")).secret;

export const showSecret = (title, about, secret) =>
  dialog(title, [about, h("code.key", { tabindex: "0" }, secret)], (close) => [
    h(
      "button.button",
      {
        type: "button",
        onclick: (event) =>
          navigator.clipboard.writeText(secret).then(
            () => show(event.target, t.copied),
            () => notice(t.noCopy, "bad"),
          ),
      },
      t.copy,
    ),
    h("button.button.primary", { type: "button", onclick: () => close(true) }, t.have),
  ]);
