// A table of audit lines.

import { named } from "./console-names.js";
import { h, shortId, spaced, table, when } from "./console-parts.js";
import { paymentDetails } from "./console-payment-lines.js";
import { detailWords } from "./console-words.js";
import { words } from "./say.js";

const t = await words("console-words-audit");
const people = await words("console-words-people");
const care = await words("console-words-care");
const { connector, names } = await words("console-words");
const { name, address, zone, contact } = await words("console-words-sites");
const sites = { name, address, time_zone: zone, contact };
const role = (name) => people.roles[name] ?? name;

/** What the detail of a line says; where there is none of its kind here, it is as somebody wrote it. */
const DETAILS = {
  ...Object.fromEntries(
    ["PileRemoved", "RatePublished", "RateWithdrawn", "ResetRequested", "SettlementReviewed"].map((action) => [
      action,
      (detail) => detailWords(action, detail),
    ]),
  ),
  ...paymentDetails,
  TakenOutOfService: service,
  PutBackIntoService: service,
  SiteChanged: (detail) => detail.replace(/(^|; )(name|address|time_zone|contact): /g, (_, before, name) => before + t.of(sites[name])),
  UserAdded: role,
  RoleSet: (detail) => detail.split(" -> ").map(role).join(" → "),
  TokenAdded: (detail) => scopeAndDays(...detail.split(", ")),
  SignInFailed: (detail) => moreSince(detail.replace(/, no such account/, t.noSuchAccount)),
  Refused: (detail) => moreSince(detail.replace(/ needs (\w+)/, (_, name) => ": " + t.needs(people.permissions[name] ?? name))),
};

/** "connector 2: Damaged, cable cut", "the whole pile". */
function service(detail) {
  const [, number, reason = "", note = ""] = /^(?:connector (\d+)|the whole pile)(?:: (\w+))?(.*)$/.exec(detail) ?? [];
  const place = number ? connector(number) : care.whole;
  return (reason ? t.of(place) + (care.reasons[reason] ?? reason) : place) + note;
}

function moreSince(detail) {
  return detail.replace(/, (\d+) more since the last line/, (_, n) => t.moreFailed(n));
}

function scopeAndDays(scope, days) {
  const named = scope.split(" ").map((each) => people.permissions[each] ?? each);
  return t.scopeAndDays(named.join(", "), parseInt(days));
}

const link = (page, id, text) => h("a", { href: page + encodeURIComponent(id) }, text);

/** A thing that an audit line is about, and the way to its page. */
const THINGS = {
  device_id: (id) => named("piles", id),
  order_id: (id) => link("#/orders/", id, shortId(id)),
  site_id: (id) => named("sites", id),
  tariff_id: (id) => named("tariffs", id),
  account: (id) => link("#/audit?account=", id, id.replace(/^token:/, t.kinds.token + " ")),
};

/** without: a column that is the same in all lines. */
export function auditTable(caption, items, { empty, without } = {}) {
  const columns = [names.when, t.who, t.what, t.about];
  return table(
    caption,
    columns,
    items.map((line) => [
      when(line.at),
      whoWords(line),
      [h("div", actionWords(line.action)), line.detail && h("div.muted.small.break", DETAILS[line.action]?.(line.detail) ?? line.detail)],
      about(line, without),
    ]),
    empty,
  );
}

/** The operator token and the cloud have no names. */
function whoWords({ actor, actor_kind: kind }) {
  const text = t.kinds[kind] ?? kind;
  return kind === "script" || kind === "cloud" ? text : [h("div", actor), h("div.muted.small", text)];
}

const actionWords = (action) => t.actions[action] ?? spaced(action);

function about(line, without) {
  return Object.entries(THINGS)
    .filter(([column]) => line[column] !== null && column !== without && !isOwnTariff(column, line))
    .map(([column, thing]) => h("div.about", thing(line[column])));
}

/** The tariff of one pile, which a rate that is set there makes, is the pile's own. */
const isOwnTariff = (column, line) => column === "tariff_id" && line.tariff_id === "pile:" + line.device_id;
