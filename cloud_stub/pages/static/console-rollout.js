// One rollout: how far each wave and each pile is, live, and what an operator can do about it.

import { askFirst } from "./console-form.js";
import { keepingFocus, renew } from "./console-keep.js";
import { busy, crumbs, facts, failure, figures, h, heading, here, section, show, table, when, wideOnly } from "./console-parts.js";
import { failed, open as openCount, progressPill, rolloutPill, selectionText, whatOf } from "./console-rollout-parts.js";
import { ask, may, poll } from "./console-session.js";
import { words } from "./say.js";

const common = await words("console-words");
const all = await words("console-words-updates");
const t = all.one;
const EVERY_MS = 2000;
const PAGE = 100;
const ENDED = ["Finished", "Cancelled"];

export function open(root, _params, id) {
  const path = "/api/rollouts/" + encodeURIComponent(id);
  const [head, waves, piles] = [h("div.stack"), h("div"), h("div")];
  let before = [null];
  let after = null;
  let endPiles = () => {};
  const pager = h("div.pager");
  show(root, crumbs([common.tabs.updates, "#/updates"], [t.title(id)]), head, section(t.progress, waves), section(t.piles, piles, pager));
  const fail = (problem) => {
    end();
    show(root, failure(problem, "#/updates"));
  };
  const endHead = poll(
    path,
    EVERY_MS,
    (rollout) => {
      document.title = common.title(t.title(rollout.rollout_id));
      keepingFocus(head, () => drawHead(head, rollout, path));
      renew(waves, waveTable(rollout));
    },
    fail,
  );

  function look(to) {
    endPiles();
    before = to;
    const query = new URLSearchParams({ limit: PAGE, ...(to.at(-1) && { after: to.at(-1) }) });
    endPiles = poll(`${path}/piles?${query}`, EVERY_MS, drawPiles, fail);
  }

  function drawPiles({ items, next }) {
    after = next;
    renew(piles, pileTable(items));
    const button = (text, enabled, onclick) => h("button.button.small", { type: "button", disabled: !enabled, onclick }, text);
    pager.hidden = before.length === 1 && !next;
    renew(pager, [
      button(common.names.previous, before.length > 1, () => look(before.slice(0, -1))),
      button(common.names.next, Boolean(next), () => look([...before, after])),
    ]);
  }

  function end() {
    endHead();
    endPiles();
  }
  look([null]);
  return end;
}

function drawHead(root, rollout, path) {
  const change = (name) => (event) => {
    const submit = async () => drawHead(root, await ask(`${path}/${name}`, { method: "POST" }), path);
    if (name !== "cancel") return busy(event.target, submit);
    return askFirst(t.cancelTitle(rollout.rollout_id), t.cancelText, t.cancel, submit);
  };
  const button = (name, tone = "") => h("button", { class: "button " + tone, type: "button", onclick: change(name) }, t[name]);
  const going = rollout.state === "Running";
  const actions =
    may("release") && !ENDED.includes(rollout.state)
      ? [going ? button("pause") : button("resume", "primary"), button("cancel", "danger")]
      : [];
  show(
    root,
    heading([t.title(rollout.rollout_id), " ", rolloutPill(rollout.state)], actions),
    rollout.halted_why && h("p.hint.warn", { role: "status" }, t.halted(rollout.halted_why)),
    h(
      "div.card.panel",
      facts([
        [t.facts.what, whatOf(rollout)],
        [t.facts.values, rollout.config && valuesText(rollout.config)],
        [t.facts.to, selectionText(rollout.selection)],
        [t.facts.began, when(rollout.created_at)],
        [t.facts.deadline, when(rollout.deadline_at)],
        [t.facts.ended, rollout.ended_at && when(rollout.ended_at)],
        [t.facts.lostMax, here.count(rollout.lost_max)],
      ]),
    ),
  );
}

const valuesText = (config) =>
  Object.entries(config)
    .map(([name, value]) => `${name}: ${value && typeof value === "object" ? Object.values(value).join(" ") : (value ?? "–")}`)
    .join(", ");

function waveTable({ waves, wave: latest, states }) {
  const rows = waves.map((counted, at) => {
    const total = Object.values(counted).reduce((sum, piles) => sum + piles, 0);
    const done = total - openCount(counted);
    const label = t.bar(here.count(done), here.count(total));
    return [
      t.waveName(at + 1),
      h("meter", { min: "0", max: String(total), value: String(done), "aria-label": label, title: label }),
      at < latest ? t.waveCounts(here.count(counted.Confirmed ?? 0), here.count(total)) : t.notYet,
      here.count(failed(counted)),
    ];
  });
  const left = states.LeftOut;
  const c = all.list.columns;
  const columns = [c.wave, t.progress, figures(c.done), figures(c.lost)];
  return h("div", table(t.progress, columns, rows), left ? h("p.muted.small", `${all.states.LeftOut}: ${here.count(left)}`) : null);
}

function pileTable(items) {
  const c = all.list.columns;
  const columns = [c.pile, figures(c.wave), common.names.state, wideOnly(c.changed)];
  const rows = items.map((each) => [
    h("a", { href: "#/piles/" + encodeURIComponent(each.device_id) }, each.name),
    each.wave ? String(each.wave) : "–",
    progressPill(each),
    when(each.changed_at),
  ]);
  return table(t.piles, columns, rows);
}
