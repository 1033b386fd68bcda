// The phone page in English. A function takes what stands in its sentence.

const scan = "Scan the code on the pile, or type the id that stands under it.";
const outOfOrder = "This connector is out of order";
const elsewhere = "Please take another connector or pile.";

export default {
  locale: "en-GB",
  other: { language: "zh-CN", name: "中文" },
  loading: "Asking the pile…",
  brand: "RateLock",
  promise: "The price you confirm is the price you pay.",
  back: "Back to the price",
  again: "Try again",
  test: "TEST - no money moves",
  perKwh: "/kWh",
  perHour: "/h",
  kwh: "kWh",
  kw: "kW",
  minutes: c => `${c} min`,
  hours: c => `${c} h`,

  periods: { flat: "Flat", sharp: "Sharp peak", peak: "Peak", valley: "Off-peak" },
  statuses: {
    Available: "Free",
    Occupied: "Plugged in",
    Waiting: "Vehicle still there",
    Preparing: "Plugged in, ready",
    Unavailable: "Not available",
    Faulted: "Out of order",
    busy: "In use"
  },

  ask: {
    title: "Which pile?",
    text: "Type the letters and digits that stand under the QR code.",
    label: "Pile id",
    go: "Show the price"
  },

  pile: {
    online: "Online",
    offline: "Offline",
    connector: n => `Connector ${n}`,
    connectors: "Connector",
    lastReceipt: t => `Your last charge here: ${t}`,
    occupiedSince: t => `Its charge is over; plugged in since ${t}`,
    freeIn: m => `free in about ${m} min`
  },

  price: {
    title: "Price now",
    electricity: "Electricity",
    service: "Service",
    together: "Together",
    hour: "Per hour",
    about: m => `≈ ${m}`,
    least: m => `from ${m}`,
    fee: f => `plus ${f} once per charge`,
    until: (p, t) => `${p} until ${t}`,
    then: (t, p, e) => `From ${t}: ${p} (${e})`,
    always: "The same price all day",
    now: "now",
    day: "Prices of the day",
    zone: z => `Times at the pile (${z})`
  },

  amount: {
    title: "How much?",
    estimate: "At the price now",
    unlimited: "Until I stop",
    atMost: "at most",
    unlimitedHint: "or the battery is full",
    more: "Limits of your own",
    haveCode: "I have a code",
    energy: "At most, in kWh",
    cost: c => `At most, in ${c}`,
    time: "At most, in minutes",
    wrong: {
      energy: "A number from 0.001 to 1000, please",
      cost: "An amount above zero, please",
      time: "Whole minutes from 1 to 1440, please"
    },
    hint: "The pile stops at the first limit reached, also without a network."
  },

  confirm: {
    button: p => `Start at ${p}`,
    fee: f => `+ ${f} once`,
    limit: l => `at most ${l}`,
    locked: "This price list is locked for your whole charge.",
    sending: "Confirming…",
    plug: "Plug in your vehicle, then you can start."
  },

  changed: {
    old: "You saw",
    new: "New price",
    look: "Look at it first"
  },

  order: {
    Pending: "Starting…",
    Accepted: "Starting…",
    Charging: "Charging",
    Finishing: "Finishing…",
    starting: "The pile switches on in a moment.",
    pending: "Your confirmation is on its way to the pile.",
    finishing: "The pile writes your receipt.",
    suspended: "The vehicle draws no power at the moment.",
    stopping: "Stopping…",
    stop: "Stop charging",
    energy: "Energy",
    cost: "Cost so far",
    power: "Power",
    elapsed: "Time",
    limits: "Until your limits",
    of: (v, l) => `${v} of ${l}`,
    curve: "Power over time",
    curveSpoken: (n, m) => `Power over time: now ${n} kW, at most ${m} kW`,
    locked: "Your locked price",
    lockedAt: t => `Confirmed at ${t}; a new price changes nothing here.`,
    pile: (n, u) => `${n} · connector ${u}`,
    handOver: "Hand over to another phone"
  },

  others: {
    title: "Your other charges",
    order: (d, n) => `${d} · connector ${n}`,
    another: "Charge at another connector, too",
    earlier: "Your earlier charges and receipts"
  },

  banner: {
    lost: "Connection lost. Trying again…",
    lostAt: t => `Connection lost; the values are from ${t}. Trying again…`,
    lostCharging: "The pile goes on charging and keeps to your limits.",
    pileOffline: "The pile has no network at the moment.",
    pileOfflineAt: t => `The pile has no network; the values are from ${t}.`,
    pileOfflineCharging: "It keeps to your limits; the receipt comes when it is back.",
    stopLater: "It stops as soon as it is back, or at once with the pile's stop button, if it has one."
  },

  receipt: {
    title: "Receipt",
    toPay: "To pay",
    paid: "Paid",
    free: "Nothing to pay",
    checking: "Being checked",
    paidAt: t => `Paid on ${t}`,
    thanks: "Thank you. You can unplug now.",
    pay: t => `Pay ${t}`,
    paying: "Paying…",
    print: "Print",
    save: "Save",
    link: "Link",
    done: "Done",
    fee: "Fee per charge",
    total: "Total",
    credit: "Credit of",
    net: "Total less credits",
    claimed: "The pile's total",
    sum: "Sum",
    from: "from",
    nothing: "Nothing was charged, so nothing is to be paid.",
    stopped: "Ended because",
    pile: "Pile",
    connector: "Connector",
    started: "Started",
    ended: "Ended",
    duration: "Duration",
    rate: "Locked rate",
    registers: "Meter, kWh",
    order: "Order",
    flagged: "This bill is being checked",
    filename: "receipt"
  },

  /** Why an order ended; the rarer words are in phone-reasons.en.js. */
  stops: {
    Remote: "you stopped it on the phone",
    Local: "it was stopped at the pile",
    EVDisconnected: "the vehicle was unplugged",
    EnergyLimitReached: "your energy limit was reached",
    TimeLimitReached: "the time limit was reached",
    CostLimitReached: "your money limit was reached",
    EmergencyStop: "the emergency stop was pressed",
    StoppedByEV: "the vehicle was full or stopped drawing power",
    Other: "the pile stopped for another reason"
  },

  /** What went wrong, and what to do: of HTTP's codes, of a pile's refusals, and of ends without a receipt. */
  failures: {
    UnknownPile: ["We know no pile with this id", scan],
    NotFound: ["There is no such page", scan],
    PileOffline: ["The pile is offline", "This page updates when it is back. You can also take another pile."],
    PileFaulted: [outOfOrder, elsewhere],
    ConnectorBusy: ["This connector is in use", "Please take another one, or wait: this page updates when it is free."],
    ConnectorUnavailable: ["This connector is switched off", "Its emergency stop or stop button may be pressed. " + elsewhere],
    OutOfService: ["This connector is out of service", "The operator has taken it out of service. " + elsewhere],
    RateChanged: ["The price has changed", "Nothing has started. Please look at the new price and decide again."],
    DatabaseUnavailable: ["The service is busy", "Please try again in a moment."],
    Network: ["No answer from the network", "Check your connection and try again. It cannot start or pay twice."],
    Other: ["Something went wrong", "Please try again, or take another pile."],

    /** Whatever kept a stop from going out. */
    stop: ["Your stop did not go out.", "Press stop again, or the pile's stop button, if it has one."],

    /** Below each refusal and a cancelled order. More refusals of piles are in phone-reasons.en.js. */
    nothing: "Nothing was started, nothing is to be paid.",
    Rejected: {
      NotPlugged: ["The pile sees no vehicle", "Plug the cable in firmly and start again."],
      Other: ["The pile refused to start", "Please try again or take another pile."]
    },
    Expired: ["The pile did not answer in time", "As far as is known, nothing has started. If it does, this page shows it."],
    Cancelled: ["You cancelled before the start", ""]
  }
};
