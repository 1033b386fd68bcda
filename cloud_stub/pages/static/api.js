// The cloud's HTTP API. Whatever goes wrong is a Problem with a stable `code`; "Network" is ours: no answer came.

export class Problem extends Error {
  /** `members`: the problem document of the answer (RFC 9457), {} where there was none. */
  constructor(code, status, members) {
    super(members.detail ?? members.title ?? code);
    this.code = code;
    this.status = status;
    this.members = members;
  }
}

/**
 * One request; returns the answer's JSON, or what `read` makes of the answer: a good one, or one that nothing has changed.
 * options: method, body (a file, or what is sent as JSON), token, headers, timeoutMs.
 */
export async function request(path, options = {}, read = answer => answer.json()) {
  const { method = "GET", body, token, headers, timeoutMs = 10_000 } = options;
  const all = { Accept: "application/json", ...headers };
  const isFile = body instanceof Blob;
  if (body !== undefined) all["Content-Type"] = isFile ? "application/octet-stream" : "application/json";
  if (token) all.Authorization = "Bearer " + token;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeoutMs);
  try {
    const answer = await fetch(path, {
      method,
      headers: all,
      body: body === undefined || isFile ? body : JSON.stringify(body),
      cache: "no-store",
      signal: abort.signal,
    });
    if (answer.ok || answer.status === 304) return await read(answer);
    const problem = await answer.json();
    throw new Problem(problem.code ?? "HttpError", answer.status, problem);
  } catch (error) {
    throw error instanceof Problem ? error : new Problem("Network", 0, {});
  } finally {
    clearTimeout(timer);
  }
}
