// What the cloud's closed lists mean to a person: events of piles, flags of settlements.

import { words } from "./console-parts.js";

const EVENTS = {
  PileOnline: ["Came online", "ok"],
  PileOffline: ["Went offline", "off"],
  FaultReported: ["Fault", "bad"],
  FaultCleared: ["Fault cleared", "ok"],
  EmergencyStopPressed: ["Emergency stop pressed", "bad"],
  EmergencyStopReleased: ["Emergency stop released", "ok"],
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
      : detail.replace(/\b[A-Z][a-z]+[A-Z]\w+/g, (word) => words(word).toLowerCase());
  return [more ? `${text}: ${more}` : text, tone];
}

const REASONS = {
  Remote: "Stopped remotely",
  Local: "Stopped at the pile",
  EVDisconnected: "Vehicle unplugged",
  StoppedByEV: "Stopped by the vehicle",
  PileSilent: "The pile was not heard of any more",
  NotAtPile: "The pile has neither the order nor a settlement",
  SettlementMalformed: "Nothing can be billed from its settlement",
  Other: "Another reason",
};

/** Why a pile stopped an order, or refused it. */
export function reasonWords(reason) {
  return REASONS[reason] ?? words(reason);
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
