// The accounts of operators: added, given a role or a password, disabled, removed.

import { notice } from "./console-dialog.js";
import { askFirst, changeDialog, formDialog } from "./console-form.js";
import { busy, h, pill, table, when } from "./console-parts.js";
import { ask, who } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = await words("console-words-people");
const pathOf = (name) => "/api/users/" + encodeURIComponent(name);

/** [the button that adds one, the table]. roles: {role: permissions}; changed(): reads all again. */
export function accounts(items, roles, changed) {
  const columns = [names.name, t.role, names.state, t.signedIn, ""];
  const rows = items.map((user) => [
    h("a", { href: "#/audit?account=" + encodeURIComponent(user.name) }, user.name),
    t.roles[user.role] ?? user.role,
    user.disabled_at === null ? pill(t.active, "ok") : pill(t.disabled, "off"),
    when(user.signed_in_at),
    actions(user, roles, changed),
  ]);
  const button = h("button.button.primary", { onclick: async () => (await addAccount(roles)) && changed() }, t.add);
  return [button, table(t.accounts, columns, rows, t.noAccounts)];
}

function actions(user, roles, changed) {
  const act = (text, work, className = "button small") =>
    h(
      "button",
      {
        class: className,
        "aria-label": t.of(text, user.name),
        onclick: async (event) => (await work(event.target)) && changed(),
      },
      text,
    );
  return h(
    "span.group",
    act(t.setRole, () => changeRole(user, roles)),
    user.name === who().name ? null : act(t.setPassword, () => resetPassword(user)),
    act(user.disabled_at === null ? t.disable : t.enable, (button) => setDisabled(button, user)),
    act(t.remove, () => removeAccount(user), "button small danger"),
  );
}

const passwordField = () => ({
  name: "password",
  label: t.password,
  hint: t.passwordHint,
  control: h("input", { type: "password", autocomplete: "new-password", maxlength: "200" }),
  check: (value) => (value.length >= 10 ? null : t.passwordShort),
});

function roleField(roles, chosen) {
  const options = Object.keys(roles).map((role) => h("option", { value: role, selected: role === chosen }, t.roles[role] ?? role));
  return { name: "role", label: t.role, hint: t.roleHint, control: h("select", options), shown: (role) => t.roles[role] ?? role };
}

const addAccount = (roles) =>
  formDialog({
    id: "account",
    title: t.add,
    fields: [
      {
        name: "name",
        label: names.name,
        hint: t.nameHint,
        control: h("input", { maxlength: "32", autocapitalize: "none", spellcheck: "false" }),
        check: (value) => (/^[a-z0-9][a-z0-9._-]{0,31}$/.test(value) ? null : t.nameWrong),
      },
      roleField(roles, "viewer"),
      passwordField(),
    ],
    action: t.add,
    submit: (body) => ask("/api/users", { method: "POST", body }),
  });

const changeRole = (user, roles) =>
  changeDialog({
    was: user,
    id: "role",
    title: t.of(t.setRole, user.name),
    fields: [roleField(roles, user.role)],
    action: names.save,
    submit: (body) => ask(pathOf(user.name) + "/role", { method: "PUT", body }),
  });

const resetPassword = (user) =>
  formDialog({
    id: "password",
    title: t.of(t.setPassword, user.name),
    body: t.passwordEnds,
    fields: [passwordField()],
    action: names.save,
    submit: (body) => ask(pathOf(user.name) + "/password", { method: "PUT", body }),
  });

async function setDisabled(button, user) {
  const disabled = user.disabled_at === null;
  const submit = () => ask(pathOf(user.name) + "/disabled", { method: "PUT", body: { disabled } });
  if (!disabled) return busy(button, submit);
  return askFirst(t.of(t.disable, user.name), t.disableText, t.disable, submit);
}

async function removeAccount(user) {
  const done = await askFirst(t.of(t.remove, user.name), t.removeText, t.remove, () => ask(pathOf(user.name), { method: "DELETE" }));
  if (done) notice(t.removed(user.name));
  return done;
}
