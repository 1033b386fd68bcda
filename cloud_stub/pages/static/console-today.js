// The power of a pile over the day that the person in front of it has.

import { lines, sized } from "./console-charts.js";
import { h, here, ZONE } from "./console-parts.js";
import { renew } from "./console-keep.js";
import { poll } from "./console-session.js";

const CURVE_EVERY_MS = 15_000;
const NARROW = 520; // pixels: a tick every four hours has no room

/** The chart of today's power; `poll` keeps it going. */
export function today(root) {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  const from = day.getTime() / 1000;
  const until = new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime() / 1000;
  let curves = [];
  const ticks = (hours) =>
    hours.map((hour) => {
      const time = new Date(day.getFullYear(), day.getMonth(), day.getDate(), hour).getTime() / 1000;
      return [time, String(hour).padStart(2, "0") + ":00"];
    });
  const chart = sized((width) => {
    const peak = Math.max(0, ...curves.flatMap((each) => each.points.map((point) => point[1])));
    return lines(width, {
      from,
      until,
      ticks: ticks(width < NARROW ? [0, 6, 12, 18, 24] : [0, 4, 8, 12, 16, 20, 24]),
      least: 1_000_000,
      now: Date.now() / 1000,
      format: (mw) => here.kw(Math.round(mw), mw < 1_000_000 && mw > 0 ? 1 : 0) + " kW",
      label: curves.length
        ? `Power today; at most ${here.kw(peak, 1)} kW in ${curves.length} orders`
        : "Power today: nothing was charged",
      curves: curves.map((each) => ({
        name: "Connector " + each.connector,
        kind: each.connector,
        points: widened(each),
      })),
    });
  });
  const note = h("p", { class: "muted small" });
  const zone = h("p", { class: "muted small" }, `The day as it is in ${ZONE}.`);
  root.append(chart.element, note, zone);
  return {
    end: chart.end,
    poll: (path, fail) =>
      poll(
        `${path}/power?from_at=${from}&until_at=${until}`,
        CURVE_EVERY_MS,
        (found) => {
          curves = found.curves;
          renew(
            note,
            curves.length
              ? [...new Set(curves.map((each) => each.connector))]
                  .sort()
                  .map((n) =>
                    h(
                      "span",
                      { class: "key-" + n },
                      h("span", { class: "swatch curve-" + n, "aria-hidden": "true" }),
                      `Connector ${n}`,
                    ),
                  )
              : "Nothing has been charged today.",
          );
          chart.again();
        },
        fail,
      ),
  };
}

/** A curve of a single point would be nothing to see: it gets the width of its stretch of time. */
function widened({ points, stretch_s }) {
  const last = points.at(-1);
  return [...points, [last[0] + stretch_s, last[1]]];
}
