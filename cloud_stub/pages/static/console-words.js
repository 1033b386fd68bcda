// What the cloud's closed lists mean to a person: events of piles, reasons, faults, flags of settlements, payments.

import { here, kwh, spaced } from "./console-parts.js";
import { paymentDetails } from "./console-payment-lines.js";
import { words } from "./say.js";

const t = await words("console-words-wire");
const { states } = await words("console-words");

const EVENT_TONES = {
  PileOnline: "ok",
  FaultReported: "bad",
  FaultCleared: "ok",
  EmergencyStopPressed: "bad",
  EmergencyStopReleased: "ok",
  ResetRequested: "warn",
  RestartRequested: "warn",
  TwoBoards: "bad",
  RatePublished: "busy",
  PileRemoved: "warn",
  EventsDropped: "warn",
  WebhookDisabled: "bad",
  ReceiptNotSent: "warn",
  UpdateOnTrial: "busy",
  UpdateConfirmed: "ok",
  UpdateRefused: "bad",
  UpdateFellBack: "bad",
  UpdateLost: "bad",
  SettlementReviewed: "ok",
  SettlementFlagged: "bad",
  OrderRefused: "warn",
  OcppRefused: "bad",
  OcppTagRefused: "warn",
  OrderLost: "bad",
  OrderClosed: "warn",
  LateWord: "warn",
  CaptureRefused: "bad",
  ReleaseRefused: "bad",
  RefundRefused: "bad",
};
/** What the detail of an event says; where there is none of its kind here, told() does. */
const DETAILS = {
  OrderClosed: (detail) => detail, // as a person wrote it
  PileRemoved: (detail) => replaced(detail, /^(\d+) settlements given up$/, t.givenUp),
  RatePublished: rateWords,
  RateWithdrawn: rateWords,
  SettlementReviewed: (detail) => replaced(detail, /^(Released|Waived)/, (word) => t.decisions[word]),
  ChainRestarted: (detail) => replaced(detail, /^epoch (\d+) .*/, t.chain),
  EnergyUnbilled: (detail) =>
    replaced(
      replaced(detail, /^connector (\d+), before settlement (\d+): (\d+) mWh/, (number, seq, mwh) =>
        t.unbilled(t.connector(number), seq, kwh(Number(mwh), 6, 3)),
      ),
      / \(settlement (\d+) has no last reading\)/,
      t.noLast,
    ),
  ...paymentDetails,
};

/** A rate's id, and from when it holds where that is not at once. */
function rateWords(detail) {
  const [id, from] = detail.split(" ");
  const end = "…" + id.slice(-8);
  return from ? t.rateFrom(end, here.dateTime(Date.parse(from) / 1000)) : end;
}

/** [text, tone] of one event of /api/events. */
export function eventWords({ kind, detail }) {
  const text = t.events[kind] ?? spaced(kind);
  const more = detailWords(kind, detail);
  return [more ? t.event(text, more) : text, EVENT_TONES[kind] ?? "off"];
}

/** The detail of an event or of an audit line. */
export const detailWords = (kind, detail) => (DETAILS[kind] ?? told)(detail);

const replaced = (text, pattern, by) => text.replace(pattern, (_, ...groups) => by(...groups));

/** Why a pile stopped an order, or refused it, or why the cloud lost it. */
export const reasonWords = (reason) => t.stops[reason] ?? t.rejects[reason] ?? t.losses[reason] ?? spaced(reason);

export const faultWords = (fault) => t.faults[fault] ?? spaced(fault);

/** [name, what it means] of a flag. */
export const flagWords = (flag) => t.flags[flag] ?? [spaced(flag), ""];

/** An event's detail, such as "connector 2: GroundFailure", in the page's language. */
const told = (detail) =>
  detail
    .replace(/\bconnector (\d+)/g, (_, number) => t.connector(number))
    .replace(/, was ([A-Z]\w+)/g, (_, state) => t.was(states[state] ?? state))
    .replace(/\b[A-Z]\w+/g, inSentence);

/** A pile's word in the middle of a sentence; other words stay as they are. */
function inSentence(word) {
  const text =
    t.faults[word] ??
    t.stops[word] ??
    t.rejects[word] ??
    t.losses[word] ??
    t.flags[word]?.[0] ??
    (/[a-z][A-Z]/.test(word) ? spaced(word) : null);
  return text ? text.charAt(0).toLowerCase() + text.slice(1) : word;
}
