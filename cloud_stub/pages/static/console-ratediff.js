// Two rates compared: what a publication would change, in sentences.

import { here, PERIOD_NAMES } from "./console-parts.js";
import { periods, rowsOf, text } from "./console-ratemodel.js";

/** How many decimals the currency's minor unit has; null for what is no currency. */
export function digitsOf(currency) {
  if (!/^[A-Z]{3}$/.test(currency)) return null;
  return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
}

const CURRENCIES = Intl.supportedValuesOf ? new Set(Intl.supportedValuesOf("currency")) : null;

/** Whether a currency of ISO 4217 is called that, as far as the browser knows. */
export function isCurrency(name) {
  return CURRENCIES === null || CURRENCIES.has(name);
}

/** A published rate as it would be written. */
export function plain(rate) {
  return {
    currency: rate.currency,
    time_zone: rate.time_zone,
    session_fee_minor: rate.session_fee_minor,
    periods: periods(rowsOf(rate)),
  };
}

/** What is another in `now`, in sentences. */
export function differences(before, now) {
  const found = [];
  for (const [name, title] of [
    ["currency", "Currency"],
    ["time_zone", "Time zone"],
  ])
    if (before[name] !== now[name]) found.push(`${title}: ${before[name]} → ${now[name]}`);
  const digits = digitsOf(now.currency);
  if (before.session_fee_minor !== now.session_fee_minor)
    found.push(
      `Session fee: ${text(before.session_fee_minor, digits)} → ${text(now.session_fee_minor, digits)}`,
    );
  const said = (each) =>
    `${PERIOD_NAMES[each.label]} from ${each.start}: ${here.price(each.electricity_price, now.currency)} + ${here.price(each.service_price, now.currency)}`;
  const old = new Set(before.periods.map(said));
  const fresh = new Set(now.periods.map(said));
  for (const each of old) if (!fresh.has(each)) found.push("No longer: " + each);
  for (const each of fresh) if (!old.has(each)) found.push("New: " + each);
  return found;
}
