// The prices of a tariff: the editor, with a date from which they hold and the piles that they reach.

import { openEditor } from "./console-rateeditor.js";
import { calendarIds } from "./console-calendars.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const { tabs } = await words("console-words");
const t = await words("console-words-rate");
const REACH_SHOWN = 20;

export function open(root, _params, id) {
  const path = "/api/tariffs/" + encodeURIComponent(id);

  async function about() {
    const [tariff, { items }, sites, calendars] = await Promise.all([
      ask(path),
      ask(path + "/versions?limit=50"),
      ask("/api/sites?limit=1"),
      calendarIds(),
    ]);
    return {
      title: t.titleOfTariff(tariff.name),
      crumbs: [
        [tabs.tariffs, "#/tariffs"],
        [tariff.name, "#/tariffs/" + encodeURIComponent(id)],
      ],
      newest: items.find((each) => each.withdrawn_at === null) ?? null,
      versions: path + "/versions",
      orders: (rate) => ({ rate_id: rate.rate_id }),
      publish: (rate, query) => ask(`${path}/versions?` + query, { method: "POST", body: rate }),
      withdraw: (rate) => ask(`${path}/versions/${rate.rate_id}`, { method: "DELETE" }),
      reach: () => ask(`${path}/reach?limit=${REACH_SHOWN}`),
      canWait: true,
      calendars,
      time_zone: sites.items[0]?.time_zone ?? null,
    };
  }

  return openEditor(root, about, "#/tariffs");
}
