// API tokens: for programs, with a scope and an end. The text of one is shown once.

import { askFirst, formDialog } from "./console-form.js";
import { h, pill, table, when, whoWords } from "./console-parts.js";
import { showSecret } from "./console-secret.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = await words("console-words-people");
const DAYS_MAX = 366;

/** [the button that makes one, the table]. permissions: all there are; changed(): reads all again. */
export function tokens(items, permissions, changed) {
  const now = Date.now() / 1000;
  const columns = [names.name, t.scope, t.ends, t.lastUsed, t.madeBy, ""];
  const rows = items.map((each) => [
    h("a", { href: "#/audit?account=" + encodeURIComponent("token:" + each.name) }, each.name),
    each.permissions.map((permission) => t.permissions[permission] ?? permission).join(", "),
    each.expires_at > now ? when(each.expires_at) : pill(t.ended, "off"),
    when(each.used_at),
    whoWords(each.created_by),
    h(
      "button.button.small.danger",
      {
        "aria-label": t.of(t.revoke, each.name),
        onclick: async () => (await revoke(each)) && changed(),
      },
      t.revoke,
    ),
  ]);
  const button = h("button.button", { onclick: () => addToken([...new Set(permissions)], changed) }, t.addToken);
  return [button, table(t.tokens, columns, rows, t.noTokens)];
}

const revoke = ({ token_id, name }) =>
  askFirst(t.of(t.revoke, name), t.revokeText, t.revoke, () => ask("/api/tokens/" + encodeURIComponent(token_id), { method: "DELETE" }));

async function addToken(permissions, changed) {
  const scope = permissions.map((permission) => ({
    name: permission,
    label: t.permissions[permission] ?? permission,
    control: h("input", { type: "checkbox", checked: permission === "read" }),
  }));
  const made = await formDialog({
    id: "token",
    title: t.addToken,
    body: t.tokenAbout,
    fields: [
      {
        name: "name",
        label: names.name,
        hint: t.tokenHint,
        control: h("input", { maxlength: "32", autocapitalize: "none", spellcheck: "false" }),
        check: (value) => (/^[a-z0-9][a-z0-9._-]{0,31}$/.test(value) ? null : t.nameWrong),
      },
      {
        name: "days",
        label: t.days,
        control: h("input", { type: "number", min: "1", max: String(DAYS_MAX), value: "90" }),
        check: (value) => (Number.isInteger(Number(value)) && value >= 1 && value <= DAYS_MAX ? null : t.daysWrong(DAYS_MAX)),
      },
      ...scope,
    ],
    action: t.addToken,
    submit: ({ name, days, ...ticked }) =>
      ask("/api/tokens", {
        method: "POST",
        body: { name, days: Number(days), permissions: permissions.filter((each) => ticked[each]) },
      }),
  });
  if (!made) return;
  await showSecret(t.tokenMade, t.tokenOnce, made.token);
  changed();
}
