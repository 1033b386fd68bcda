// The rarer words of piles in English, loaded where one of them is to be shown. Those of every day are in phone-words.en.js.

const another = "Please take another pile.";
const elsewhere = "Please take another connector or pile.";
const onThePhone = "Please open it on the phone that started the charge.";
const again = "Please start again.";
const withoutCode = "Nothing has started. You can charge without it: clear its field.";
const restarted = ["The pile has just restarted", "Its clock is not set yet. Please try again in a minute."];

export default {
  /** What a bill says of itself that few bills have. */
  bills: {
    flagged: "Something in it does not fit your order. You need not pay until it has been checked.",
    missing: "The meter gave no reading after the end. The last reading before it is billed.",
    recovered: "There was a power cut during this charge; only what is certain is billed.",
    Released: "This bill was checked: it is computed with your locked price.",
    Waived: "This bill was checked: you need not pay it."
  },

  /** Why an order ended, after "Ended because". */
  stops: {
    GroundFault: "the pile found a ground fault",
    OvercurrentFault: "the current was too high",
    PowerLoss: "the power failed",
    Reboot: "the pile had to restart",
    Timeout: "the vehicle never began to draw power",
    VehicleChanged: "the power came back after a long pause: it may be another vehicle",
    PowerQuality: "the power failed too often",
    FeedBusy: "the supply had no power left for this connector for too long",
    PowerSwitchStuckOpen: "the pile's switch did not close, so no power could flow",
    PowerSwitchFailure: "the pile's switch did not open; please tell the operator",
    MeterFailure: "the pile's meter stopped answering",
    HighTemperature: "the pile became too hot",
    SensorFailure: "a safety sensor of the pile stopped answering",
    InternalError: "the pile found an error of its own"
  },

  /** What is wrong with a connector that has a fault. */
  faults: {
    PowerSwitchFailure: "Its switch does not open. Do not touch the plug; the operator has to come.",
    PowerMeterFailure: "Its meter does not answer.",
    OverCurrentFailure: "The current was too high.",
    HighTemperature: "It is too hot and has to cool down.",
    GroundFailure: "It found a ground fault.",
    InternalError: "It found an error of its own.",
    PowerSwitchStuckOpen: "Its switch does not close, so no power can flow.",
    UnderVoltage: "The power there failed too often.",
    SensorFailure: "A safety sensor does not answer."
  },

  /** Problems of HTTP that few people meet: what is wrong, what to do. */
  failures: {
    OutcomeUnknown: ["The service has not answered", "Please try again. It cannot start or pay twice."],
    PileRemoved: ["This pile was removed", "Take another one: scan its code, or type its id. Receipts of charges here stay."],
    NoRate: ["This pile has no price yet", another],
    InvalidRequest: ["A limit cannot be used", "Please look at the limits again."],
    LimitTooLow: ["This cost limit is too low", "The fee or the minimum of a charge is already that much. Please set a higher limit."],
    RateNotBillable: ["This pile cannot bill this price", "Its software is too old for it. " + another],
    PaymentRefused: ["The hold was refused", "Nothing has started, nothing is taken. Please try a lower limit or another card."],
    PaymentNeeded: ["The payment step could not be shown", "Nothing has started. Check your connection and try again."],
    PaymentUnavailable: ["The payment service does not answer", "Nothing has started. Please try again; it cannot pay twice."],
    FreeCodeInvalid: ["This code cannot be used", withoutCode],
    "FreeCodeInvalid.Unknown": ["There is no such code", "Nothing has started. Please compare each letter and digit, or charge without it."],
    "FreeCodeInvalid.UsedUp": ["This code has been used up", withoutCode],
    "FreeCodeInvalid.Expired": ["This code has expired", withoutCode],
    "FreeCodeInvalid.Revoked": ["This code is no longer valid", withoutCode],
    "FreeCodeInvalid.Elsewhere": ["This code is for another place", withoutCode],
    PileHasNoClock: restarted,
    DeadLink: ["This link opens no receipt any more", "It is too old or not complete. " + onThePhone],
    UnknownOrder: ["This receipt cannot be opened here", onThePhone],
    TooManyRequests: ["Too many tries at once", "Please wait a minute, then try again."],
    Lost: ["This charge has no bill", "The pile did not send one, so nothing is to be paid now. If it does, this page shows it."]
  },

  /** Why a pile refused an order: what is wrong, what to do. */
  rejects: {
    Malformed: ["The pile could not read the order", again],
    BadSeal: ["The pile could not verify the order", another],
    WrongDevice: ["The order was for another pile", "Please scan the code on this pile and start again."],
    UnknownConnector: ["The pile has no such connector", elsewhere],
    Expired: ["The confirmation reached the pile too late", again],
    NotYetValid: ["The pile's clock is wrong", "Please try again in a minute, or take another pile."],
    UsedOrder: ["The pile knows this order already", again],
    PricesIncomplete: ["The prices did not reach as far as the order", "Please start again with a shorter time."],
    ConnectorBusy: ["This connector is in use", elsewhere],
    ConnectorFaulted: ["This connector is out of order", elsewhere],
    NoMeter: ["The pile's meter does not answer", another],
    NoClock: restarted,
    OutboxFull: ["The pile has to send older receipts first", another],
    StorageFailure: ["The pile could not store the order", another],
    TooSoon: ["The last charge here ended a moment ago", "Please try again in a few seconds."],
    OutOfService: ["This connector has just been taken out of service", "Please take another connector or pile."],
    FeedBusy: ["The supply has no power left for this connector", "Please wait until another vehicle has finished, or take another pile."],
    OnTrial: ["The pile has just been updated", "Please try again in a few minutes, or take another pile."],
    NotBillable: ["This pile cannot bill this price", another]
  }
};
