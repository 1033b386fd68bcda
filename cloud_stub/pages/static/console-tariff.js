// One tariff: what holds, where it is assigned, and which piles and connectors it reaches.

import { loadCurrencies } from "./console-currency.js";
import { miniBar } from "./console-daybar.js";
import { askFirst, changeDialog, formDialog } from "./console-form.js";
import { keepingFocus } from "./console-keep.js";
import { named, nameText } from "./console-names.js";
import { crumbs, facts, failure, h, heading, moneyOf, section, show, table, when, whoWords } from "./console-parts.js";
import { openSections } from "./console-sections.js";
import { ask, may } from "./console-session.js";
import { priceRange } from "./console-tariffs.js";
import { words } from "./say.js";

const { names, tabs } = await words("console-words");
const all = await words("console-words-tariffs");
const t = all.tariff;
const REACHED = 100;
const TOLD = 10; // of the places where another tariff is

/** "connector:PILE-1/2": {text: in words, kind: of thing, id: its own, of: which names, end: the connector's number}. */
function parsed(place) {
  const [, kind, id, number] = /^(\w+):([^/]+)(?:\/(\d+))?$/.exec(place);
  const text = `${t.kinds[kind]} ${place.slice(kind.length + 1)}`;
  return { text, kind: t.kinds[kind], id, of: kind === "site" ? "sites" : "piles", end: number ? " · " + number : "" };
}

/** A place with its name: to draw, and as a text. */
function placeOf(place) {
  const { kind, id, of, end } = parsed(place);
  return [kind + " ", named(of, id), end];
}
async function placeText(place) {
  const { kind, id, of, end } = parsed(place);
  return `${kind} ${await nameText(of, id)}${end}`;
}

