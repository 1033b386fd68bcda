// Whole numbers with a unit (mWh, millionths, minor units, seconds) as a locale writes them.
//
// A number is moved to its unit as text, never divided: Intl takes decimal text exactly. Browsers that do
// not yet (before 2023) round the text to a double first, which shows every amount below 10^13 the same.

/** 12345, 2 -> "123.45": `value` x 10^-digits as exact decimal text. */
export function decimal(value, digits) {
  const text = String(Math.abs(value)).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  return (value < 0 ? "-" : "") + whole + (digits ? "." + text.slice(-digits) : "");
}

const kept = new Map();

/** Intl's format of this kind; making one takes longer than using it. */
function intl(kind, locale, options) {
  const name = kind + locale + JSON.stringify(options);
  if (!kept.has(name)) kept.set(name, new Intl[kind](locale, options));
  return kept.get(name);
}

/** Formats for one locale ("en", "zh-CN"). `zone`: an IANA time zone; none: the device's own. */
export function formats(locale, zone) {
  const timeZone = zone || undefined;
  const number = (value, digits, minimumFractionDigits, maximumFractionDigits, options) =>
    intl("NumberFormat", locale, { minimumFractionDigits, maximumFractionDigits, ...options }).format(decimal(value, digits));
  const sum = (value, digits, least, most, currency) =>
    number(value, digits, least, most, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
  const date = (at, options) => intl("DateTimeFormat", locale, { ...options, timeZone }).format(at * 1000);
  return {
    /** Minor units of a currency: money(320, "CNY", 2) -> ¥3.20 */
    money: (minor, currency, digits) => sum(minor, digits, digits, digits, currency),
    /** Millionths of a currency (per kWh), at least two and at most six digits: 800000 -> ¥0.80 */
    price: (millionths, currency) => sum(millionths, 6, 2, 6, currency),
    /** Milliwatt-hours as kWh without the unit's name, `least` to `digits` decimals: 1234567 -> 1.235 */
    kwh: (mwh, digits = 3, least = digits) => number(mwh, 6, least, digits),
    /** Milliwatts as kW without the unit's name: 6900000 -> 6.90 */
    kw: (mw, digits = 2) => number(mw, 6, digits, digits),
    /** A count: 12,345 */
    count: (value) => number(value, 0, 0, 0),
    /** Tenths, at most one decimal: 15 -> 1.5 */
    tenths: (value) => number(value, 1, 0, 1),
    /** Seconds as h:mm:ss or m:ss */
    clock: (seconds) => {
      const two = (value) => String(value).padStart(2, "0");
      const hours = Math.floor(seconds / 3600);
      const minutes = Math.floor(seconds / 60) % 60;
      return (hours ? `${hours}:${two(minutes)}` : String(minutes)) + ":" + two(Math.floor(seconds) % 60);
    },
    /** Unix seconds as a time of day: 18:00 */
    time: (at) => date(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    /** Unix seconds as date and time of day */
    dateTime: (at) => date(at, { dateStyle: "medium", timeStyle: "short" }),
    /** Unix seconds as date and time of day with its seconds */
    instant: (at) => date(at, { dateStyle: "medium", timeStyle: "medium" }),
  };
}
