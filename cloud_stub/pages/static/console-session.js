// The operator's session: the token (kept for this tab only), requests with it, and what is polled.

import { Problem, request, TIMEOUT_MS } from "./api.js";

const PLACE = "ratelock.operator";
const RETRY_MS = 3000;

/** `session.ended()` is called when the token is refused; `session.link(connected)` after each poll. */
export const session = { ended: () => {}, link: () => {} };

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

/** One request as the operator; returns the answer's JSON. Throws Problem. */
export async function ask(path, options = {}) {
  try {
    return await request(path, { ...options, token: token() });
  } catch (problem) {
    if (problem.status === 401) logOut();
    throw problem;
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
      if (problem.status === 401) return logOut();
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
async function changed(path, tag) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const headers = { Accept: "application/json", Authorization: "Bearer " + token() };
    if (tag) headers["If-None-Match"] = tag;
    const answer = await fetch(path, { headers, cache: "no-store", signal: abort.signal });
    if (answer.status === 304) return null;
    const value = await answer.json();
    if (!answer.ok) throw new Problem(value.code ?? "HttpError", answer.status, value);
    return { value, tag: answer.headers.get("ETag") };
  } catch (error) {
    throw error instanceof Problem ? error : new Problem("Network", 0, {});
  } finally {
    clearTimeout(timer);
  }
}

/** A file of the API as a Blob; the token travels in a header, never in an address. Throws Problem. */
export async function fetched(path) {
  let answer;
  try {
    answer = await fetch(path, { headers: { Authorization: "Bearer " + token() }, cache: "no-store" });
  } catch {
    throw new Problem("Network", 0, {});
  }
  if (answer.status === 401) logOut();
  if (!answer.ok) {
    const value = await answer.json();
    throw new Problem(value.code ?? "HttpError", answer.status, value);
  }
  return answer.blob();
}

/** Hand a file of the API to the browser's downloads. Throws Problem. */
export async function download(path, name) {
  const address = URL.createObjectURL(await fetched(path));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
