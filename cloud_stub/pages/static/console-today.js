// The power of a pile over the day that the person in front of it has.

import { lines, sized } from "./console-charts.js";
import { h, kw, ZONE } from "./console-parts.js";
import { renew } from "./console-keep.js";
import { poll } from "./console-session.js";
import { words } from "./say.js";

const common = await words("console-words");
const t = (await words("console-words-piles")).today;

const CURVE_EVERY_MS = 15_000;
const NARROW = 520; // pixels: a tick every four hours has no room

/** The chart of today's power, polled from the pile's address at the API; a new one each midnight. Returns how to end it. */
export function today(root, path, fail) {
  let day = new Date();
  let curves = [];
  let stop = () => {};
  let midnight;
  /** Unix seconds; hour 24 is the next midnight, however long the day is. */
  const at = (hour) => new Date(day.getFullYear(), day.getMonth(), day.getDate(), hour).getTime() / 1000;
  const ticks = (hours) => hours.map((hour) => [at(hour), String(hour).padStart(2, "0") + ":00"]);
  const chart = sized((width) => {
    const peak = Math.max(0, ...curves.flatMap((each) => each.points.map((point) => point[1])));
    return lines(width, {
      from: at(0),
      until: at(24),
      ticks: ticks(width < NARROW ? [0, 6, 12, 18, 24] : [0, 4, 8, 12, 16, 20, 24]),
      least: 1_000_000,
      now: Date.now() / 1000,
      format: (mw) => kw(Math.round(mw), mw < 1_000_000 && mw > 0 ? 1 : 0),
      label: t.spoken(kw(peak, 1), curves.length),
      curves: curves.map((each) => ({
        name: common.connector(each.connector),
        kind: each.connector,
        points: widened(each),
      })),
    });
  });
  const note = h("p.muted.small");
  const zone = h("p.muted.small", t.zone(ZONE));
  chart.element.hidden = zone.hidden = true; // an empty chart tells nothing
  root.append(chart.element, note, zone);

  function take(found) {
    curves = found.curves;
    const connectors = [...new Set(curves.map((each) => each.connector))].sort();
    renew(note, connectors.length ? connectors.map(key) : t.nothing);
    chart.element.hidden = zone.hidden = !connectors.length;
    chart.again();
  }

  function begin() {
    stop();
    day = new Date();
    stop = poll(`${path}/power?from_at=${at(0)}&until_at=${at(24)}`, CURVE_EVERY_MS, take, fail);
    midnight = setTimeout(begin, at(24) * 1000 - Date.now());
  }

  begin();
  return () => {
    clearTimeout(midnight);
    stop();
    chart.end();
  };
}

const key = (connector) =>
  h(
    "span",
    { class: "key-" + connector },
    h("span", { class: "swatch curve-" + connector, "aria-hidden": "true" }),
    common.connector(connector),
  );

/** A curve of a single point would be nothing to see: it gets the width of its stretch of time. */
function widened({ points, stretch_s }) {
  const last = points.at(-1);
  return [...points, [last[0] + stretch_s, last[1]]];
}
