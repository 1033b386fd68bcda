// One site: its address and contact, its tariff, and the piles there.

import { notice } from "./console-dialog.js";
import { askFirst, changeDialog, formDialog } from "./console-form.js";
import { keepingFocus } from "./console-keep.js";
import { named } from "./console-names.js";
import { busy, crumbs, facts, failure, h, heading, pill, section, show, table } from "./console-parts.js";
import { openSections } from "./console-sections.js";
import { ask, download, may } from "./console-session.js";
import { fieldsOf, zones } from "./console-sites.js";
import { words } from "./say.js";

const { names, tabs } = await words("console-words");
const t = await words("console-words-sites");
const PILES = 500;

export function open(root, _params, id) {
  const path = "/api/sites/" + encodeURIComponent(id);
  let ended = false;
  const [body, below] = [h("div.stack"), h("div.stack")];
  show(root, body, below);
  const sections = openSections("site", { kind: "site", id, path, fail }, below);

  function fail(problem) {
    end();
    show(root, failure(problem, "#/sites"));
  }

  async function load() {
    try {
      const found = await Promise.all([ask(path), ask(`/api/piles?limit=${PILES}&site_id=${encodeURIComponent(id)}`)]);
      if (!ended) keepingFocus(body, () => draw(...found));
    } catch (problem) {
      if (!ended) fail(problem);
    }
  }

  function draw(site, { items }) {
    show(
      body,
      crumbs([tabs.sites, "#/sites"], [site.name]),
      heading(
        site.name,
        site.piles > 0 && h("button.button.small", { onclick: (event) => busy(event.target, labels) }, t.labels),
        may("register") && h("button.button.small", { onclick: () => change(site) }, t.change),
        may("register") && h("button.button.small", { onclick: move }, t.move),
        may("register") && h("button.button.small.danger", { onclick: () => remove(site) }, names.remove),
      ),
      section(
        t.about,
        facts([
          [names.id, h("span.mono", site.site_id)],
          [t.address, site.address || null],
          [t.contact, site.contact || null],
          [t.zone, site.time_zone],
          [names.tariff, site.tariff_id && named("tariffs", site.tariff_id)],
        ]),
      ),
      section(
        t.there(site.piles),
        table(
          t.piles,
          [names.pile, names.state, t.tags],
          items.map((each) => [
            [
              h("a", { href: "#/piles/" + encodeURIComponent(each.device_id) }, each.name),
              each.name !== each.device_id && h("div.mono.muted.small", each.device_id),
            ],
            each.online ? pill(t.states.online, "ok") : pill(t.states.offline, "off"),
            each.tags.join(" ") || "–",
          ]),
          t.nobody,
        ),
      ),
    );
  }

  const labels = () => download("/api/labels.pdf?selection=" + encodeURIComponent("site:" + id), `labels-${id}.pdf`);

  async function change(site) {
    const done = await changeDialog({
      was: site,
      id: "site",
      title: t.change,
      body: t.changeText,
      fields: fieldsOf(site),
      after: zones(),
      action: names.save,
      submit: (body) => ask(path, { method: "PATCH", body }),
    });
    if (done) load();
  }

  async function move() {
    const done = await formDialog({
      id: "move",
      title: t.move,
      body: t.moveText,
      fields: [
        {
          name: "selection",
          label: t.selection,
          hint: t.selectionHint,
          control: h("input", { maxlength: "64", spellcheck: "false" }),
          check: (value) => (value ? null : t.selectionWrong),
        },
      ],
      action: t.moveAction,
      submit: ({ selection }) =>
        ask("/api/pile-moves", {
          method: "POST",
          body: { selection: /^(pile|tag|site):|^all$/.test(selection) ? selection : "pile:" + selection, site_id: id },
        }),
    });
    if (!done) return;
    notice(t.moved(done.device_ids.length));
    load();
  }

  async function remove({ name }) {
    const submit = () => ask(path, { method: "DELETE" });
    if (await askFirst(t.removeTitle(name), t.removeText, names.remove, submit)) location.hash = "#/sites";
  }

  function end() {
    ended = true;
    sections();
  }

  load();
  return end;
}
