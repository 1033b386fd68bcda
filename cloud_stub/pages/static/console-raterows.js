// One period as a line of the rate editor's table: fields to write in, buttons to split and remove it.

import { h, LABELS, PERIOD_NAMES } from "./console-parts.js";

/** A line of the table for period `i`; `only`: there is no other. changed(), split(i), remove(i) when somebody does so. */
export function periodRow(row, i, { only, changed, split, remove }) {
  const cell = (name, props) =>
    h("input", {
      id: `${name}-${i}`,
      "aria-label": `${name[0].toUpperCase() + name.slice(1)} of period ${i + 1}`,
      autocomplete: "off",
      value: row[name],
      ...props,
      oninput: (event) => ((row[name] = event.target.value), changed()),
    });
  return h(
    "tr",
    {},
    h("td", { class: "muted number" }, String(i + 1)),
    h("td", {}, cell("start", { size: "5", maxlength: "5", inputmode: "numeric" })),
    h("td", {}, cell("end", { size: "5", maxlength: "5", inputmode: "numeric" })),
    h(
      "td",
      {},
      h("span", { class: "swatch " + row.label, "aria-hidden": "true" }),
      h(
        "select",
        {
          id: `label-${i}`,
          "aria-label": `Period ${i + 1} is`,
          onchange: (event) => (
            (row.label = event.target.value),
            (event.target.previousSibling.className = "swatch " + row.label),
            changed()
          ),
        },
        LABELS.map((each) =>
          h("option", { value: each, selected: each === row.label }, PERIOD_NAMES[each]),
        ),
      ),
    ),
    h("td", {}, cell("electricity", { size: "9", inputmode: "decimal" })),
    h("td", {}, cell("service", { size: "9", inputmode: "decimal" })),
    h("td", { class: "number together minor" }),
    h(
      "td",
      { class: "row-buttons" },
      h(
        "button",
        { class: "button small", onclick: () => split(i), "aria-label": `Split period ${i + 1}` },
        "Split",
      ),
      h(
        "button",
        {
          class: "button small",
          onclick: () => remove(i),
          "aria-label": `Remove period ${i + 1}`,
          disabled: only,
        },
        "Remove",
      ),
    ),
  );
}
