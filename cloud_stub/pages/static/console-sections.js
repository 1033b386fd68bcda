// The sections of a detail page, each a module of its own, loaded when the page opens.

import { keepingFocus } from "./console-keep.js";
import { explain, failure, h, show } from "./console-parts.js";
import { may, poll, unreachable } from "./console-session.js";
import { SECTIONS } from "./console-views.js";

/**
 * Open the sections of `kind` ("pile", "order", "settlement"): each module's open(place, {kind, ...about}), which returns how to
 * end it. Such an end may have `update(found)`, called with what the page shows whenever that changes, and `unsaved()`.
 * The sections go to `wide`, those at the side to `narrow`. Returns the end of all, with the same two.
 */
export function openSections(kind, about, wide, narrow = wide) {
  const ends = [];
  let ended = false;
  let latest = null;
  for (const { module, need, side } of SECTIONS[kind]) {
    if (!may(need)) continue;
    const place = h("div");
    (side ? narrow : wide).append(place);
    import(`./${module}.js`).then(
      ({ open }) => {
        if (ended) return;
        const end = open(place, { kind, ...about }) ?? (() => {});
        ends.push(end);
        if (latest) end.update?.(latest);
      },
      () => show(place, h("p.card.empty", { role: "alert" }, explain(unreachable()))),
    );
  }
  const end = () => {
    ended = true;
    for (const each of ends) each();
  };
  end.update = (found) => {
    latest = found;
    for (const each of ends) each.update?.(found);
  };
  end.unsaved = () => ends.some((each) => each.unsaved?.());
  return end;
}

/**
 * Open a page that is read once, and again by load(): draw(found) shows what read() resolves to; list: the address to go
 * back to where that fails. Returns {load, end}.
 */
export function openLoaded(root, read, draw, list) {
  let ended = false;
  const load = () =>
    read().then(
      (found) => ended || keepingFocus(root, () => draw(found)),
      (problem) => ended || show(root, failure(problem, list)),
    );
  load();
  return { load, end: () => (ended = true) };
}

/**
 * Open a page about one thing: what draw(root, found) shows of the answer of `path`, asked for every `everyMs`, and the
 * sections of `kind` below it. above: what stands over both; list: the address to go back to. Returns the page's end.
 */
export function openPolled(root, { kind, id, path, everyMs, above, list, draw }) {
  const [body, below] = [h("div.stack"), h("div.stack")];
  show(root, above, body, below);
  const fail = (problem) => {
    end();
    show(root, failure(problem, list));
  };
  const sections = openSections(kind, { id, path, fail }, below);
  const stop = poll(path, everyMs, (found) => (draw(body, found), sections.update(found)), fail);
  function end() {
    stop();
    sections();
  }
  end.unsaved = sections.unsaved;
  return end;
}
