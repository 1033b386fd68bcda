// What the pages of updates share: what a rollout is about, to which piles, and how far a pile is.

import { pill, spaced } from "./console-parts.js";
import { words } from "./say.js";

const t = await words("console-words-updates");

const ROLLOUT_TONES = { Running: "busy", Paused: "warn", Halted: "bad", Finished: "ok", Cancelled: "off" };
const TONES = {
  Downloading: "busy",
  Verifying: "busy",
  Waiting: "warn",
  Trial: "busy",
  Confirmed: "ok",
  Refused: "bad",
  FellBack: "bad",
  Lost: "bad",
  Missed: "warn",
};
const FAILED = ["Refused", "FellBack", "Lost"];
const OPEN = ["Queued", "Offered", "Downloading", "Waiting", "Verifying", "Trial"];

/** How many piles of {state: piles} are in one of `states`. */
const sum = (counted, states) => states.reduce((total, state) => total + (counted[state] ?? 0), 0);
export const failed = (counted) => sum(counted, FAILED);
export const open = (counted) => sum(counted, OPEN);

export const whatOf = ({ release, rollout_id }) => (release === null ? t.configuration(rollout_id) : t.release(release));

/** What a pile runs, from the number that its hello told. */
export const runs = (release) => (release === null ? t.unknown : release === 0 ? t.unreleased : t.release(release));

export function selectionText(selection) {
  const [kind, name] = selection.split(/:(.*)/s);
  return t.selected[kind](name);
}

export const reasonText = (reason) => t.reasons[reason] ?? spaced(reason);

export const rolloutPill = (state) => pill(t.rolloutStates[state], ROLLOUT_TONES[state]);

/** How far a pile is: {state, reason, done_bytes, total_bytes}. */
export function progressPill({ state, reason, done_bytes: done, total_bytes: total }) {
  const name = t.states[state];
  if (state === "Downloading" && total) return pill(t.percent(name, Math.floor((100 * done) / total)), "busy");
  return pill(reason ? t.withReason(name, reasonText(reason)) : name, TONES[state] ?? "off");
}
