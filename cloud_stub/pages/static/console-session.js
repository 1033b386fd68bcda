// The operator's session: the token (kept for this tab only), requests with it, and what is polled.

import { Problem, request } from "./api.js";
import { keepFile } from "./dom.js";

const PLACE = "ratelock.operator";
const RETRY_MS = 3000;
const FILE_MS = 600_000; // a table of every order takes its time

/**
 * `session.renew()` is called when the cloud refuses the token: a promise of a new login, one for all that wait. A page
 * without one gets the problem.
 * `session.ended()` is called on logout; `session.link(connected)` after each poll.
 */
export const session = { renew: null, ended: () => {}, link: () => {} };

/** Whether the operator has a permission (cloud_stub/people/roles.py); the operator token has them all. */
export const may = (_permission) => true;

export function token() {
  return sessionStorage.getItem(PLACE);
}

/** Keep the token if the cloud takes it. Throws Problem (Unauthorized, Network). */
export async function logIn(given) {
  if (!/^[\x21-\x7e]+$/.test(given)) throw new Problem("Unauthorized", 401, {});
  await request("/api/piles?limit=1", { token: given });
  sessionStorage.setItem(PLACE, given);
}

export function logOut() {
  sessionStorage.removeItem(PLACE);
  session.ended();
}

/** What a request without an answer becomes. */
export const unreachable = () => new Problem("Network", 0, {});

/**
 * One request as the operator; returns the answer's JSON, or what `read` makes of the answer. Throws Problem.
 * Where the session has ended, it waits for a new login, and is made again: a form keeps what was typed.
 */
export async function ask(path, options, read) {
  for (;;) {
    try {
      return await request(path, { ...options, token: token() }, read);
    } catch (problem) {
      if (problem.status !== 401 || !session.renew) throw problem;
      await session.renew();
    }
  }
}

/**
 * Ask for `path` every `everyMs` while the page is looked at; `show(value)` when the answer is another one.
 * A first failure that is not the network's goes to `failed(problem)` and ends it. Returns how to end it.
 */
export function poll(path, everyMs, show, failed) {
  let tag = null;
  let timer = null;
  let ended = false;

  async function round() {
    clearTimeout(timer);
    let pause = everyMs;
    try {
      const answer = await changed(path, tag);
      if (ended) return;
      session.link(true);
      if (answer) {
        tag = answer.tag;
        show(answer.value);
      }
    } catch (problem) {
      if (ended) return;
      if (!(problem instanceof Problem)) throw problem;
      if (problem.code !== "Network" && problem.status < 500 && problem.status !== 429) {
        ended = true;
        return failed(problem);
      }
      session.link(false);
      pause = RETRY_MS;
    }
    if (!document.hidden) timer = setTimeout(round, pause);
  }

  const seenAgain = () => {
    if (!document.hidden && !ended) round();
  };
  document.addEventListener("visibilitychange", seenAgain);
  round();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seenAgain);
  };
}

/** {value, tag} of a resource, null where it still has `tag`. */
function changed(path, tag) {
  const headers = tag ? { "If-None-Match": tag } : {};
  return ask(path, { headers }, async (answer) =>
    answer.status === 304 ? null : { value: await answer.json(), tag: answer.headers.get("ETag") },
  );
}

/** A file of the API as a Blob; the token travels in a header, never in an address. Throws Problem. */
export const fetched = (path) => ask(path, { timeoutMs: FILE_MS }, (answer) => answer.blob());

/** Hand a file of the API to the browser's downloads. Throws Problem. */
export async function download(path, name) {
  keepFile(await fetched(path), name);
}
