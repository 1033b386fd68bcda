// Publishing a rate: what it changes and whom it reaches is shown first, and never over a version that nobody here has
// seen. A price that looks like a slip is asked about.

import { confirm } from "./console-dialog.js";
import { formDialog } from "./console-form.js";
import { h, when } from "./console-parts.js";
import { differences, plain } from "./console-ratediff.js";
import { text } from "./console-ratemodel.js";
import { words } from "./say.js";

const all = await words("console-words-rate");
const t = all.publishing;

const NO_RATE = "none";

const list = (lines) =>
  h(
    "ul",
    lines.map((each) => h("li", each)),
  );

const changes = (before, after) => {
  const found = differences(plain(before), after);
  return found.length ? list(found) : t.same;
};

/**
 * Ask, and publish `rate` after `latest` (null: the first one). of: as openEditor() takes it. Where somebody has
 * published another version meanwhile, `newer(version)` takes it and it is asked again. The dialog stays until the cloud
 * has answered. Resolves to the new version, null where the answer was no.
 */
export async function publishRate({ of, rate, latest, newer }) {
  const reached = of.reach ? reach(await of.reach()) : null;
  const control = h("input", { type: "datetime-local" });
  const from = {
    name: "from_at",
    label: t.from,
    hint: t.fromHint,
    control,
    check: (value) => (!value ? null : isSkipped(value) ? t.fromSkipped : Date.parse(value) > Date.now() ? null : t.fromWrong),
  };
  return formDialog({
    id: "publish",
    title: t.title,
    body: [latest ? changes(latest, rate) : t.first, reached, t.forever].filter(Boolean),
    fields: of.canWait ? [from] : [],
    action: t.action,
    submit({ from_at: typed }) {
      const query = new URLSearchParams({ replaces: latest?.rate_id ?? NO_RATE });
      if (typed) query.set("from_at", Math.floor(Date.parse(typed) / 1000));
      return published(of, rate, query, latest, newer);
    },
  });
}

/** Whether the clocks go forward over that local time, such as 2027-03-28T02:30: it would be taken for a later one. */
function isSkipped(local) {
  const at = new Date(local);
  return [at.getHours(), at.getMinutes()].join(":") !== local.slice(11, 16).split(":").map(Number).join(":");
}

/** The new version, null where a question was answered with no. Throws Problem. */
async function published(of, rate, query, before, newer) {
  try {
    return await of.publish(rate, query);
  } catch (problem) {
    const { rate: newest, unusual } = problem.members ?? {};
    if (problem.code === "PriceUnusual") {
      if (!(await confirm(t.unusual.title, [t.unusual.text, list(unusual.map(slip))], t.unusual.action, true))) return null;
      query.set("allow_unusual", "true");
    } else if (problem.code === "RateReplaced" && newest) {
      newer(newest);
      if (!(await confirm(t.otherTitle, meanwhile(before, newest, rate), t.over, true))) return null;
      query.set("replaces", newest.rate_id);
      before = newest;
    } else throw problem;
    return published(of, rate, query, before, newer);
  }
}

const reach = ({ items, next }) => {
  const names = items
    .map(({ device_id: id, name, connectors }) => `${name === id ? id : `${name}, ${id}`} (${connectors.join(", ")})`)
    .join("; ");
  return h("p", items.length ? t.reach(names + (next ? " …" : "")) : t.reachesNone);
};

/** "periods[1].electricity_price" in words. */
function slip({ field, value, before }) {
  if (field === "session_fee_minor") return t.unusual.fee;
  const [, number] = /\[(\d+)\]\.\w+$/.exec(field) ?? [];
  const part = all.columns[["electricity", "service", "time"].find((each) => field.endsWith(each + "_price"))];
  return t.unusual.price(Number(number) + 1, part, text(value, 6, 2), before === null ? null : text(before, 6, 2));
}

function meanwhile(before, newest, rate) {
  const said = [
    h("p", t.since(newest.rate_id.slice(-8), when(newest.published_at))),
    h("h3", t.theirs),
    before ? changes(before, plain(newest)) : t.first,
    h("h3", t.yours),
    changes(newest, rate),
  ];
  return [...said, t.forever];
}
