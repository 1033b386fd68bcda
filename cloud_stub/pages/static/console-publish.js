// Publishing a rate: what it changes is shown first, and never over a version that nobody here has seen.

import { Problem } from "./api.js";
import { confirm, h, when } from "./console-parts.js";
import { differences, plain } from "./console-ratediff.js";
import { ask } from "./console-session.js";

const NO_RATE = "none";
const FOREVER =
  "It becomes a new version and cannot be changed. Orders that run keep the rate they were confirmed with.";

const list = (lines) =>
  h(
    "ul",
    {},
    lines.map((each) => h("li", {}, each)),
  );

const changes = (before, after) => {
  const found = differences(plain(before), after);
  return found.length ? list(found) : "Nothing: they are the same.";
};

/**
 * Ask, and publish `rate` in the place of `latest` (null: the first one). Where somebody has published another version
 * meanwhile, `newer(version)` takes it and it is asked again. Resolves to the new version, null where the answer was
 * no. Throws Problem.
 */
export async function publishRate({ path, rate, latest, newer }) {
  let before = latest;
  const first = [before ? changes(before, rate) : "It is the first rate of this pile.", FOREVER];
  let wanted = await confirm("Publish this rate?", first, "Publish");
  while (wanted) {
    try {
      const replaces = encodeURIComponent(before?.rate_id ?? NO_RATE);
      return await ask(`${path}/rate?replaces=${replaces}`, { method: "PUT", body: rate });
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.code !== "RateReplaced") throw problem;
      const { rate: newest } = problem.members;
      newer(newest);
      wanted = await confirm("Somebody else has published", meanwhile(before, newest, rate), "Publish over it", true);
      before = newest;
    }
  }
  return null;
}

function meanwhile(before, newest, rate) {
  const said = [
    h("p", {}, `Version …${newest.rate_id.slice(-8)} holds since `, when(newest.published_at), "."),
    h("h3", {}, "What it changed"),
    before ? changes(before, plain(newest)) : "It is the first rate of this pile.",
    h("h3", {}, "What yours would change in it"),
    changes(newest, rate),
  ];
  return [...said, FOREVER];
}
