// Limits as a person types them, to the whole numbers of an order.

const MAX_ENERGY_MWH = 1_000_000_000;
const MAX_MINOR = 1_000_000_000_000;
const MAX_MINUTES = 1440;

/** "2.5", 2 -> 250; a comma is a point. null: no number, or more than `digits` decimals. */
export function parseDecimal(text, digits) {
  const found = /^(\d{1,10})(?:[.,](\d*))?$/.exec(text.trim());
  const decimals = (found?.[2] ?? "").replace(/0+$/, "");
  if (!found || decimals.length > digits) return null;
  return Number(found[1] + decimals.padEnd(digits, "0"));
}

/** {limits, wrong}: the order's limits of the texts {energy, cost, time}, and the names of those that are none. */
export function readLimits(texts, minorDigits) {
  const limits = {};
  const wrong = [];
  const take = (name, member, digits, factor, most) => {
    if (!texts[name].trim()) return;
    const value = parseDecimal(texts[name], digits);
    if (value === null || value < 1 || value > most) wrong.push(name);
    else limits[member] = value * factor;
  };
  take("energy", "energy_mwh", 6, 1, MAX_ENERGY_MWH);
  take("cost", "cost_minor", minorDigits, 1, MAX_MINOR);
  take("time", "duration_s", 0, 60, MAX_MINUTES);
  return { limits, wrong };
}
