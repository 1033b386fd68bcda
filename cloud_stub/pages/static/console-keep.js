// Drawing anew what somebody may be using: what would look the same stays, and the focus stays where it was.

import { h, show } from "./dom.js";

const FOCUSABLE = 'a[href], button, input, select, textarea, summary, h1[tabindex], [tabindex="0"]';

/** What tells one element from its neighbours after both have been made anew. */
function nameOf(element) {
  return [element.tagName, element.id, element.getAttribute("href"), element.getAttribute("aria-label"), element.textContent].join("\n");
}

/**
 * Run `work`, which draws parts of `root` anew. What had the focus has it again; if it is gone, the link nearest to
 * its place has it, else the page's heading: never the top of the document, and never a button nobody chose.
 */
export function keepingFocus(root, work) {
  const held = document.activeElement;
  if (!held || held === root || !root.contains(held)) return work();
  const before = [...root.querySelectorAll(FOCUSABLE)];
  const place = before.indexOf(held);
  const name = nameOf(held);
  const nth = before.slice(0, place).filter((each) => nameOf(each) === name).length;
  const scrolled = [...root.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  work();
  [...root.querySelectorAll(".scroll")].forEach((each, i) => (each.scrollLeft = scrolled[i] ?? 0));
  if (root.contains(held)) return;
  const after = [...root.querySelectorAll(FOCUSABLE)];
  const same = after.filter((each) => nameOf(each) === name);
  const links = after.filter((each) => each.tagName !== "BUTTON");
  const near = links.find((each) => after.indexOf(each) >= place) ?? links.at(-1);
  (same[nth] ?? same[0] ?? near ?? document.querySelector("main h1"))?.focus({ preventScroll: true });
}

/** As dom.show, of what is drawn again and again: nothing is touched where nothing looks different. */
export function renew(root, ...children) {
  const fresh = h(root.tagName, {}, children);
  const old = [...root.childNodes];
  const now = [...fresh.childNodes];
  if (old.length === now.length && old.every((each, i) => each.isEqualNode(now[i]))) return;
  keepingFocus(root, () => show(root, ...now));
}
