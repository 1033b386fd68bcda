// Webhooks: the addresses to which events are sent, how they take them, and a new one.

import { notice } from "./console-dialog.js";
import { askFirst, formDialog } from "./console-form.js";
import { busy, crumbs, h, heading, pill, show, table, when, whoWords } from "./console-parts.js";
import { showSecret } from "./console-secret.js";
import { openLoaded } from "./console-sections.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const { names, tabs } = await words("console-words");
const t = await words("console-words-webhooks");
const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;

export function open(root) {
  const { load, end } = openLoaded(root, () => ask("/api/webhooks"), draw, "#/people");

  function draw({ items }) {
    const columns = [names.name, t.kinds, names.state, t.waiting, t.delivered, t.madeBy, ""];
    show(
      root,
      crumbs([tabs.people, "#/people"], [t.title]),
      heading(t.title, h("button.button", { onclick: () => add(load) }, t.add)),
      h("p.muted", t.about),
      h("div.card", table(t.title, columns, items.map(row), t.none)),
    );
  }

  const row = (each) => [
    [each.name, h("div.mono.muted.small", each.url)],
    each.kinds.map((kind) => t.groups[kind] ?? kind).join(", "),
    [stateOf(each), each.answer && h("div.muted.small", each.answer)],
    [String(each.waiting), each.dropped > 0 && h("div.muted.small", t.dropped(each.dropped))],
    [String(each.delivered), each.delivered_at && h("div.muted.small", when(each.delivered_at))],
    whoWords(each.created_by),
    h(
      "div.group",
      h("button.button.small", { "aria-label": t.of(t.test, each.name), onclick: (event) => test(event.target, each) }, t.test),
      h("button.button.small", { "aria-label": t.of(t.resend, each.name), onclick: (event) => resend(event.target, each) }, t.resend),
      h(
        "button.button.small.danger",
        { "aria-label": t.of(t.remove, each.name), onclick: () => remove(each) },
        t.remove,
      ),
    ),
  ];

  async function test(button, each) {
    await busy(button, async () => {
      const { taken, answer } = await ask(`/api/webhooks/${each.name}/test`, { method: "POST" });
      notice(t.answered(answer), taken ? "ok" : "bad");
    });
  }

  async function resend(button, each) {
    if (await busy(button, () => ask(`/api/webhooks/${each.name}/resend`, { method: "POST" }))) load();
  }

  function remove({ name, waiting }) {
    const submit = () => ask(`/api/webhooks/${name}`, { method: "DELETE" }).finally(load);
    askFirst(t.of(t.remove, name), t.removeText(waiting), t.remove, submit);
  }

  return end;
}

function stateOf({ disabled_at: disabled, failing_since: failing }) {
  if (disabled) return pill(t.disabled, "bad");
  return failing ? [pill(t.failing, "warn"), " ", when(failing)] : pill(t.active, "ok");
}

async function add(changed) {
  const kinds = Object.entries(t.groups).map(([name, label]) => ({
    name,
    label,
    control: h("input", { type: "checkbox", checked: name === "order" }),
  }));
  const made = await formDialog({
    id: "webhook",
    title: t.add,
    body: t.addText,
    fields: [
      {
        name: "name",
        label: names.name,
        hint: t.nameHint,
        control: h("input", { maxlength: "32", autocapitalize: "none", spellcheck: "false" }),
        check: (value) => (NAME.test(value) ? null : t.nameWrong),
      },
      {
        name: "url",
        label: t.url,
        control: h("input", { type: "url", maxlength: "500", placeholder: "https://", autocapitalize: "none", spellcheck: "false" }),
        check: (value) => (/^https?:\/\/./.test(value) ? null : t.urlWrong),
      },
      ...kinds,
    ],
    action: t.add,
    submit: ({ name, url, ...ticked }) =>
      ask("/api/webhooks", { method: "POST", body: { name, url, kinds: Object.keys(ticked).filter((each) => ticked[each]) } }),
  });
  if (!made) return;
  await showSecret(t.made, t.once, made.secret);
  changed();
}
