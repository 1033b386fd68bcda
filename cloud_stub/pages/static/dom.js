// Elements without markup in strings: every text goes in as text, so a name with markup in it stays a name.

const SVG = "http://www.w3.org/2000/svg";

/**
 * h("button.big", {onclick: stop, disabled: busy}, "Stop"); classes stand behind the tag or in {class}.
 * Properties may be left out; null, false and undefined are.
 */
export const h = (tag, ...rest) => build(name => document.createElement(name), tag, rest);

/** The same for SVG elements. */
export const s = (tag, ...rest) => build(name => document.createElementNS(SVG, name), tag, rest);

const given = value => value != null && value !== false;

function build(make, tag, rest) {
  const [name, ...classes] = tag.split(".");
  const element = make(name);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  const props = rest[0]?.constructor === Object ? rest.shift() : {};
  for (const [name, value] of Object.entries(props)) {
    if (!given(value)) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...rest.flat(Infinity).filter(given));
  return element;
}

/** Hand a file to the browser's downloads. */
export function keepFile(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // not every browser has read it by the next line
}

/** Let `parent` have these children and no others. */
export function show(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter(Boolean));
}
