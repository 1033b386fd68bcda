// The login: the page of it, and the dialog over a view whose session has ended, which keeps what was typed there.

import { modal } from "./console-dialog.js";
import { form } from "./console-form.js";
import { h, show } from "./dom.js";
import { logIn, logOut, usesToken } from "./console-session.js";
import { words } from "./say.js";

const t = (await words("console-words")).login;

/** The form of one way to sign in, with a button to the other: by name and password, or by the operator token. */
function loginForm(body, buttons, done, byToken = usesToken()) {
  const box = h("div");
  const draw = (by) => {
    const made = by ? tokenForm(body, buttons, other, done) : accountForm(body, buttons, other, done);
    show(box, made);
    box.querySelector("input").focus();
    byToken = by;
  };
  const other = (text) =>
    h("p.center", h("button.plain.link-like", { type: "button", id: "login-other", onclick: () => draw(!byToken) }, text));
  draw(byToken);
  return box;
}

function accountForm(body, buttons, other, done) {
  const name = h("input", { autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: "100", autofocus: true });
  const password = h("input", { type: "password", autocomplete: "current-password", maxlength: "1000" });
  const fields = [
    { name: "name", label: t.name, control: name },
    { name: "password", label: t.password, control: password },
  ];
  return signInForm({ body, fields, buttons, after: other(t.useToken) }, done, "SignInRefused", (problem) => {
    password.select();
    problem.members.errors = [{ field: "password", text: t.refused }];
  });
}

function tokenForm(body, buttons, other, done) {
  const control = h("input", { type: "password", autocomplete: "off", spellcheck: "false", autofocus: true });
  const fields = [{ name: "token", label: t.token, hint: t.where, control }];
  return signInForm({ body, fields, buttons, after: other(t.useAccount) }, done, "Unauthorized", (problem) => {
    control.select();
    problem.members.errors = [{ field: "token", text: t.wrong }];
  });
}

/** refused(problem): says at a field what is wrong, where the cloud answers with `code`. */
function signInForm(parts, done, code, refused) {
  return form({
    id: "login",
    ...parts,
    action: t.action,
    async submit(values) {
      try {
        await logIn(values);
      } catch (problem) {
        if (problem.code === code) refused(problem);
        throw problem;
      }
      done();
    },
  }).element;
}

/** The page; `language` is its switch. */
export function loginPage(brand, language, done) {
  const box = loginForm([brand, t.about], [], done);
  box.classList.add("card", "login");
  return h("main.login-page", h("div", box, h("p.center", language)));
}

/** Resolves once somebody has logged in again. */
export const loginAgain = () =>
  modal(t.ended, (close) => loginForm(t.again, h("button.button", { type: "button", onclick: logOut }, t.logOut), () => close(true)), {
    className: "covering",
    lasting: () => true,
  });
