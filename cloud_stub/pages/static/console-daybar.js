// The 24-hour bar of a rate: periods as coloured and named stretches, gaps and overlaps hatched, and a handle at
// every boundary that two periods share: dragged with a pointer, or moved with the arrow keys.

import { h, s, show } from "./dom.js";
import { PERIOD_NAMES } from "./console-parts.js";
import { check, clock, DAY, minutes } from "./console-ratemodel.js";
import { words } from "./say.js";

const t = (await words("console-words-rate")).bar;

const STEP = 15;
const LEAST = 5;
const NAMED = 75; // a hole this short has no room for its name

const NARROW = matchMedia("(max-width: 640px)"); // a stretch is too small to be pressed there

const percent = (minute) => (100 * minute) / DAY + "%";

/** {element, draw(rows)}; moved(left, right, minute) when a handle is moved; picked(row) when a stretch is chosen. */
export function dayBar({ moved, picked }) {
  const bar = h("div.daybar-bar");
  const element = h(
    "div.daybar",
    bar,
    h(
      "div.daybar-hours",
      { "aria-hidden": "true" },
      [0, 3, 6, 9, 12, 15, 18, 21, 24].map((hour) => h("span", String(hour).padStart(2, "0"))),
    ),
  );
  let shape = "";
  let parts = [];
  let rows = [];

  function draw(now) {
    rows = now;
    const found = check(rows);
    const shared = found.spans
      .slice(0, -1)
      .map((span, i) => [span, found.spans[i + 1]])
      .filter(([left, right]) => left.to === right.from);
    const names = [
      ...found.spans.map((span) => "s" + span.row),
      ...found.gaps.map(() => "g"),
      ...found.overlaps.map(() => "o"),
      ...shared.map(([left, right]) => `h${left.row}-${right.row}`),
    ];
    if (names.join() !== shape) {
      shape = names.join();
      const focus = bar.contains(document.activeElement) ? document.activeElement.dataset.name : null;
      parts = names.map(make);
      show(bar, parts);
      bar.querySelector(`[data-name="${focus}"]`)?.focus();
    }
    const places = [
      ...found.spans.map((each) => [each.from, each.to]),
      ...found.gaps,
      ...found.overlaps.map(([from, to]) => [from, to]),
      ...shared.map(([left]) => [left.to, left.to]),
    ];
    parts.forEach((part, i) => place(part, ...places[i]));
  }

  function make(name) {
    if (name === "g") return h("div.hole.gap", { "aria-hidden": "true" }, t.gap);
    if (name === "o") return h("div.hole.overlap", { "aria-hidden": "true" }, t.overlap);
    if (name[0] === "s") {
      const parts = [h("span.stretch-name"), h("span.stretch-price.number")];
      const props = { class: "stretch", "data-name": name };
      return NARROW.matches
        ? h("div", { ...props, role: "img" }, parts)
        : h("button", { ...props, type: "button", onclick: () => picked(Number(name.slice(1))) }, parts);
    }
    const [left, right] = name.slice(1).split("-").map(Number);
    const handle = h("div.handle", { role: "slider", tabindex: "0", "data-name": name, "aria-orientation": "horizontal" });
    handle.addEventListener("keydown", (event) => byKey(event, left, right));
    handle.addEventListener("pointerdown", (event) => byPointer(event, handle, left, right));
    return handle;
  }

  function place(part, from, to) {
    part.style.left = percent(from);
    const name = part.dataset.name;
    if (name?.[0] === "h") {
      const [left, right] = name.slice(1).split("-").map(Number);
      const [low, high] = bounds(left, right);
      for (const [key, value] of [
        ["min", low],
        ["max", high],
        ["now", from],
        ["text", clock(from)],
      ])
        part.setAttribute("aria-value" + key, value);
      part.setAttribute("aria-label", t.boundary(left + 1, right + 1));
      return;
    }
    part.style.width = percent(to - from);
    if (!name) return void part.classList.toggle("narrow", to - from < NAMED);

    const row = rows[Number(name.slice(1))];
    part.className = "stretch " + row.label;
    const said = t.period(Number(name.slice(1)) + 1, { ...row, label: PERIOD_NAMES[row.label] });
    part.setAttribute("aria-label", said);
    part.title = said;
    show(part.children[0], PERIOD_NAMES[row.label]);
    show(part.children[1], `${row.electricity} + ${row.service}`);
  }

  function bounds(left, right) {
    return [minutes(rows[left].start) + LEAST, minutes(rows[right].end) - LEAST];
  }

  function move(left, right, minute) {
    const [low, high] = bounds(left, right);
    const now = Math.max(low, Math.min(high, minute));
    if (now !== minutes(rows[left].end)) moved(left, right, clock(now));
  }

  function byKey(event, left, right) {
    const present = minutes(rows[left].end);
    const [low, high] = bounds(left, right);
    const to = {
      ArrowLeft: present - STEP,
      ArrowDown: present - STEP,
      ArrowRight: present + STEP,
      ArrowUp: present + STEP,
      PageDown: present - 60,
      PageUp: present + 60,
      Home: low,
      End: high,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(left, right, to);
  }

  function byPointer(event, handle, left, right) {
    if (event.button) return;
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    const box = bar.getBoundingClientRect();
    const follow = (at) => move(left, right, Math.round(((at.clientX - box.left) / box.width) * (DAY / STEP)) * STEP);
    const end = () => {
      handle.removeEventListener("pointermove", follow);
      handle.removeEventListener("pointerup", end);
      handle.removeEventListener("pointercancel", end);
    };
    handle.addEventListener("pointermove", follow);
    handle.addEventListener("pointerup", end);
    handle.addEventListener("pointercancel", end);
  }

  return { element, draw };
}

/** The day of a published rate as a small picture. */
export function miniBar(rate) {
  return s(
    "svg.minibar",
    {
      viewBox: `0 0 ${DAY} 60`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": rate.periods.map(([start, , , label]) => t.from(PERIOD_NAMES[label], clock(start))).join(", "),
    },
    rate.periods.map(([start, , , label], i) =>
      s("rect", {
        class: "part " + label,
        x: start,
        y: 0,
        width: (rate.periods[i + 1]?.[0] ?? DAY) - start,
        height: 60,
      }),
    ),
  );
}
