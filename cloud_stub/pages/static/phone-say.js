// The page's language: `t` are its words, `format` its numbers and times, at the pile's own time zone.
// Both are live bindings: who imports them always has the present ones.

import { h } from "./dom.js";
import { formats } from "./format.js";

export let t;
export let format;

export async function speakIn(language) {
  ({ default: t } = await import(`./phone-words.${language}.js`));
  document.documentElement.lang = language;
}

/** Returns whether times are those of another zone now. */
export function tellTimeOf(zone) {
  const isOther = format?.zone !== zone;
  format = { ...formats(t.locale, zone), zone };
  return isOther;
}

/** Minor units, and millionths per kWh, in the currency of a rate, an order or a bill. */
export const money = (minor, of) => format.money(minor, of.currency, of.minor_digits);
export const price = (millionths, of) => format.price(millionths, of.currency);

/** "1.234 kWh" */
export const kwh = (mwh, ...digits) => `${format.kwh(mwh, ...digits)} ${t.kwh}`;

export const inBrief = ([what, todo]) => [h("strong", what), h("span", todo)];

/** [what went wrong, what to do] of a code. */
export const explained = code => t.failures[code] ?? t.failures.Rejected[code] ?? t.failures.Other;
