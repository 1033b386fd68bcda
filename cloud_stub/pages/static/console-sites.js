// The sites, and how many piles are there.

import { formDialog } from "./console-form.js";
import { named } from "./console-names.js";
import { failure, h, heading, show, table, wideOnly } from "./console-parts.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const { names, tabs } = await words("console-words");
const t = await words("console-words-sites");
const ID = /^[A-Za-z0-9_-]{1,32}$/;

export function open(root) {
  let ended = false;
  ask("/api/sites?limit=500").then(
    ({ items }) => ended || draw(root, items),
    (problem) => ended || show(root, failure(problem, "#/sites")),
  );
  return () => {
    ended = true;
  };
}

function draw(root, items) {
  const columns = [t.name, t.piles, wideOnly(t.address), wideOnly(t.zone), names.tariff];
  show(
    root,
    heading(tabs.sites, may("register") && h("button.button", { onclick: addSite }, t.add)),
    h(
      "div.card",
      table(
        tabs.sites,
        columns,
        items.map((site) => [
          [h("a.row-link", { href: "#/sites/" + encodeURIComponent(site.site_id) }, site.name), h("div.mono.muted.small", site.site_id)],
          t.online(site.online, site.piles),
          site.address || "–",
          site.time_zone,
          site.tariff_id ? named("tariffs", site.tariff_id) : "–",
        ]),
        t.none,
      ),
    ),
  );
}

/** The fields that a site's form has, with what the site says now. */
export const fieldsOf = (site = {}) => [
  {
    name: "name",
    label: t.name,
    control: h("input", { maxlength: "100", value: site.name ?? "" }),
    check: (value) => (value ? null : names.nameWrong),
  },
  { name: "address", label: t.address, control: h("input", { maxlength: "300", value: site.address ?? "" }) },
  {
    name: "time_zone",
    label: t.zone,
    hint: t.zoneHint,
    control: h("input", {
      maxlength: "64",
      spellcheck: "false",
      list: "zones",
      value: site.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    }),
    check: (value) => (value ? null : t.zoneWrong),
  },
  { name: "contact", label: t.contact, control: h("input", { maxlength: "300", value: site.contact ?? "" }) },
];

/** The time zones to choose from, for the form. */
export const zones = () =>
  h(
    "datalist",
    { id: "zones" },
    (Intl.supportedValuesOf?.("timeZone") ?? []).map((value) => h("option", { value })),
  );

async function addSite() {
  const [name, ...rest] = fieldsOf();
  const made = await formDialog({
    id: "site",
    title: t.add,
    fields: [
      name,
      {
        name: "site_id",
        label: names.id,
        hint: names.idHint,
        control: h("input", { maxlength: "32", spellcheck: "false" }),
        check: (value) => (ID.test(value) ? null : names.idWrong),
      },
      ...rest,
    ],
    after: zones(),
    action: t.add,
    submit: (body) => ask("/api/sites", { method: "POST", body }),
  });
  if (made) location.hash = "#/sites/" + encodeURIComponent(made.site_id);
}
