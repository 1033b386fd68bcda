// The parts of a price beyond energy and session fee, in English.

export default {
  title: "More than energy",
  hint: "A part that is left empty is not in the rate. Piles that cannot bill a part are listed before you publish.",
  minimum: "Minimum of an order",
  maximum: "Maximum of an order",
  tax: "Tax in the prices, %",
  idle: {
    title: "Staying plugged in after charging",
    price: "Price per hour",
    after: "Free minutes",
    max: "At most",
  },
  tiers: {
    title: "Power tiers",
    hint: "The price per hour while at most this power is drawn.",
    up_to: (number) => `Tier ${number}: up to W`,
    price: (number) => `Tier ${number}: price per hour`,
    add: "Add a tier",
    remove: (number) => `Remove tier ${number}`,
  },
  offers: {
    title: "Offers on the phone",
    hint: "Choices for the driver. Each is an order with that limit.",
    kind: (number) => `Offer ${number} is`,
    value: (number) => `Amount of offer ${number}`,
    kinds: { money: "Money", time: "Minutes", energy: "kWh", full: "Until full" },
    add: "Add an offer",
    remove: (number) => `Remove offer ${number}`,
  },

  wrong: {
    amount: (what, digits) => `${what}: must be an amount above 0 with at most ${digits} decimals.`,
    price: (what) => `${what}: must be a price like 0.30, with up to 6 decimals.`,
    tax: "Tax in the prices: must be a percentage from 0 to 100 with at most one decimal.",
    minutes: (what) => `${what}: must be minutes, or minutes and seconds like 1:30.`,
    watts: (what) => `${what}: must be whole watts from 1 to 1000000.`,
    ascending: (what) => `${what}: must be above the tier before, and its price not below.`,
    energy: (what) => `${what}: must be an energy in kWh, with up to 6 decimals.`,
    range: "The minimum must not be above the maximum.",
  },

  said: {
    minimum: (money) => `Minimum of an order: ${money}`,
    maximum: (money) => `Maximum of an order: ${money}`,
    tax: (percent) => `Tax in the prices: ${percent} %`,
    idle: (price, minutes, most) => `Staying on: ${price} per hour after ${minutes} free minutes, at most ${most}`,
    tier: (watts, price) => `Up to ${watts} W: ${price} per hour`,
    offer: (number, kind, value) => `Offer ${number}: ${kind}${value ? " " + value : ""}`,
    time: (price) => ` + ${price} per hour`,
  },

  lines: {
    title: "Beyond energy",
    line: "Line",
    lasted: "Time",
    price: "Price per hour",
    time: "Time while charging",
    tier: (watts) => `Power up to ${watts} W`,
    idle: "Staying on",
    topUp: "Up to the minimum",
    tax: (net, tax) => `Net ${net}, tax ${tax}`,
  },
  staying: "Staying on",
  stayingText: (since, free, cost) => [`since `, since, `, free until `, free, `, so far ${cost}`],
  stay: "Stays, minutes",
};
