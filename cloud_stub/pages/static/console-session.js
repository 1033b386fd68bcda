// The operator's session: who is signed in and what that one may do, requests, and what is polled.
//
// An account's session is a cookie that no script sees. The operator token is kept for this tab only; where there is one, it is
// sent instead of the cookie.

import { Problem, request } from "./api.js";
import { keepFile } from "./dom.js";

const PLACE = "ratelock.operator";
const RETRY_MS = 3000;
const FILE_MS = 600_000; // a table of every order takes its time

/**
 * `session.renew()` is called when the cloud knows the session no more: a promise of a new login, one for all that wait. Without
 * it, the Problem (Unauthorized) is thrown. A page
 * without one gets the problem.
 * `session.changed()` is called where another person may be signed in, or with another role.
 * `session.ended()` is called on logout; `session.link(connected)` after each poll.
 */
export const session = { renew: null, ended: () => {}, link: () => {}, changed: () => {} };

const FROM_CONSOLE = { "X-RateLock-Console": "1" }; // other sites' pages cannot set it: cloud_stub/http/cookies.py

let me = null;

/** Who is signed in, as /api/session has it; null: nobody. */
export const who = () => me;

/** Whether that one has a permission (cloud_stub/people/roles.py); "any": whoever it is. */
export const may = (permission) => me !== null && (permission === "any" || me.permissions.includes(permission));

/** Whether the operator token is used, not an account. */
export const usesToken = () => token() !== null;

const token = () => sessionStorage.getItem(PLACE);

/** One request, as whoever is signed in. */
const asMe = (path, { headers, ...options } = {}, read) =>
  request(path, { ...options, token: token(), headers: { ...FROM_CONSOLE, ...headers } }, read);

/** Take up the session that this browser has. Resolves to whether there is one. */
export async function resume() {
  try {
    me = (await asMe("/api/session")).caller;
  } catch {
    me = null;
  }
  return me !== null;
}

/** Sign in: {name, password} of an account, or {token}. Throws Problem (SignInRefused, Unauthorized, Network ...). */
export async function logIn({ token: given, ...account }) {
  if (given === undefined) {
    ({ caller: me } = await request("/api/session", { method: "POST", body: account, headers: FROM_CONSOLE }));
    sessionStorage.removeItem(PLACE);
    return;
  }
  if (!/^[\x21-\x7e]+$/.test(given)) throw new Problem("Unauthorized", 401, {});
  ({ caller: me } = await request("/api/session", { token: given }));
  sessionStorage.setItem(PLACE, given);
}

export async function logOut() {
  const wasAccount = !usesToken();
  sessionStorage.removeItem(PLACE);
  me = null;
  session.ended();
  if (wasAccount) await request("/api/session", { method: "DELETE", headers: FROM_CONSOLE }).catch(() => {});
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
      return await asMe(path, options, read);
    } catch (problem) {
      if (problem.code === "Forbidden") await readRole();
      if (problem.status !== 401 || !session.renew) throw problem;
      await session.renew();
      session.changed();
    }
  }
}

/** The role is not what it was when it was read. */
async function readRole() {
  try {
    me = (await asMe("/api/session")).caller;
    session.changed();
  } catch {
    return; // the next request tells why
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
export const fetched = (path, options) => ask(path, { timeoutMs: FILE_MS, ...options }, (answer) => answer.blob());

/** Hand a file of the API to the browser's downloads. Throws Problem. */
export async function download(path, name, options) {
  keepFile(await fetched(path, options), name);
}
