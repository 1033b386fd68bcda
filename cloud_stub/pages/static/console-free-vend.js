// Free charging: codes and sites that make orders free.

import { notice } from "./console-dialog.js";
import { askFirst, formDialog } from "./console-form.js";
import { crumbs, explain, h, heading, here, pill, show, table, when, whoWords } from "./console-parts.js";
import { copyButton, showSecret } from "./console-secret.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const { names, tabs } = await words("console-words");
const t = (await words("console-words-payments")).free;
const PAGE = 100;
const WHY_MAX = 200; // as the API takes it
const MOST = 1_000_000_000_000;

export function open(root) {
  const list = h("div.card");
  const more = h("button.button.small", { hidden: true, onclick: () => load(next) }, names.older);
  let items = [];
  let sites = [];
  let next = null;
  let ended = false;

  async function load(before) {
    try {
      const path = `/api/free-vend?limit=${PAGE}` + (before ? "&before=" + encodeURIComponent(before) : "");
      const [page, known] = await Promise.all([ask(path), ask("/api/sites?limit=500")]);
      if (ended) return;
      items = [...(before ? items : []), ...page.items];
      next = page.next;
      sites = known.items;
      more.hidden = !next;
      show(list, grantTable(items, sites, load));
    } catch (problem) {
      if (!ended) show(list, h("p.empty", { role: "alert" }, explain(problem)));
    }
  }

  show(
    root,
    crumbs([tabs.payments, "#/payments"], [t.title]),
    heading(t.title, h("button.button", { onclick: async () => (await add(sites)) && load() }, t.add)),
    h("p.lead", t.about),
    list,
    h("div.pager", more),
  );
  load();
  return () => (ended = true);
}

function stateOf({ revoked_at: revoked, until_at: until, uses_max: most, uses }) {
  if (revoked !== null) return "revoked";
  if (until !== null && until <= Date.now() / 1000) return "expired";
  return most !== null && uses >= most ? "usedUp" : "valid";
}

function grantTable(items, sites, changed) {
  const columns = [t.code, t.where, names.why, t.uses, t.until, t.by, names.state, ""];
  const rows = items.map((each) => {
    const state = stateOf(each);
    const site = sites.find((one) => one.site_id === each.site_id);
    const name = each.code ?? site?.name ?? each.site_id;
    const isValid = state === "valid";
    return [
      each.code ? [h("span.mono", each.code), isValid && [" ", copyButton(each.code, t.copy(each.code))]] : t.everybody,
      each.site_id ? h("a", { href: "#/sites/" + encodeURIComponent(each.site_id) }, site?.name ?? each.site_id) : t.everywhere,
      each.reason,
      each.uses_max === null ? here.count(each.uses) : t.ofMost(here.count(each.uses), here.count(each.uses_max)),
      each.until_at === null ? t.forever : when(each.until_at),
      [when(each.created_at), h("div.muted.small", whoWords(each.actor))],
      pill(t.states[state], isValid ? "ok" : "off"),
      state !== "revoked" &&
        h(
          "button.button.small.danger",
          {
            "aria-label": t.revokeOf(name),
            onclick: async () => (await revoke(each, name)) && changed(),
          },
          t.revoke,
        ),
    ];
  });
  return table(t.title, columns, rows, t.none);
}

const revoke = ({ grant_id: id }, name) =>
  askFirst(t.revokeOf(name), t.revokeText, t.revoke, () => ask("/api/free-vend/" + encodeURIComponent(id), { method: "DELETE" }));

/** The end of a day as this browser has it, in Unix seconds; null for no day. */
function endOf(day) {
  if (!day) return null;
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + 1).getTime() / 1000;
}

/** Resolves to the grant that was made, null where the dialog was left. */
async function add(sites) {
  const option = (value, text) => h("option", { value }, text);
  const isNumber = (text) => /^\d{1,13}$/.test(text) && Number(text) >= 1 && Number(text) <= MOST;
  const made = await formDialog({
    id: "free",
    title: t.add,
    fields: [
      {
        name: "who",
        label: t.who,
        control: h("select", option("code", t.whoCode), sites.length > 0 && option("site", t.whoSite)),
      },
      {
        name: "site_id",
        label: names.site,
        control: h(
          "select",
          option("", t.everywhere),
          sites.map((each) => option(each.site_id, each.name)),
        ),
        check: (value, { who }) => (value || who === "code" ? null : t.siteWrong),
      },
      {
        name: "reason",
        label: names.why,
        hint: t.reasonHint,
        control: h("input", { maxlength: String(WHY_MAX) }),
        check: (value) => (value ? null : t.reasonWrong),
      },
      {
        name: "uses_max",
        label: t.most,
        hint: t.mostHint,
        control: h("input", { inputmode: "numeric", size: "8", maxlength: "13" }),
        check: (text) => (!text || isNumber(text) ? null : t.mostWrong),
      },
      {
        name: "until_at",
        label: t.last,
        hint: t.lastHint,
        control: h("input", { type: "date" }),
        check: (day) => (!day || endOf(day) > Date.now() / 1000 ? null : t.lastWrong),
      },
    ],
    action: t.action,
    submit: ({ who, site_id, reason, uses_max, until_at }) =>
      ask("/api/free-vend", {
        method: "POST",
        body: {
          reason,
          with_code: who === "code",
          site_id: site_id || null,
          uses_max: uses_max ? Number(uses_max) : null,
          until_at: endOf(until_at),
        },
      }),
  });
  if (made?.code) await showSecret(t.made, t.madeText, made.code);
  else if (made) notice(t.madeSite);
  return made;
}
