// A table of audit lines.

import { h, shortId, spaced, table, when } from "./console-parts.js";
import { detailWords } from "./console-words.js";
import { words } from "./say.js";

const t = await words("console-words-audit");
const people = await words("console-words-people");
const role = (name) => people.roles[name] ?? name;

/** What the detail of a line about people says; console-words has the others. */
const DETAILS = {
  UserAdded: role,
  RoleSet: (detail) => detail.split(" -> ").map(role).join(" → "),
  TokenAdded: (detail) => scopeAndDays(...detail.split(", ")),
  SignInFailed: (detail) => moreSince(detail.replace(/, no such account/, t.noSuchAccount)),
  Refused: (detail) => moreSince(detail.replace(/ needs (\w+)/, (_, name) => ": " + t.needs(people.permissions[name] ?? name))),
};

function moreSince(detail) {
  return detail.replace(/, (\d+) more since the last line/, (_, n) => t.moreFailed(n));
}

function scopeAndDays(scope, days) {
  const named = scope.split(" ").map((each) => people.permissions[each] ?? each);
  return t.scopeAndDays(named.join(", "), parseInt(days));
}

/** Where a thing that an audit line is about has its page. */
const PAGES = {
  device_id: (id) => "#/piles/" + encodeURIComponent(id),
  order_id: (id) => "#/orders/" + encodeURIComponent(id),
  site_id: (id) => "#/sites/" + encodeURIComponent(id),
  tariff_id: (id) => "#/tariffs/" + encodeURIComponent(id),
  account: (id) => "#/audit?account=" + encodeURIComponent(id),
};

/** without: a column that is the same in all lines. */
export function auditTable(caption, items, { empty, without } = {}) {
  const columns = [t.when, t.who, t.what, t.about].map((title) => ({ title }));
  return table(
    caption,
    columns,
    items.map((line) => [
      when(line.at),
      whoWords(line),
      [h("div", actionWords(line.action)), line.detail && h("div.muted.small.break", (DETAILS[line.action] ?? told(line))(line.detail))],
      about(line, without),
    ]),
    empty,
  );
}

const told = ({ action }) => (detail) => detailWords(action, detail);

/** The operator token and the cloud have no names. */
function whoWords({ actor, actor_kind: kind }) {
  const text = t.kinds[kind] ?? kind;
  return kind === "script" || kind === "cloud" ? text : [h("div", actor), h("div.muted.small", text)];
}

const actionWords = (action) => t.actions[action] ?? spaced(action);

function about(line, without) {
  return Object.entries(PAGES)
    .filter(([column]) => line[column] !== null && column !== without && !isOwnTariff(column, line))
    .map(([column, page]) => h("div.about", h("a", { href: page(line[column]) }, short(column, line[column]))));
}

/** The tariff of one pile, which a rate that is set there makes, is the pile's own. */
const isOwnTariff = (column, line) => column === "tariff_id" && line.tariff_id === "pile:" + line.device_id;

function short(column, id) {
  if (column === "order_id") return shortId(id);
  return column === "account" ? id.replace(/^token:/, t.kinds.token + " ") : id;
}
