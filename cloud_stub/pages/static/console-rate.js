// The rate of one pile: the editor of the tariff that is of this pile alone.

import { openEditor } from "./console-rateeditor.js";
import { calendarIds } from "./console-calendars.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const { tabs } = await words("console-words");
const t = await words("console-words-rate");

export function open(root, _params, id) {
  const path = "/api/piles/" + encodeURIComponent(id);

  async function about() {
    const [pile, { items }, report, calendars] = await Promise.all([
      ask(path),
      ask(path + "/rates?limit=50"),
      ask(path + "/report"),
      calendarIds(),
    ]);
    const site = report.site_id && (await ask("/api/sites/" + encodeURIComponent(report.site_id)));
    return {
      title: t.title(pile.name),
      crumbs: [
        [tabs.piles, "#/piles"],
        [pile.name, "#/piles/" + encodeURIComponent(id)],
      ],
      newest: items.find((each) => each.rate_id === pile.rate_id) ?? null,
      versions: path + "/rates",
      orders: (rate) => ({ device_id: id, rate_id: rate.rate_id }),
      publish: (rate, query) => ask(`${path}/rate?` + query, { method: "PUT", body: rate }),
      calendars,
      time_zone: site?.time_zone ?? null,
    };
  }

  return openEditor(root, about, "#/piles");
}
