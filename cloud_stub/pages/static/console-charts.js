// Two small charts as SVG: power over a day, and stacked bars by day. Drawn at the width they have, and again
// when that changes. Every value that a chart shows also stands in a table or a title.

import { h, s, show } from "./dom.js";

const TICK_WIDTH = 62; // of a day below its bar
const MARGIN = { right: 12, top: 12, bottom: 26 };
const LETTER = 7; // pixels of a tick's text, about
const NARROWEST = 160; // nothing can be drawn in less, such as a place that has no width yet

/** A place that calls `draw(width)` when it gets a width and whenever that changes. Returns {element, end, again}. */
export function sized(draw) {
  const element = h("div.chart");
  let width = 0;
  const again = () => width && show(element, draw(width));
  const observer = new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now === width || now < NARROWEST) return;
    width = now;
    again();
  });
  observer.observe(element);
  return { element, again, end: () => observer.disconnect() };
}

/** A round number that is no smaller than `value`, and the step to it: 1, 2 or 5 times a power of ten. */
function scale(value, ticks = 4) {
  if (!(value > 0)) return { top: 1, step: 1 };
  const rough = value / ticks;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * magnitude).find((each) => each >= rough);
  return { top: Math.ceil(value / step) * step, step };
}

/** {left, marks}: the lines across and their texts, and where the plot begins so that the texts have room. */
function grid(width, height, { top, step }, format) {
  const values = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  const texts = values.map(format);
  const left = 16 + LETTER * Math.max(...texts.map((each) => each.length));
  const marks = values.map((value, i) => {
    const y = at(value, top, height);
    return [
      s("line.grid", { x1: left, x2: width - MARGIN.right, y1: y, y2: y }),
      s("text.tick", { x: left - 8, y: y + 4, "text-anchor": "end" }, texts[i]),
    ];
  });
  return { left, marks };
}

function at(value, top, height) {
  return MARGIN.top + (height - MARGIN.top - MARGIN.bottom) * (1 - value / top);
}

/**
 * Curves over [from, until]. curves: [{name, kind, points: [[at, value], ...]}]; kind 1, 2, ... gives the line's look.
 * least: what the scale reaches at least; ticks: [[at, text], ...]; now: where the day is, null outside it.
 */
export function lines(width, { from, until, curves, least, ticks, now, format, label }) {
  const height = 220;
  const span = scale(Math.max(least, ...curves.flatMap((curve) => curve.points.map((point) => point[1]))));
  const { left, marks } = grid(width, height, span, format);
  const x = (time) => left + ((width - left - MARGIN.right) * (time - from)) / (until - from);
  const y = (value) => at(value, span.top, height);
  const path = (points) => points.map(([time, value], i) => `${i ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const area = (points) => `${path(points)}L${x(points.at(-1)[0]).toFixed(1)} ${y(0)}L${x(points[0][0]).toFixed(1)} ${y(0)}Z`;
  return s(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    marks,
    ticks.map(([time, text]) =>
      s("text.tick", { x: x(time), y: height - 6, "text-anchor": time === from ? "start" : time === until ? "end" : "middle" }, text),
    ),
    curves
      .filter((curve) => curve.points.length)
      .map((curve) => [
        s("path", { class: "area curve-" + curve.kind, d: area(curve.points) }),
        s("path", { class: "curve curve-" + curve.kind, d: path(curve.points) }, s("title", curve.name)),
      ]),
    now ? s("line.now", { x1: x(now), x2: x(now), y1: MARGIN.top, y2: height - MARGIN.bottom }) : null,
  );
}

/** Bars of stacked parts. bars: [{name, title, parts: [[class, value], ...]}] */
export function bars(width, { bars: all, format, label }) {
  const height = 240;
  const sums = all.map((bar) => bar.parts.reduce((sum, [, value]) => sum + value, 0));
  const span = scale(Math.max(0, ...sums));
  const { left, marks } = grid(width, height, span, format);
  const room = (width - left - MARGIN.right) / all.length;
  const thick = Math.max(1, Math.min(36, room * 0.7));
  const every = Math.ceil(TICK_WIDTH / room);
  return s(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    marks,
    all.map((bar, i) => {
      const begin = left + room * i;
      const edge = begin + (room - thick) / 2;
      let below = 0;
      return s(
        "g.bar",
        s("title", bar.title),
        s("rect.hover", { x: begin, y: MARGIN.top, width: room, height: height - MARGIN.top - MARGIN.bottom }),
        bar.parts.map(([kind, value]) => {
          if (!value) return null;
          const y = at(below + value, span.top, height);
          const tall = at(below, span.top, height) - y;
          below += value;
          return s("rect", { class: "part " + kind, x: edge, y, width: thick, height: tall });
        }),
        i % every
          ? null
          : s("text.tick", { x: Math.min(begin + room / 2, width - TICK_WIDTH / 2), y: height - 6, "text-anchor": "middle" }, bar.name),
      );
    }),
  );
}

/** What the colours mean: [[class, text], ...] */
export function legend(entries) {
  return h(
    "ul.legend",
    entries.map(([kind, text]) => h("li", h("span", { class: "swatch " + kind, "aria-hidden": "true" }), text)),
  );
}
