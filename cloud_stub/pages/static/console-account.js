// Who is signed in, what that one may do, and its own password.

import { notice } from "./console-dialog.js";
import { form } from "./console-form.js";
import { facts, h, heading, section, show, when } from "./console-parts.js";
import { ask, who } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = await words("console-words-people");

export function open(root) {
  const me = who();
  const box = h("div.own-password");
  const { element, unsaved } = passwordForm(() => show(box, h("p.hint", t.passwordChanged)));
  show(box, element);
  show(
    root,
    heading(me.kind === "script" ? t.operatorToken : me.name),
    section(
      t.account,
      facts([
        [t.role, me.role && (t.roles[me.role] ?? me.role)],
        [t.mayDo, me.permissions.map((each) => t.permissions[each] ?? each).join(", ")],
        [t.sessionEnds, me.expires_at && when(me.expires_at)],
      ]),
      me.kind === "user" ? null : h("p.muted", t.noAccount),
    ),
    me.kind === "user" && section(t.ownPassword, box),
  );
  const end = () => {};
  end.unsaved = () => me.kind === "user" && element.isConnected && unsaved();
  return end;
}

function passwordForm(done) {
  const secret = (autocomplete) => h("input", { type: "password", autocomplete, maxlength: "200" });
  return form({
    id: "own",
    fields: [
      { name: "old", label: t.oldPassword, control: secret("current-password"), check: (value) => (value ? null : t.missing) },
      {
        name: "new",
        label: t.newPassword,
        hint: t.passwordHint,
        control: secret("new-password"),
        check: (value) => (value.length >= 10 ? null : t.passwordShort),
      },
      {
        name: "again",
        label: t.newAgain,
        control: secret("new-password"),
        check: (value, all) => (value === all.new ? null : t.notSame),
      },
    ],
    action: names.save,
    async submit({ old, new: next }) {
      await ask("/api/session/password", { method: "PUT", body: { old, new: next } });
      notice(t.passwordChanged);
      done();
    },
  });
}
