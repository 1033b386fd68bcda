// The cloud's HTTP API. Whatever goes wrong is a Problem with a stable `code`; "Network" is ours: no answer came.

export const TIMEOUT_MS = 10_000;

export class Problem extends Error {
  /** `members`: the problem document of the answer (RFC 9457), {} where there was none. */
  constructor(code, status, members) {
    super(members.detail ?? members.title ?? code);
    this.code = code;
    this.status = status;
    this.members = members;
  }
}

/** One request; returns the answer's JSON. options: method, body (sent as JSON), token, headers. */
export async function request(path, { method = "GET", body, token, headers = {} } = {}) {
  const all = { Accept: "application/json", ...headers };
  if (body !== undefined) all["Content-Type"] = "application/json";
  if (token) all.Authorization = "Bearer " + token;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const answer = await fetch(path, {
      method,
      headers: all,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: abort.signal,
    });
    const value = await answer.json();
    if (answer.ok) return value;
    throw new Problem(value.code ?? "HttpError", answer.status, value);
  } catch (error) {
    throw error instanceof Problem ? error : new Problem("Network", 0, {});
  } finally {
    clearTimeout(timer);
  }
}
