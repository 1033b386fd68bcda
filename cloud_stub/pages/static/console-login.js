// The login: the page of it, and the dialog over a view whose session has ended, which keeps what was typed there.

import { modal } from "./console-dialog.js";
import { form } from "./console-form.js";
import { h } from "./dom.js";
import { logIn, logOut } from "./console-session.js";
import { words } from "./say.js";

const t = (await words("console-words")).login;

function loginForm(body, after, buttons, done) {
  const control = h("input", {
    type: "password",
    autocomplete: "current-password",
    spellcheck: "false",
    autofocus: true,
  });
  return form({
    id: "login",
    body,
    fields: [{ name: "token", label: t.token, control }],
    after,
    action: t.action,
    buttons,
    async submit({ token }) {
      try {
        await logIn(token);
      } catch (problem) {
        if (problem.code !== "Unauthorized") throw problem;
        control.select();
        problem.members.errors = [{ field: "token", text: t.wrong }];
        throw problem;
      }
      done();
    },
  }).element;
}

/** The page; `language` is its switch. */
export function loginPage(brand, language, done) {
  const box = loginForm([brand, t.about], h("p.muted.small", t.where), [], done);
  box.classList.add("card", "login");
  return h("main.login-page", h("div", box, h("p.center", language)));
}

/** Resolves once somebody has logged in again. */
export const loginAgain = () =>
  modal(
    t.ended,
    (close) =>
      loginForm(t.again, [], h("button.button", { type: "button", onclick: logOut }, t.logOut), () => close(true)),
    { className: "covering", lasting: true },
  );
