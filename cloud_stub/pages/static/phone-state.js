// What the page knows: where it stands, whom it asks, the events of its order, and what went wrong.

import { Problem, request } from "./api.js";

const READ_MS = 8_000; // a failure that is over stays for as long as it takes to read it
export const RUNNING = ["Pending", "Accepted", "Charging", "Finishing"];
// What does not go away by itself.
export const LASTING = ["UnknownPile", "PileRemoved", "NotFound", "UnknownOrder", "DeadLink", "InvalidRequest", "LimitTooLow", "RateChanged"];

/** [device, connector] of /p/PILE-1/2; connector is null in /p/PILE-1. */
function placeOfAddress() {
  let part = /^\/p\/(.*)/.exec(location.pathname)?.[1] ?? "";
  try {
    part = decodeURIComponent(part);
  } catch {
    // not UTF-8: it is no id, and is shown as it came
  }
  const [, device, connector] = /^(.*?)(?:\/([1-8]))?$/.exec(part) ?? [null, part];
  return [device, connector ? Number(connector) : null];
}

function wrongAddress() {
  if (!/^\/(p\/?)?$/.test(location.pathname) && !device) return "NotFound";
  return device && !/^[\w-]{3,32}$/.test(device) ? "UnknownPile" : null;
}

const [device, connectorOfAddress] = placeOfAddress();
export { device, connectorOfAddress };
export const my = {
  pile: null,
  rate: null,
  rateAt: 0, // when it was asked for, in ms of this phone's clock
  aheadMs: 0, // the cloud's clock less this phone's
  order: null,
  token: null,
  own: null, // the order's limits that were asked for, where this phone knows them
  points: [],
  choice: { connector: connectorOfAddress ?? 1, isChosen: connectorOfAddress !== null, offer: null, energy: "", cost: "", time: "", code: null },
  key: null, // {key, body} of a confirmation without an answer
  sending: false,
  stopping: false,
  paying: false,
  failure: null, // {code, reason, stage, at}: of t.failures, shown in the view where it happened
  message: wrongAddress(), // a code of t.failures that has the page to itself
  lost: false,
  heardAt: null // Unix seconds
};

/** The cloud has answered. */
function heard() {
  my.heardAt = Math.floor(Date.now() / 1000);
  my.lost = false;
}

export const api = path => "/api/" + path;
export const pilePath = () => api("piles/" + device);
export const orderPath = (rest = "") => api(`orders/${my.order.order_id}${rest}`);

export async function ask(path, options) {
  try {
    const answer = await request(path, options);
    heard();
    return answer;
  } catch (error) {
    if (error.code === "Network") my.lost = true;
    else heard();
    throw error;
  }
}

/** What is being done now, so what can fail. */
export const stage = () => (!my.order ? "start" : RUNNING.includes(my.order.state) ? "stop" : "pay");

export function say(error) {
  if (!(error instanceof Problem)) throw error;
  my.failure = { code: error.code, reason: error.members.reason, stage: stage(), at: Date.now() };
}

/** A failure is over with its stage, with a stop that arrived after all, or once the cloud is heard again. */
export function forgetFailure() {
  const { failure, order, lost, heardAt } = my;
  if (!failure) return;
  const stopped = failure.stage === "stop" && order?.stop_requested_at != null;
  const passed = !LASTING.includes(failure.code) && !lost && heardAt * 1000 > failure.at + READ_MS;
  if (failure.stage !== stage() || stopped || passed) my.failure = null;
}

const REOPEN_MS = 2_000;
let source = null;

/**
 * Follow the events at `address` instead of those before. on.order and on.meter get each event's content, on.draw is
 * called after it, on.broken when the connection breaks.
 */
export function follow(address, on) {
  unfollow();
  const opened = new EventSource(address);
  source = opened;
  for (const name of ["order", "meter"]) {
    opened.addEventListener(name, event => {
      heard();
      on[name](JSON.parse(event.data));
      on.draw();
    });
  }
  opened.onopen = () => {
    heard();
    on.draw();
  };
  opened.onerror = () => {
    // A browser opens a broken stream again by itself, but not one that was refused.
    if (opened.readyState === EventSource.CLOSED) setTimeout(() => source === opened && follow(address, on), REOPEN_MS);
    on.broken();
  };
}

export function unfollow() {
  source?.close();
  source = null;
}
