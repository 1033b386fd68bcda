// Many piles registered at once, from a table that is pasted or a file.

import { dialog } from "./console-dialog.js";
import { formDialog } from "./console-form.js";
import { busy, h } from "./console-parts.js";
import { ask, download } from "./console-session.js";
import { keepFile } from "./dom.js";
import { words } from "./say.js";

const t = (await words("console-words-care")).import;
const BYTES_MAX = 60_000; // as a request may have
const EXAMPLE = "device_id,name,connectors,site,tags\nPILE-1,Gate 1,2,,fast kerbside";

const check = (table) => (!table ? t.missing : new Blob([table]).size > BYTES_MAX ? t.tooLarge : null);

export async function importPiles() {
  const table = h("textarea", { rows: "10", spellcheck: "false", placeholder: EXAMPLE, class: "mono" });
  const file = h("input", {
    type: "file",
    accept: ".csv,text/csv,text/plain",
    "aria-label": t.file,
    onchange: async () => file.files[0] && (table.value = await file.files[0].text()),
  });
  const keys = await formDialog({
    id: "import",
    title: t.title,
    body: [t.text, h("p", file)],
    fields: [{ name: "csv", label: t.table, control: table, check }],
    action: t.action,
    submit: (body) => ask("/api/pile-imports", { method: "POST", body }, (answer) => answer.text()),
  });
  if (keys) await showKeys(keys);
}

async function showKeys(keys) {
  const device_ids = keys
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(",")[0]);
  const labels = h(
    "button.button",
    {
      type: "button",
      onclick: () => busy(labels, () => download("/api/labels.pdf", "labels.pdf", { method: "POST", body: { device_ids } })),
    },
    t.labels,
  );
  await dialog(t.done(device_ids.length), [t.keys], (close) => [
    h("button.button.primary", { type: "button", onclick: () => keepFile(new Blob([keys], { type: "text/csv" }), "keys.csv") }, t.keep),
    labels,
    h("button.button", { type: "button", onclick: () => close(true) }, t.close),
  ]);
}
