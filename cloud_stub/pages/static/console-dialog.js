// Dialogs and notices. Escape, the browser's way back and Cancel leave a dialog; one with typed text asks first.

import { h } from "./dom.js";
import { words } from "./say.js";

const t = (await words("console-words")).dialogs;
const made = new WeakMap(); // {unsaved, leave} of each dialog
const open = () => [...document.querySelectorAll("dialog[open]")].map((box) => made.get(box));

/** Whether a dialog that is open has typed text. */
export const typedInDialog = () => open().some((each) => each.unsaved());

/** Leave the uppermost dialog as Escape does. */
export const leaveDialog = () => open().at(-1)?.leave();

/**
 * A modal dialog. make(close, leave) returns what stands below its title: close(value) ends it, leave() does what Escape
 * does. unsaved(): whether typed text would be lost; lasting(): whether it cannot be left. Resolves to the value, null
 * where it was left.
 */
export function modal(title, make, { unsaved = () => false, className = "", lasting = () => false } = {}) {
  return new Promise((resolve) => {
    let result = null;
    let decided = false;
    const close = (value) => {
      [result, decided] = [value, true];
      box.close();
    };
    const keep = () => {
      question.hidden = true;
      box.querySelector("input, select, textarea")?.focus();
    };
    const question = h(
      "div.hint.warn.leave",
      { hidden: true, role: "alert" },
      h("p", t.discard),
      h(
        "p.group",
        h("button.button.small", { type: "button", onclick: keep }, t.keep),
        h("button.button.small.danger", { type: "button", onclick: () => lasting() || close(null) }, t.drop),
      ),
    );
    const leave = () => {
      if (lasting()) return;
      if (!question.hidden) return keep();
      if (!unsaved()) return close(null);
      question.hidden = false;
      question.querySelector("button").focus();
    };
    const box = h("dialog", { class: "card " + className, "aria-label": title }, h("h2", title), make(close, leave), question);
    box.addEventListener("cancel", (event) => {
      if (event.target !== box || !event.cancelable) return; // of a file chooser in it; one that cannot be held
      event.preventDefault();
      leave();
    });
    box.addEventListener("close", () => {
      if (!decided && box.isConnected) {
        // A browser closes a dialog that is left twice in a row, whatever was said to its first event.
        box.showModal();
        return leave();
      }
      box.remove();
      // What opened it may have been drawn anew, and then cannot have the focus back.
      if (document.activeElement === document.body) document.querySelector("main h1")?.focus();
      resolve(result);
    });
    made.set(box, { unsaved, leave });
    document.body.append(box);
    box.showModal();
  });
}

/** The texts and elements of a dialog's body. */
export const bodyOf = (parts) =>
  h(
    "div.dialog-body",
    [parts].flat().map((part) => (typeof part === "string" ? h("p", part) : part)),
  );

/** A dialog without a form: `buttons(close)` are what ends it. */
export const dialog = (title, body, buttons) => modal(title, (close) => [bodyOf(body), h("div.dialog-buttons", buttons(close))]);

/** Ask before doing; resolves to whether `action` was chosen. `body`: texts or elements. */
export async function confirm(title, body, action, danger = false) {
  const wanted = await modal(title, (close, leave) =>
    h(
      "form",
      { onsubmit: (event) => (event.preventDefault(), close(true)) },
      bodyOf(body),
      h(
        "div.dialog-buttons",
        h("button.button", { type: "button", onclick: leave, autofocus: danger }, t.cancel),
        h("button", { class: "button " + (danger ? "danger" : "primary"), autofocus: !danger }, action),
      ),
    ),
  );
  return wanted === true;
}

let notices;

/** A region that screen readers follow; made once. */
export function noticeRegion() {
  notices = h("div.notices", { role: "status", "aria-live": "polite" });
  return notices;
}

/** A short notice that goes by itself; one about something that failed stays until it is dismissed. */
export function notice(text, tone = "ok") {
  const shown = h(
    "div",
    { class: "notice " + tone },
    h("span", text),
    h("button.plain", { "aria-label": t.dismiss, onclick: () => shown.remove() }, "×"),
  );
  notices.append(shown);
  if (tone === "ok") setTimeout(() => shown.remove(), 6000);
}
