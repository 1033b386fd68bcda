// The calendars of holidays: filled in for a country, then edited by hand.

import { askFirst, formDialog } from "./console-form.js";
import { crumbs, figures, h, heading, show, table } from "./console-parts.js";
import { openLoaded } from "./console-sections.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const common = await words("console-words");
const { tabs } = common;
const all = await words("console-words-tariffs");
const t = all.calendar;
const ID = /^[A-Za-z0-9_-]{1,32}$/;
const DIFFERING = 10;
const LINE = /^(\d{4}-\d{2}-\d{2})\s*(.*)$/;

const linesOf = (calendar) => Object.entries(calendar?.days ?? {}).map(([day, name]) => `${day} ${name}`);

/** What somebody has added to a calendar and taken out of it, the first lines of it. */
function differing(before, after) {
  const [old, now] = [linesOf(before), linesOf(after)];
  const [gone, added] = [old.filter((each) => !now.includes(each)), now.filter((each) => !old.includes(each))];
  const found = [...gone.map((each) => "− " + each), ...added.map((each) => "+ " + each)];
  return found.slice(0, DIFFERING).join("; ") + (found.length > DIFFERING ? " …" : "");
}

/** The ids of the calendars. Throws Problem. */
export const calendarIds = async () => (await ask("/api/calendars?limit=500")).items.map((each) => each.calendar_id);

export function open(root) {
  const { load, end } = openLoaded(root, () => ask("/api/calendars?limit=500"), draw, "#/tariffs");

  function draw({ items }) {
    const columns = [t.name, figures(t.days), t.last, ""];
    show(
      root,
      crumbs([tabs.tariffs, "#/tariffs"], [all.calendars]),
      heading(all.calendars, may("price") && h("button.button", { onclick: add }, t.add)),
      h("p.muted", t.about),
      h(
        "div.card",
        table(
          all.calendars,
          columns,
          items.map((each) => [
            [each.name, h("div.mono.muted.small", each.calendar_id)],
            String(Object.keys(each.days).length),
            each.last_day ?? "–",
            h(
              "div.group",
              h("button.button.small", { onclick: () => edit(each) }, may("price") ? t.edit : t.look),
              may("price") && h("button.button.small.danger", { onclick: () => remove(each) }, common.names.remove),
            ),
          ]),
          t.none,
        ),
      ),
    );
  }

  const put = (id, body) => ask("/api/calendars/" + encodeURIComponent(id), { method: "PUT", body });

  async function add() {
    const done = await formDialog({
      id: "calendar",
      title: t.add,
      body: t.addText,
      fields: [
        {
          name: "name",
          label: common.names.name,
          control: h("input", { maxlength: "100" }),
          check: (value) => (value ? null : common.names.nameWrong),
        },
        {
          name: "calendar_id",
          label: common.names.id,
          hint: common.names.idHint,
          control: h("input", { maxlength: "32", spellcheck: "false" }),
          check: (value) => (ID.test(value) ? null : common.names.idWrong),
        },
        {
          name: "country",
          label: t.country,
          hint: t.countryHint,
          control: h("input", { maxlength: "2", spellcheck: "false" }),
          check: (value) => (/^([A-Z]{2})?$/.test(value) ? null : t.countryWrong),
        },
        { name: "part", label: t.part, control: h("input", { maxlength: "40", spellcheck: "false" }) },
      ],
      action: t.add,
      async submit({ name, calendar_id: id, country, part }) {
        const wanted = { country, part: part || null, first_year: new Date().getFullYear() };
        const days = country ? await ask("/api/holidays", { method: "POST", body: wanted }) : {};
        return put(id, { name, days });
      },
    });
    if (done) load();
  }

  async function edit(calendar) {
    let latest = calendar;
    const lines = linesOf(calendar);
    const control = h("textarea", { rows: "14", spellcheck: "false", readonly: !may("price"), value: lines.join("\n") });
    const done = await formDialog({
      id: "calendar",
      title: calendar.name,
      body: t.editText,
      fields: [
        {
          name: "days",
          label: t.days,
          hint: t.daysHint,
          control,
          check: (value) => (typed(value).every((line) => LINE.test(line)) ? null : t.daysWrong),
        },
      ],
      action: common.names.save,
      async submit({ days }) {
        const body = {
          name: calendar.name,
          replaces: latest?.version ?? null,
          days: Object.fromEntries(typed(days).map((line) => LINE.exec(line).slice(1))),
        };
        try {
          return await put(calendar.calendar_id, body);
        } catch (problem) {
          if (problem.code !== "CalendarReplaced") throw problem;
          problem.members.errors = [{ field: "days", text: common.replaced(differing(latest, problem.members.calendar)) }];
          latest = problem.members.calendar;
          throw problem;
        }
      },
    });
    if (done) load();
  }

  const typed = (value) =>
    value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);

  function remove({ calendar_id: id, name }) {
    const submit = () => ask("/api/calendars/" + encodeURIComponent(id), { method: "DELETE" }).finally(load);
    askFirst(t.removeTitle(name), t.removeText, common.names.remove, submit);
  }

  return end;
}
