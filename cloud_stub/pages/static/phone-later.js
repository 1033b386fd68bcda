// Modules and words that not every driver needs, loaded where one is needed.

import { Problem } from "./api.js";
import { words } from "./say.js";

const AGAIN_MS = 2_000;
const kept = new Map();
let redraw;

/** `draw` is called when something has come. */
export const whenSomethingComes = draw => (redraw = draw);

/**
 * What the module `name` exports, and its words as `w` where it `hasWords`; null until they are there.
 * Without a network they are asked for again.
 */
export const later = (name, hasWords = false) => asked(name, hasWords).is;

/** {is: as in later(), come: a promise of it} */
function asked(name, hasWords) {
  const key = name + (hasWords && document.documentElement.lang);
  if (!kept.has(key)) {
    const found = { is: null };
    kept.set(key, found);
    found.come = Promise.all([import(`./${name}.js`), hasWords && words(name)]).then(([module, w]) => (found.is = { ...module, w }));
    found.come.then(redraw, () => {
      setTimeout(() => {
        kept.delete(key);
        redraw();
      }, AGAIN_MS);
    });
  }
  return kept.get(key);
}

const PARTS = ["time_prices", "tiers", "idle", "minimum_minor", "maximum_minor", "tax_per_mille"];
const isPlain = rate => PARTS.every(each => rate[each] == null);

/** What shows all that a rate has beyond energy and a fee: null until it is there, undefined where it is not needed. */
export const partsOf = rate => (isPlain(rate) ? undefined : later("phone-parts", true));

/** Until it is there. Raises Problem (Network). */
export async function readyFor(rate) {
  if (!isPlain(rate)) {
    await asked("phone-parts", true).come.catch(() => {
      throw new Problem("Network", 0, {});
    });
  }
}

/** What shows that a pile or an order is free, as holdsOf() does. */
export const freeOf = ({ free }) => (free ? later("phone-code", true) : undefined);

/** What shows a hold: null until it is there, undefined where `payment` holds nothing. */
export const holdsOf = payment => (payment?.adapter && payment.adapter !== "after" ? later("phone-pay", true) : undefined);
