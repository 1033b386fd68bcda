// Who is signed in to the console, and from where.

import { busy, h, pill, table, when } from "./console-parts.js";
import { ask, who } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = await words("console-words-people");

/** [no button, the table]; changed(): reads all again. */
export function signedIn(items, changed) {
  const columns = [names.name, t.since, t.lastUsed, t.from, ""];
  const rows = items.map((each) => [
    each.user_name,
    when(each.created_at),
    when(each.used_at),
    [h("div", each.address), h("div.muted.small", browserOf(each.browser))],
    each.session_id === who().session_id
      ? pill(t.thisOne, "ok")
      : h(
          "button.button.small",
          {
            "aria-label": t.of(t.end, each.user_name),
            onclick: async (event) => (await busy(event.target, () => end(each))) && changed(),
          },
          t.end,
        ),
  ]);
  return [null, table(t.sessions, columns, rows, t.noSessions)];
}

const end = ({ session_id }) => ask("/api/sessions/" + encodeURIComponent(session_id), { method: "DELETE" });

/** "Firefox, Windows" of a browser's long name for itself; its beginning where nothing is known of it. */
function browserOf(agent) {
  const name = ["Edg", "OPR", "Firefox", "Chrome", "Safari"].find((each) => agent.includes(each + "/"));
  const system = ["Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux"].find((each) => agent.includes(each));
  const known = [{ Edg: "Edge", OPR: "Opera" }[name] ?? name, system].filter(Boolean);
  return known.length ? known.join(", ") : agent.slice(0, 40);
}
