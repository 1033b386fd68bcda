// Who may do what: accounts, their sessions, API tokens. Each is a table that is read again after a change.

import { accounts } from "./console-people-accounts.js";
import { signedIn } from "./console-people-sessions.js";
import { tokens } from "./console-people-tokens.js";
import { h, heading, section, show } from "./console-parts.js";
import { openLoaded } from "./console-sections.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const t = await words("console-words-people");

export function open(root) {
  const place = h("div.stack");
  show(root, place);
  const read = () => Promise.all(["/api/roles", "/api/users", "/api/sessions", "/api/tokens"].map((path) => ask(path)));

  function draw([roles, users, sessions, issued]) {
    const parts = [
      [t.accounts, accounts(users.items, roles, load)],
      [t.sessions, signedIn(sessions.items, load)],
      [t.tokens, tokens(issued.items, Object.values(roles).flat(), load)],
    ];
    show(
      place,
      heading(t.title, h("a.button", { href: "#/webhooks" }, t.webhooks)),
      parts.map(([title, [button, list]]) => section(title, button && h("p", button), list)),
    );
  }

  const { load, end } = openLoaded(place, read, draw, "#/piles");
  return end;
}
