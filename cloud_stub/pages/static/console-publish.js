// Publishing a rate: what it changes is shown first, and never over a version that nobody here has seen.

import { Problem } from "./api.js";
import { confirm } from "./console-dialog.js";
import { h, when } from "./console-parts.js";
import { differences, plain } from "./console-ratediff.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const t = (await words("console-words-rate")).publishing;

const NO_RATE = "none";

const list = (lines) =>
  h(
    "ul",
    {},
    lines.map((each) => h("li", {}, each)),
  );

const changes = (before, after) => {
  const found = differences(plain(before), after);
  return found.length ? list(found) : t.same;
};

/**
 * Ask, and publish `rate` in the place of `latest` (null: the first one). Where somebody has published another version
 * meanwhile, `newer(version)` takes it and it is asked again. Resolves to the new version, null where the answer was
 * no. Throws Problem.
 */
export async function publishRate({ path, rate, latest, newer }) {
  let before = latest;
  const first = [before ? changes(before, rate) : t.first, t.forever];
  let wanted = await confirm(t.title, first, t.action);
  while (wanted) {
    try {
      const replaces = encodeURIComponent(before?.rate_id ?? NO_RATE);
      return await ask(`${path}/rate?replaces=${replaces}`, { method: "PUT", body: rate });
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.code !== "RateReplaced") throw problem;
      const { rate: newest } = problem.members;
      newer(newest);
      wanted = await confirm(t.otherTitle, meanwhile(before, newest, rate), t.over, true);
      before = newest;
    }
  }
  return null;
}

function meanwhile(before, newest, rate) {
  const said = [
    h("p", {}, t.since(newest.rate_id.slice(-8), when(newest.published_at))),
    h("h3", {}, t.theirs),
    before ? changes(before, plain(newest)) : t.first,
    h("h3", {}, t.yours),
    changes(newest, rate),
  ];
  return [...said, t.forever];
}
