// A site in a central system (OCPP): at which rate it may start orders, and the connections of the site's piles.

import { changeDialog } from "./console-form.js";
import { renew } from "./console-keep.js";
import { facts, h, pill, section, table, when } from "./console-parts.js";
import { ask, may, poll } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = await words("console-words-ocpp");
const EVERY_MS = 5000;
const SHOWN = 500;
const RATE_ID = /^[A-Za-z0-9_-]{1,40}$/;
const COLORS = { Accepted: "ok", Rejected: "bad" };

export function open(place, { id, path, fail }) {
  const body = h("div");
  const setting = h("div");
  place.append(section(t.title, setting, body));
  const drawSetting = ({ remote_start_rate_id: rate }) =>
    renew(setting, [
      facts([[t.remoteStart, rate ? h("span.mono", rate) : t.rejected]]),
      may("price") && h("button.button.small", { onclick: () => change(path, rate).then((site) => site && drawSetting(site)) }, t.change),
    ]);
  ask(path).then(drawSetting, fail);
  return poll(`/api/charge-points?limit=${SHOWN}&site_id=${encodeURIComponent(id)}`, EVERY_MS, ({ items }) => draw(body, items), fail);
}

function draw(root, items) {
  const columns = [t.pile, t.state, t.unsent, t.errors].map((title) => ({ title }));
  const rows = items.map((each) => [
    h("a", { href: "#/piles/" + encodeURIComponent(each.device_id) }, each.device_id),
    [pill(t.states[each.state] ?? each.state, COLORS[each.state] ?? "warn"), h("div.muted.small", when(each.changed_at))],
    [String(each.unsent), each.waits_for && h("div.muted.small", t.waitsFor(each.waits_for))],
    [
      Object.entries(each.errors)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(", ") || "–",
      each.last_error && h("div.muted.small", each.last_error),
    ],
  ]);
  renew(root, table(t.title, columns, rows, t.none));
}

const change = (path, rate) =>
  changeDialog({
    was: { rate_id: rate ?? "", agreement: "" },
    id: "remote-start",
    title: t.remoteStart,
    body: t.changeText,
    fields: [
      {
        name: "rate_id",
        label: names.rate,
        hint: t.rateHint,
        control: h("input", { value: rate ?? "", maxlength: "40", spellcheck: "false" }),
        check: (value) => (!value || RATE_ID.test(value) ? null : t.rateWrong),
        shown: (value) => value ?? t.rejected,
      },
      {
        name: "agreement",
        label: t.agreement,
        hint: t.agreementHint,
        control: h("input", { maxlength: "300" }),
        check: (value) => (value ? null : t.agreementWrong),
      },
    ],
    action: names.save,
    submit({ rate_id = rate, agreement }, seen) {
      const body = { rate_id: rate_id || null, agreement, replaces: { rate_id: seen.rate_id || null } };
      return ask(path + "/remote-start", { method: "PUT", body });
    },
  });
