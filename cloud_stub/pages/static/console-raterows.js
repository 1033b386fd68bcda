// One period as a line of the rate editor's table: fields to write in, buttons to split and remove it.

import { h, LABELS, PERIOD_NAMES } from "./console-parts.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const { columns, row: t } = await words("console-words-rate");

/** A line of the table for period `i`; `only`: there is no other. changed(), split(i), remove(i) when somebody does so. */
export function periodRow(row, i, { only, changed, split, remove }) {
  const cell = (name, props) =>
    h("input", {
      id: `${name}-${i}`,
      "aria-label": t[name](i + 1),
      autocomplete: "off",
      value: row[name],
      ...props,
      oninput: (event) => ((row[name] = event.target.value), changed()),
    });
  return h(
    "tr",
    h("td.muted.number", { "data-label": columns.number }, String(i + 1)),
    h("td", { "data-label": columns.start }, cell("start", { size: "5", maxlength: "5", inputmode: "numeric" })),
    h("td", { "data-label": columns.end }, cell("end", { size: "5", maxlength: "5", inputmode: "numeric" })),
    h(
      "td",
      { "data-label": columns.label },
      h("span", { class: "swatch " + row.label, "aria-hidden": "true" }),
      h(
        "select",
        {
          id: `label-${i}`,
          "aria-label": t.label(i + 1),
          onchange: (event) => (
            (row.label = event.target.value),
            (event.target.previousSibling.className = "swatch " + row.label),
            changed()
          ),
        },
        LABELS.map((each) => h("option", { value: each, selected: each === row.label }, PERIOD_NAMES[each])),
      ),
    ),
    h("td", { "data-label": columns.electricity }, cell("electricity", { size: "9", inputmode: "decimal" })),
    h("td", { "data-label": columns.service }, cell("service", { size: "9", inputmode: "decimal" })),
    h("td", { "data-label": columns.time }, cell("time", { size: "7", inputmode: "decimal" })),
    h("td.number.together.minor", { "data-label": columns.together }),
    h(
      "td.row-buttons",
      h("button.button.small", { type: "button", onclick: () => split(i), "aria-label": t.splitOne(i + 1) }, t.split),
      h("button.button.small", { type: "button", onclick: () => remove(i), "aria-label": t.removeOne(i + 1), disabled: only }, names.erase),
    ),
  );
}
