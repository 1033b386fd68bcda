// On the page of a pile: its site, its tags and its tariff.

import { renew } from "./console-keep.js";
import { formDialog } from "./console-form.js";
import { named } from "./console-names.js";
import { facts, h, section } from "./console-parts.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const { none, names } = await words("console-words");
const t = await words("console-words-sites");

function tariffOf({ device_id: id, site_id: site, tariff_id: tariff }) {
  if (!tariff) return site ? t.tariffOfSite : none;
  if (tariff === "pile:" + id) return h("a", { href: `#/piles/${encodeURIComponent(id)}/rate` }, t.ownTariff);
  return named("tariffs", tariff);
}

export function open(place, { id }) {
  const body = h("div");
  place.append(section(t.ofPile, body));

  function update(pile) {
    renew(
      body,
      facts([
        [names.site, pile.site_id ? named("sites", pile.site_id) : none],
        [t.tags, pile.tags.join(" ") || none],
        [names.tariff, tariffOf(pile)],
      ]),
      may("register") && pile.removed_at === null && h("p", h("button.button.small", { onclick: () => edit(pile) }, t.change)),
    );
  }

  async function edit(pile) {
    const { items } = await ask("/api/sites?limit=500");
    const select = h(
      "select",
      [["", none], ...items.map((each) => [each.site_id, each.name])].map(([value, text]) =>
        h("option", { value, selected: value === (pile.site_id ?? "") }, text),
      ),
    );
    await formDialog({
      id: "pile-site",
      title: t.ofPile,
      fields: [
        { name: "site_id", label: names.site, control: select },
        {
          name: "tags",
          label: t.tags,
          hint: t.tagsHint,
          control: h("input", { value: pile.tags.join(" "), maxlength: "600", spellcheck: "false" }),
        },
      ],
      action: names.save,
      async submit({ site_id: site, tags }) {
        const selection = "pile:" + id;
        const wanted = tags.split(/\s+/).filter(Boolean);
        if (site !== (pile.site_id ?? "")) await ask("/api/pile-moves", { method: "POST", body: { selection, site_id: site || null } });
        const add = wanted.filter((each) => !pile.tags.includes(each));
        const remove = pile.tags.filter((each) => !wanted.includes(each));
        if (add.length || remove.length) await ask("/api/tags", { method: "POST", body: { selection, add, remove } });
        return true;
      },
    });
  }

  const end = () => {};
  end.update = update;
  return end;
}