export function open(root, _params, id) {
  const path = "/api/tariffs/" + encodeURIComponent(id);
  let ended = false;
  const [body, below] = [h("div.stack"), h("div.stack")];
  show(root, body, below);
  const sections = openSections("tariff", { kind: "tariff", id, path, fail }, below);

  function fail(problem) {
    end();
    show(root, failure(problem, "#/tariffs"));
  }

  async function load() {
    try {
      const found = await Promise.all([
        ask(path),
        ask(`${path}/reach?limit=${REACHED}`),
        ask("/api/sites?limit=500"),
        ask("/api/tags"),
        loadCurrencies(),
      ]);
      if (!ended) keepingFocus(body, () => draw(...found));
    } catch (problem) {
      if (!ended) fail(problem);
    }
  }

  function draw(tariff, reached, sites, tags) {
    const own = "#/tariffs/" + encodeURIComponent(id);
    const isOfPile = id.startsWith("pile:");
    const prices = isOfPile ? `#/piles/${encodeURIComponent(id.slice(5))}/rate` : own + "/prices";
    show(
      body,
      crumbs([tabs.tariffs, "#/tariffs"], [tariff.name]),
      heading(
        tariff.name,
        h("a.button.small", { href: prices }, tariff.rate ? t.prices : t.firstPrices),
        may("price") && h("button.button.small", { onclick: () => rename(tariff) }, t.rename),
        may("price") && !isOfPile && h("button.button.small", { onclick: () => assignTo(sites.items, tags) }, t.assign),
        may("price") && h("button.button.small.danger", { onclick: () => remove(tariff) }, names.remove),
      ),
      h(
        "div.columns.even",
        section(t.holds, tariff.rate ? holds(tariff.rate) : h("p.empty", all.noVersion)),
        section(t.places, places(tariff.places)),
      ),
      section(t.reach, reach(reached)),
    );
  }

  const holds = (rate) => [
    miniBar(rate),
    facts([
      [t.price, priceRange(rate)],
      [names.fee, rate.session_fee_minor ? moneyOf(rate.session_fee_minor, rate) : null],
      [t.zone, rate.time_zone ?? names.zoneOfSite],
      [t.days, rate.days?.map((day) => day.name).join(", ")],
      [t.since, when(rate.from_at)],
      [t.by, rate.published_by && whoWords(rate.published_by)],
      [names.id, h("span.mono", id)],
    ]),
  ];

  const places = (found) =>
    table(
      t.places,
      [t.place, ""],
      found.map((place) => [
        placeOf(place),
        may("price") &&
          h(
            "button.button.small",
            { "aria-label": t.unassignOne(parsed(place).text), onclick: () => unassign(place) },
            t.unassign,
          ),
      ]),
      all.nowhere,
    );

  const reach = ({ items, next }) => [
    table(
      t.reach,
      [names.pile, names.site, t.columns.connectors],
      items.map((each) => [
        [
          h("a", { href: "#/piles/" + encodeURIComponent(each.device_id) }, each.name),
          each.name !== each.device_id && h("div.mono.muted.small", each.device_id),
        ],
        each.site_id ? named("sites", each.site_id) : "–",
        each.connectors.join(", ") || t.noConnector,
      ]),
      t.reachesNone,
    ),
    next && h("p.muted.small", t.first(REACHED)),
  ];

  const put = (places, tariff_id, replaces) => ask("/api/assignments", { method: "PUT", body: { places, tariff_id, replaces } });

  /** The piles with a tag as places; the tag itself where they are too many to be named. */
  async function taggedPlaces(tag) {
    const { items, next } = await ask(`/api/piles?limit=500&tag=${encodeURIComponent(tag)}`);
    return next || !items.length ? ["tag:" + tag] : items.map((each) => "pile:" + each.device_id);
  }

  /** Assign where nothing is; what else is there is told first, then `seen` has it and assigning again replaces it. */
  async function assign({ kind, places: name }, seen) {
    const places = kind === "tag" ? await taggedPlaces(name) : [`${kind}:${name}`];
    try {
      return await put(places, id, Object.fromEntries(places.map((place) => [place, seen[place] ?? null])));
    } catch (problem) {
      if (problem.code !== "Replaced") throw problem;
      const { present } = problem.members;
      Object.assign(seen, present);
      const text = async ([place, tariff]) => `${await placeText(place)}: ${tariff ? await nameText("tariffs", tariff) : t.nothing}`;
      const found = Object.entries(present);
      const told = (await Promise.all(found.slice(0, TOLD).map(text))).join(", ");
      problem.members.errors = [{ field: "places", text: t.otherThere(told, found.length - TOLD) }];
      throw problem;
    }
  }

  async function assignTo(sites, tags) {
    const kind = h(
      "select",
      ["site", "tag", "pile", "connector"].map((each) => h("option", { value: each }, t.kinds[each])),
    );
    const names = h("datalist", { id: "place-names" });
    const offer = () =>
      show(
        names,
        (kind.value === "site" ? sites.map((each) => each.site_id) : kind.value === "tag" ? tags.map((each) => each.tag) : []).map(
          (value) => h("option", { value }),
        ),
      );
    kind.addEventListener("change", offer);
    offer();
    const seen = {};
    const done = await formDialog({
      id: "place",
      title: t.assignTitle,
      body: [t.assignText, names],
      fields: [
        { name: "kind", label: t.kind, control: kind },
        {
          name: "places",
          label: t.place,
          hint: t.placeHint,
          control: h("input", { maxlength: "64", list: "place-names", spellcheck: "false" }),
          check: (value) => (value ? null : t.placeWrong),
        },
      ],
      action: t.assignAction,
      submit: (values) => assign(values, seen),
    });
    if (done) load();
  }

  async function unassign(place) {
    const submit = () => put([place], null, { [place]: id }).finally(load);
    await askFirst(t.unassignOne(await placeText(place)), t.unassignText, t.unassign, submit);
  }

  async function rename(tariff) {
    const control = h("input", { maxlength: "100", value: tariff.name });
    const done = await changeDialog({
      was: tariff,
      id: "tariff",
      title: t.rename,
      fields: [{ name: "name", label: names.name, control, check: (value) => (value ? null : names.nameWrong) }],
      action: t.rename,
      submit: (body) => ask(path, { method: "PATCH", body }),
    });
    if (done) load();
  }

  async function remove({ name }) {
    const submit = () => ask(path, { method: "DELETE" });
    if (await askFirst(t.removeTitle(name), t.removeText, names.remove, submit)) location.hash = "#/tariffs";
  }

  function end() {
    ended = true;
    sections();
  }

  load();
  return end;
}
