// What the cloud's closed lists mean to a person: events of piles, flags of settlements.

import { words } from "./console-parts.js";

const EVENTS = {
  PileOnline: ["Came online", "ok"],
  PileOffline: ["Went offline", "off"],
  FaultReported: ["Fault", "bad"],
  FaultCleared: ["Fault cleared", "ok"],
  EmergencyStopPressed: ["Emergency stop or stop button pressed", "bad"],
  EmergencyStopReleased: ["Emergency stop or stop button released", "ok"],
  ResetRequested: ["Reset was asked for", "warn"],
  RatePublished: ["New rate published", "busy"],
  PileLost: ["Not heard of any more", "off"],
  PileRemoved: ["Pile removed", "warn"],
  SettlementReviewed: ["Settlement looked into", "ok"],
  SettlementFlagged: ["Settlement flagged", "bad"],
  OrderRefused: ["Refused an order", "warn"],
  OrderLost: ["Lost an order", "bad"],
  OrderClosed: ["Order closed", "warn"],
  LateWord: ["Spoke too late of an order", "warn"],
};

/** [text, tone] of one event of /api/events. */
export function eventWords({ kind, detail }) {
  const [text, tone] = EVENTS[kind] ?? [words(kind), "off"];
  const more =
    ["SettlementReviewed", "PileRemoved", "OrderClosed"].includes(kind)
      ? detail
      : kind === "RatePublished"
      ? "…" + detail.slice(-8)
      : detail.replace(/\b[A-Z]\w+/g, inSentence);
  return [more ? `${text}: ${more}` : text, tone];
}

/** Why a pile stopped an order: pile_protocol/words.py. */
export const STOPS = {
  Remote: "Stopped from the phone or the console",
  Local: "Stopped with the button at the pile",
  EVDisconnected: "Vehicle unplugged",
  EnergyLimitReached: "Energy limit reached",
  TimeLimitReached: "Time limit reached",
  CostLimitReached: "Money limit reached",
  EmergencyStop: "Emergency stop pressed",
  GroundFault: "Ground fault",
  OvercurrentFault: "Current too high",
  PowerLoss: "Power failed and the order could not go on",
  Reboot: "Pile restarted",
  StoppedByEV: "Vehicle full, or it stopped drawing power",
  Other: "Another reason (a fault, with firmware up to 0.1.0)",
  Timeout: "Vehicle never began to draw power",
  VehicleChanged: "Power came back after a long pause: perhaps another vehicle",
  PowerQuality: "Too many power cuts during one order",
  FeedBusy: "Shared supply had no room for too long",
  PowerSwitchStuckOpen: "Contactor did not close",
  PowerSwitchFailure: "Contactor welded: it did not open",
  MeterFailure: "Meter stopped answering",
  HighTemperature: "Temperature too high",
  SensorFailure: "Thermometer or plug switch cannot be read",
  InternalError: "Error inside the pile",
};

/** Why a pile refused an order: pile_protocol/wire.py. */
export const REJECTS = {
  Malformed: "Order could not be read",
  BadSeal: "Seal of the order is wrong: is the pile's key the one registered here?",
  WrongDevice: "Order was for another pile",
  UnknownConnector: "Pile has no such connector",
  Expired: "Order came too late",
  NotYetValid: "Order is in the future for the pile: its clock is wrong",
  UsedOrder: "Pile had this order before",
  PricesIncomplete: "Prices do not reach as far as the order",
  ConnectorBusy: "Connector in use",
  ConnectorFaulted: "Connector has a fault",
  NotPlugged: "No vehicle plugged in",
  NoMeter: "No valid meter reading",
  NoClock: "Pile has no time yet",
  OutboxFull: "Too many settlements wait at the pile",
  StorageFailure: "Order could not be written to flash",
  TooSoon: "Too soon after the order before",
  FeedBusy: "Shared supply has no room",
  OnTrial: "Pile tries a new release or configuration",
};

/** Faults of a connector: pile_protocol/words.py. */
export const FAULTS = {
  PowerSwitchFailure: "Contactor welded: energy flows although it was opened",
  PowerMeterFailure: "Meter does not answer",
  OverCurrentFailure: "Current too high",
  HighTemperature: "Temperature too high",
  GroundFailure: "Ground fault",
  InternalError: "Error inside the pile",
  PowerSwitchStuckOpen: "Contactor did not close",
  UnderVoltage: "Too many power cuts during one order",
  SensorFailure: "Thermometer or plug switch cannot be read",
};

/** Why an order is lost: cloud_stub/orders/states.py. */
export const LOSSES = {
  PileRemoved: "The pile was removed",
  PileSilent: "The pile has not been heard of for too long",
  NotAtPile: "The pile has neither the order nor a settlement",
  SettlementMalformed: "Nothing can be billed from its settlement",
  ClosedByOperator: "Closed by an operator",
};

/** Why a pile stopped an order, or refused it, or why the cloud lost it. */
export function reasonWords(reason) {
  return STOPS[reason] ?? REJECTS[reason] ?? LOSSES[reason] ?? words(reason);
}

export function faultWords(fault) {
  return FAULTS[fault] ?? words(fault);
}

/** A pile's word in the middle of a sentence; other words stay as they are. */
function inSentence(word) {
  const text = FAULTS[word] ?? STOPS[word] ?? REJECTS[word] ?? (/[a-z][A-Z]/.test(word) ? words(word) : null);
  return text ? text.charAt(0).toLowerCase() + text.slice(1) : word;
}

const FLAGS = {
  UnknownOrder: "There is no such order here.",
  WrongDevice: "It came from another pile than the order was for.",
  WrongConnector: "It names another connector than the order.",
  RateMismatch: "It was made with another rate than the one that was locked.",
  CurrencyMismatch: "It is in another currency than the locked rate.",
  RegisterMismatch: "The energy is not the difference of the two meter registers.",
  EnergyMismatch: "The energy of the periods does not add up to the energy in all.",
  StartOutsideOrder: "It says that charging began outside the order's time.",
  EndOutsideOrder: "It says that charging ended outside the order's time.",
  PeriodOutsideTime: "It has energy in a period outside the time of charging.",
  EndInFuture: "It says that charging ended at a time that had not come when it was received.",
  EnergyLimitExceeded: "It has more energy than the limit that the driver confirmed.",
  CostLimitExceeded: "It has energy worth more than the limit that the driver confirmed.",
  DurationLimitExceeded: "It took longer than the limit that the driver confirmed.",
  PowerTooHigh: "It has more energy than the connector can carry in its time.",
  ReportsMismatch: "The meter values, or the word that charging was ending, say otherwise.",
  StopReasonMismatch: "Its stop reason does not agree with the order.",
  PeriodsMismatch: "Its periods are not those of the locked rate, so nothing could be computed.",
  TotalMismatch: "The total is not what the locked rate gives.",
  LinesMismatch: "The lines are not what the locked rate gives.",
  AlreadySettled: "The order had been settled before.",
  SeqReused: "Its number was used by another settlement of this pile.",
  Malformed: "It has a member that this cloud cannot read; its seal is right.",
  SeqGap: "A settlement of this pile is missing before it.",
  RegisterOverlap: "Its first meter register lies below the end of the settlement before it on this connector.",
  ChainBroken: "It does not follow the settlement before it.",
};

export function flagWords(flag) {
  return FLAGS[flag] ?? words(flag);
}
