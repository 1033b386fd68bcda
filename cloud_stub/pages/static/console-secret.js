// A key, a token or a code to take along.

import { dialog, notice } from "./console-dialog.js";
import { h, show } from "./dom.js";
import { words } from "./say.js";

const t = (await words("console-words")).secret;

/** A button that copies `text`; label: what a screen reader calls it. */
export const copyButton = (text, label) =>
  h(
    "button.button.small",
    {
      type: "button",
      "aria-label": label,
      onclick: (event) =>
        navigator.clipboard.writeText(text).then(
          () => show(event.target, t.copied),
          () => notice(t.noCopy, "bad"),
        ),
    },
    t.copy,
  );

export const showSecret = (title, about, secret) =>
  dialog(title, [about, h("code.key", { tabindex: "0" }, secret)], (close) => [
    copyButton(secret),
    h("button.button.primary", { type: "button", onclick: () => close(true) }, t.have),
  ]);
