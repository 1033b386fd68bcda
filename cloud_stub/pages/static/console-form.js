// Forms: Enter submits, and what is wrong, here or at the cloud, stands at its field. What is typed stays until it is done.

import { Problem } from "./api.js";
import { bodyOf, modal } from "./console-dialog.js";
import { explain, wrongField } from "./console-parts.js";
import { h, show } from "./dom.js";
import { words } from "./say.js";

const t = await words("console-words");
const WHY_MAX = 500; // as the API takes it

/**
 * A form. fields: [{name, label, control, hint, check}]. control: an input, select or textarea; its value goes to the
 * API under `name`, without blanks at its ends but for a password. check(value, values): what is wrong with it, a text; null where nothing is.
 * submit(values) does the work; a Problem that it throws is shown, at the fields that it names.
 * buttons: what stands beside the submit button. Returns {element, values(), unsaved()}.
 */
export function form({ id, body = [], fields = [], after = [], action, danger, submit, buttons = [] }) {
  const rows = fields.map((each) => fieldOf(id, each));
  const wrong = h("p.error", { role: "alert" });
  const autofocus = !fields.length && !danger;
  const button = h("button", { class: "button " + (danger ? "danger" : "primary"), type: "submit", autofocus }, action);
  const values = () => Object.fromEntries(rows.map((row) => [row.name, row.value()]));
  const asText = () => JSON.stringify(rows.map((row) => String(row.value()?.name ?? row.value())));
  let done = asText();

  async function send(event) {
    event.preventDefault();
    if (button.disabled) return;
    const now = values();
    show(wrong);
    for (const row of rows) row.tell(row.check?.(now[row.name], now));
    if (focusWrong()) return;
    button.disabled = true;
    try {
      await submit(now);
      done = asText();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      refused(problem);
    } finally {
      button.disabled = false;
    }
    if (!focusWrong() && document.activeElement === document.body) button.focus();
  }

  /** The cloud's errors, each at its field; those of no field here, and other problems, below them all. */
  function refused(problem) {
    const errors = problem.members.errors ?? [];
    const rest = errors.filter((each) => {
      const row = rows.find(({ name }) => each.field.split(/[.[]/)[0] === name);
      row?.tell(wrongField(each));
      return !row;
    });
    if (rest.length) show(wrong, rest.map((each) => `${each.field}: ${wrongField(each)}`).join(" "));
    else if (!errors.length) show(wrong, explain(problem));
  }

  const focusWrong = () => {
    const row = rows.find((each) => each.isWrong());
    row?.focus();
    return Boolean(row);
  };

  const element = h(
    "form",
    { novalidate: true, autocomplete: "off", onsubmit: send },
    bodyOf([body, rows.map((row) => row.element), after, wrong].flat()),
    h("div.dialog-buttons", buttons, button),
  );
  return { element, values, unsaved: () => asText() !== done };
}

function fieldOf(form, { name, label, control, hint, check }) {
  const id = `${form}-${name}`;
  const wrong = h("p.error", { role: "alert", id: id + "-error" });
  control.id = id;
  const described = [hint && id + "-hint", id + "-error"].filter(Boolean).join(" ");
  control.setAttribute("aria-describedby", described);
  const box = control.type === "checkbox";
  const title = h("label", { for: id }, label);
  return {
    name,
    check,
    element: h(
      "div",
      { class: box ? "field check" : "field" },
      box ? [control, title] : [title, control],
      hint && h("p.muted.small", { id: id + "-hint" }, hint),
      wrong,
    ),
    value: () => (box ? control.checked : control.type === "file" ? (control.files[0] ?? null) : textOf(control)),
    focus: () => control.focus(),
    isWrong: () => control.getAttribute("aria-invalid") === "true",
    tell(text) {
      show(wrong, text);
      if (text) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    },
  };
}

const textOf = (control) => (control.type === "password" ? control.value : control.value.trim());

/**
 * A form in a dialog, as form() takes it. It cannot be left while the cloud's answer is waited for, so what is shown
 * afterwards is what has been done. Resolves to what submit() returned, null where the dialog was left.
 */
export function formDialog({ title, submit, ...rest }) {
  let made;
  let cancel;
  return modal(
    title,
    (close, leave) => {
      cancel = h("button.button", { type: "button", onclick: leave }, t.dialogs.cancel);
      const send = async (values) => {
        cancel.disabled = true;
        try {
          close(await submit(values));
        } finally {
          cancel.disabled = false;
        }
      };
      made = form({ ...rest, submit: send, buttons: cancel });
      return made.element;
    },
    { unsaved: () => made.unsaved(), lasting: () => cancel.disabled },
  );
}

/**
 * As formDialog(), for what a thing has: submit(body, seen) gets the members that differ from `was`, and in `replaces`
 * how they were; `seen` has all members as they were. Where somebody else has changed one meanwhile, that stands at its
 * field, and submitting again writes over it.
 * A field's shown(value) is the value in words.
 */
export function changeDialog({ was, submit, fields, ...rest }) {
  const seen = { ...was };
  return formDialog({
    ...rest,
    fields,
    async submit(values) {
      const changed = Object.entries(values).filter(([name, value]) => value !== was[name]);
      if (!changed.length) return true;
      const replaces = Object.fromEntries(changed.map(([name]) => [name, seen[name]]));
      try {
        return await submit({ ...Object.fromEntries(changed), replaces }, seen);
      } catch (problem) {
        if (problem.code !== "Replaced") throw problem;
        const { present } = problem.members;
        Object.assign(seen, present);
        problem.members.errors = Object.entries(present).map(([field, value]) => ({
          field,
          text: t.replaced(fields.find(({ name }) => name === field).shown?.(value) ?? value),
        }));
        throw problem;
      }
    },
  });
}

/** Asks for a decision with its reason, and does it: submit(reason). Resolves to what submit() returned, null if left. */
export function askWhy({ title, text, action, danger, submit }) {
  return formDialog({
    id: "decision",
    title,
    body: text,
    fields: [
      {
        name: "why",
        label: t.why.label,
        control: h("input", { maxlength: String(WHY_MAX) }),
        check: (value) => (value ? null : t.why.missing),
      },
    ],
    after: t.why.forever,
    action,
    danger,
    submit: ({ why }) => submit(why),
  });
}

/** Asks before a thing is ended, and ends it: submit(). Resolves to what that returned, null if left. */
export const askFirst = (title, body, action, submit) => formDialog({ title, body, action, danger: true, submit });
