// A filter of a list: what the cloud has, to choose from. It is not there while there is nothing to choose.

import { notice } from "./console-dialog.js";
import { explain, h } from "./console-parts.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const { all } = await words("console-words");

/** [value, text] of one site, as choice() takes it. */
export const siteOption = (site) => [site.site_id, site.name];

/** path: a list of the API; of(item): [value, text]; choose(value): "" for all. Returns the field. */
export function choice({ id, label, path, of, chosen, choose }) {
  const select = h("select", { id, onchange: () => choose(select.value) }, h("option", { value: "" }, all));
  const field = h("div.field", { hidden: true }, h("label", { for: id }, label), select);
  ask(path).then(
    (found) => {
      const options = (found.items ?? found).map(of);
      if (chosen && !options.some(([value]) => value === chosen)) options.push([chosen, chosen]);
      select.append(...options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
      field.hidden = !options.length;
    },
    (problem) => notice(explain(problem), "bad"),
  );
  return field;
}
