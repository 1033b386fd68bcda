// Time, power tiers, staying on, minimum, maximum and tax, in English; loaded with phone-parts.js.

export default {
  tiers: "Per hour, by the power drawn",
  anyPower: "any power",
  upTo: w => `up to ${w}`,
  over: w => `over ${w}`,
  stay: (p, after, most) => "Staying plugged in: " + p + (after ? ` from ${after} after the charge` : " from the end of the charge") + (most ? `, at most ${most}` : ""),
  seconds: s => `${s} s`,
  least: m => `At least ${m} per charge`,
  most: m => `At most ${m} per charge`,
  tax: p => `${p} tax included`,
  lasts: (time, tier) => `≈ ${time}` + (tier ? " " + tier : ""),
  costs: { energy: "Energy", time: "Charging time", tiers: "Time by power", idle: "Staying", fee: "Fee per charge" },
  ended: "Charging is over",
  stays: "Still plugged in",
  free: "Free to stay for",
  stayCost: "Staying so far",
  unplugFree: (p, most) => `Unplug to end. After that staying costs ${p}` + (most ? `, at most ${most}.` : "."),
  unplug: (p, most) => `Unplug to end. Staying costs ${p}` + (most ? `, at most ${most}.` : "."),
  toEnd: "Unplug to end",
  counted: "after free time",
  topUp: m => `Up to the minimum of ${m}`,
  net: "Without tax"
};
