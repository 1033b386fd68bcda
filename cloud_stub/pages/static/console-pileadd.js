// A pile is registered, and its key shown.

import { formDialog } from "./console-form.js";
import { showSecret } from "./console-secret.js";
import { ask } from "./console-session.js";
import { h } from "./dom.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = (await words("console-words-piles")).add;
const CONNECTORS_MAX = 8;

export async function addPile() {
  const made = await formDialog({
    id: "new",
    title: t.open,
    fields: [
      {
        name: "device_id",
        label: t.id,
        hint: t.idHint,
        control: h("input", { maxlength: "32", spellcheck: "false" }),
        check: (value) => (/^[A-Za-z0-9_-]{3,32}$/.test(value) ? null : t.idWrong),
      },
      { name: "name", label: names.name, control: h("input", { maxlength: "100" }) },
      {
        name: "connectors",
        label: t.connectors,
        control: h("input", { type: "number", min: "1", max: String(CONNECTORS_MAX), value: "1" }),
        check: (value) =>
          Number.isInteger(Number(value)) && value >= 1 && value <= CONNECTORS_MAX ? null : t.connectorsWrong(CONNECTORS_MAX),
      },
    ],
    action: t.action,
    submit: (values) => ask("/api/piles", { method: "POST", body: { ...values, connectors: Number(values.connectors) } }),
  });
  if (!made) return;
  await showKey(made, t.done(made.device_id));
  location.hash = "#/piles/" + encodeURIComponent(made.device_id) + "/rate";
}

/** A key that was not kept can be made again. */
export const showKey = ({ key }, title) => showSecret(title, t.key, key);
