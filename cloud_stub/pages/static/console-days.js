// The days of a rate that differ: which plan of a day is being written, and on which dates each one holds.
//
// plans[0] holds where no other does: {rows}. The others: {name, weekdays, calendar, from_day, to_day, rows}; the first
// that a date meets holds.

import { h, show } from "./dom.js";
import { LANGUAGE } from "./console-parts.js";
import { periods, rowsOf } from "./console-ratemodel.js";
import { words } from "./say.js";

const t = (await words("console-words-rate")).days;
const MONTH_DAY = /^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;
const DAYS_MAX = 24;
const MONDAY = Date.UTC(2024, 0, 1);
const weekday = (number) =>
  new Intl.DateTimeFormat(LANGUAGE, { weekday: "short", timeZone: "UTC" }).format(MONDAY + (number - 1) * 86_400_000);

/** The plans of a published rate. */
export const plansOf = (rate) => [
  { rows: rowsOf(rate) },
  ...(rate.days ?? []).map(({ name, weekdays = [], calendar = "", from_day = "", to_day = "", periods: rows, time_prices }) => ({
    ...{ name, weekdays: [...weekdays], calendar, from_day, to_day },
    rows: rowsOf({ periods: rows, time_prices }),
  })),
];

/** The `days` of a RateBody; the rows of all plans must be whole. */
export const daysOf = (plans) =>
  plans.slice(1).map(({ name, weekdays, calendar, from_day, to_day, rows }) => ({
    name: name.trim(),
    ...(weekdays.length && { weekdays: [...weekdays].sort() }),
    ...(calendar && { calendar }),
    ...(from_day && { from_day, to_day }),
    periods: periods(rows),
  }));

/** What is wrong with the conditions of the plans, in sentences. */
export function wrongDays(plans) {
  const found = [];
  plans.slice(1).forEach((plan, i) => {
    const say = (text) => found.push(t.of(plan.name || i + 1, text));
    if (!plan.name.trim()) say(t.wrong.name);
    if (plans.slice(1, i + 1).some((other) => other.name.trim() === plan.name.trim())) say(t.wrong.same);
    const season = [plan.from_day, plan.to_day];
    if (season.some(Boolean) && !season.every((each) => MONTH_DAY.test(each))) say(t.wrong.season);
    if (!plan.weekdays.length && !plan.calendar && !season.some(Boolean)) say(t.wrong.none);
  });
  return found;
}

/**
 * {element, draw(plans, at)}. choose(at): another plan is to be written; changed(): a condition is another;
 * rearranged(plans, at): plans were added, moved or removed.
 */
export function daysPanel({ calendars, choose, changed, rearranged }) {
  const list = h("div.group", { role: "group", "aria-label": t.title });
  const conditions = h("div");
  const element = h("div.days", list, conditions);
  let plans = [];
  let at = 0;

  function draw(now, place) {
    [plans, at] = [now, place];
    show(
      list,
      plans.map((plan, i) =>
        h(
          "button.button.small",
          { type: "button", "aria-pressed": String(i === at), onclick: () => choose(i) },
          i ? plan.name || t.unnamed : t.usual,
        ),
      ),
      plans.length <= DAYS_MAX && h("button.button.small", { type: "button", onclick: add }, t.add),
    );
    show(conditions, at ? fieldsOf(plans[at]) : plans.length > 1 && h("p.muted.small", t.precedence));
  }

  function add() {
    const rows = plans[at].rows.map((row) => ({ ...row }));
    rearranged([...plans, { name: "", weekdays: [], calendar: "", from_day: "", to_day: "", rows }], plans.length);
    conditions.querySelector("input")?.focus();
  }

  function moved(by) {
    const next = [...plans];
    [next[at], next[at + by]] = [next[at + by], next[at]];
    rearranged(next, at + by);
  }

  function fieldsOf(plan) {
    const input = (name, props) =>
      h("input", {
        id: "day-" + name,
        value: plan[name],
        autocomplete: "off",
        ...props,
        oninput(event) {
          plan[name] = event.target.value.trim();
          if (name === "name") list.children[at].textContent = plan.name || t.unnamed;
          changed();
        },
      });
    const field = (name, control) => h("div.field", h("label", { for: "day-" + name }, t[name]), control);
    return [
      h(
        "div.filters",
        field("name", input("name", { maxlength: "40", size: "16" })),
        field(
          "calendar",
          h(
            "select",
            { id: "day-calendar", onchange: (event) => ((plan.calendar = event.target.value), changed()) },
            ["", ...new Set([...calendars, plan.calendar].filter(Boolean))].map((each) =>
              h("option", { value: each, selected: each === plan.calendar }, each || t.anyDay),
            ),
          ),
        ),
        field("from_day", input("from_day", { maxlength: "5", size: "6", placeholder: "11-01" })),
        field("to_day", input("to_day", { maxlength: "5", size: "6", placeholder: "03-31" })),
      ),
      h(
        "fieldset.group",
        h("legend.small", t.weekdays),
        [1, 2, 3, 4, 5, 6, 7].map((day) =>
          h(
            "label.check",
            h("input", {
              type: "checkbox",
              checked: plan.weekdays.includes(day),
              onchange(event) {
                plan.weekdays = plan.weekdays.filter((each) => each !== day);
                if (event.target.checked) plan.weekdays.push(day);
                changed();
              },
            }),
            weekday(day),
          ),
        ),
      ),
      h(
        "p.group",
        h("button.button.small", { type: "button", disabled: at === 1, onclick: () => moved(-1) }, t.earlier),
        h("button.button.small", { type: "button", disabled: at === plans.length - 1, onclick: () => moved(1) }, t.later),
        h(
          "button.button.small",
          {
            type: "button",
            onclick: () =>
              rearranged(
                plans.filter((_, i) => i !== at),
                0,
              ),
          },
          t.remove,
        ),
      ),
    ];
  }

  return { element, draw };
}
