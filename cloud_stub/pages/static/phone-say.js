// The page's language: `t` are its words, `format` its numbers and times, at the pile's own time zone.
// Both are live bindings: who imports them always has the present ones.

import { h } from "./dom.js";
import { formats } from "./format.js";
import { words } from "./say.js";

export let t;
export let format;

// The rarer words, loaded where one of them is needed; null until then.
let reasons = null;
let redraw;

/** `draw` is called when the rarer words have come. */
export const whenReasonsCome = draw => (redraw = draw);

function rare(kind, word) {
  if (reasons) return reasons[kind]?.[word];
  const language = document.documentElement.lang;
  reasons = {}; // on their way
  words("phone-reasons").then(
    loaded => {
      if (language !== document.documentElement.lang) return;
      reasons = loaded;
      redraw();
    },
    () => (reasons = null) // without a network: the next drawing asks again
  );
}

/** Why an order ended. */
export const stopWords = word => t.stops[word] ?? rare("stops", word) ?? t.stops.Other;

/** What few bills say of themselves. */
export const billWords = word => rare("bills", word);

/** What is wrong with a connector; undefined where nothing more exact is known. */
export const faultWords = fault => rare("faults", fault);

/** [what, what to do] of a pile's refusal. */
export const refusalWords = word => t.failures.Rejected[word] ?? rare("rejects", word) ?? t.failures[word] ?? t.failures.Rejected.Other;

export async function speakIn(language) {
  t = await words("phone-words", language);
  reasons = null;
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

/** "2 h", "90 min" */
export const lasting = seconds =>
  seconds % 3600 ? t.minutes(format.count(Math.round(seconds / 60))) : t.hours(format.count(Math.round(seconds / 3600)));

/** "5 kWh" or "1 h" of an offer or an estimate */
export const amountOf = ({ energy_mwh, duration_s }) => (duration_s ? lasting(duration_s) : kwh(energy_mwh, 3, 0));

/** A sum as people name it: "¥2" for ¥2.00 */
export const inShort = (minor, of) => money(minor, of).replace(of.minor_digits ? /[.,]0+$/ : "", "");

export const inBrief = ([what, todo]) => [h("strong", what), h("span", todo)];

/** [what went wrong, what to do] of a code; `reason`: what the cloud says more exactly. */
export const explained = (code, reason) => t.failures[code] ?? (reason && rare("failures", `${code}.${reason}`)) ?? t.failures.Rejected[code] ?? rare("failures", code) ?? rare("rejects", code) ?? t.failures.Other;
