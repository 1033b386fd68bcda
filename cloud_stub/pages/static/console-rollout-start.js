// Dialogs: a release is added, a rollout is started after a look at what it reaches, a configuration is sent.

import { confirm, notice } from "./console-dialog.js";
import { formDialog } from "./console-form.js";
import { here } from "./console-parts.js";
import { reasonText } from "./console-rollout-parts.js";
import { ask } from "./console-session.js";
import { Problem } from "./api.js";
import { h } from "./dom.js";
import { words } from "./say.js";

const all = await words("console-words-updates");
const t = all.start;
const DAY_S = 86_400;
const UPLOAD_MS = 60_000;

/** Resolves to whether a release was added. */
export async function addRelease() {
  const added = await formDialog({
    id: "release",
    title: all.list.add,
    fields: [
      {
        name: "archive",
        label: all.add.file,
        hint: all.add.hint,
        control: h("input", { type: "file", accept: ".release,.zip" }),
        check: (file) => (file ? null : all.add.missing),
      },
    ],
    action: all.add.action,
    submit: ({ archive }) => ask("/api/releases", { method: "POST", body: archive, timeoutMs: UPLOAD_MS }).catch(atFile),
  });
  if (added) notice((added.added ? all.add.done : all.add.known)(added.release));
  return Boolean(added);
}

/** What is wrong with an archive stands at the field. */
function atFile(problem) {
  const text = all.add.bad[problem.members?.reason];
  if (!text) throw problem;
  throw new Problem(problem.code, problem.status, { errors: [{ field: "archive", reason: text, text }] });
}

const isWhole = (low, high) => (value) => /^\d{1,6}$/.test(value) && value >= low && value <= high;

/** The fields that say to which piles, and how. */
function common() {
  const name = h("input", { maxlength: "40", spellcheck: "false" });
  const kind = h(
    "select",
    { onchange: () => (name.closest(".field").hidden = kind.value === "all") },
    Object.entries(all.selections).map(([value, text]) => h("option", { value }, text)),
  );
  queueMicrotask(() => (name.closest(".field").hidden = true));
  return [
    { name: "kind", label: t.kind, control: kind },
    {
      name: "name",
      label: t.name,
      control: name,
      check: (value, { kind: chosen }) => (chosen === "all" || value ? null : t.nameMissing),
    },
    { name: "waves", label: t.waves, hint: t.wavesHint, control: h("input", { value: "1, 10%", spellcheck: "false" }) },
    {
      name: "lost_max",
      label: t.lostMax,
      control: h("input", { type: "number", min: "1", value: "1" }),
      check: (value) => (isWhole(1, 100_000)(value) ? null : t.lostWrong),
    },
    {
      name: "days",
      label: t.days,
      control: h("input", { type: "number", min: "1", max: "90", value: "7" }),
      check: (value) => (isWhole(1, 90)(value) ? null : t.daysWrong),
    },
  ];
}

const settings = ({ kind, name, waves, lost_max, days }) => ({
  selection: kind === "all" ? "all" : `${kind}:${name}`,
  waves: waves
    .split(",")
    .map((each) => each.trim())
    .filter(Boolean),
  lost_max: Number(lost_max),
  deadline_s: Number(days) * DAY_S,
});

/** releases: as the API lists them. */
export function startRollout(releases) {
  if (!releases.length) return notice(t.none, "bad");
  const options = releases.map(({ release, version }) => h("option", { value: String(release) }, `${all.release(release)}, ${version}`));
  return begin({
    id: "rollout",
    title: t.title,
    fields: [
      { name: "release", label: t.release, control: h("select", options) },
      ...common(),
      { name: "again", label: t.again, control: h("input", { type: "checkbox" }) },
    ],
    bodyOf: (values) => ({ release: Number(values.release), again: values.again, ...settings(values) }),
  });
}

export function configure() {
  const text = (props) => h("input", { spellcheck: "false", ...props });
  const field = (name, control) => ({ name, label: t[name], control });
  return begin({
    id: "configuration",
    title: t.configureTitle,
    body: t.empty,
    fields: [
      field("ssid", text({ maxlength: "32" })),
      field("password", text({ type: "password", maxlength: "63", autocomplete: "new-password" })),
      field("host", text({ maxlength: "253" })),
      field("port", text({ type: "number", min: "1", max: "65535" })),
      field("ca", h("textarea", { rows: "4", spellcheck: "false" })),
      field("ntp", text({ maxlength: "253" })),
      field("current", text({ type: "number", min: "1000" })),
      field("temperature", text({ type: "number", min: "40", max: "120" })),
      { ...field("feed", text({ type: "number", min: "1000" })), check: (_, values) => (isEmpty(values) ? t.nothing : null) },
      ...common(),
    ],
    bodyOf: (values) => ({ config: configOf(values), ...settings(values) }),
  });
}

/** The values of a configuration, without those that were left empty. */
function configOf(values) {
  const config = {};
  if (values.ssid || values.password) config.wifi2 = { ssid: values.ssid, password: values.password };
  if (values.host || values.port) config.broker = { host: values.host, port: Number(values.port) };
  if (values.ca) config.ca = values.ca + "\n";
  if (values.ntp) config.ntp = values.ntp;
  const limits = { max_current_ma: values.current, max_temperature_c: values.temperature, feed_ma: values.feed };
  const given = Object.entries(limits).filter(([, value]) => value);
  if (given.length) config.limits = Object.fromEntries(given.map(([name, value]) => [name, Number(value)]));
  return config;
}

const isEmpty = (values) => !Object.keys(configOf(values)).length;

/** A form, then a look at what it reaches, then the start; the page of the rollout opens. */
async function begin({ bodyOf, ...rest }) {
  const started = await formDialog({
    ...rest,
    action: t.action,
    submit: async (values) => {
      const body = bodyOf(values);
      const plan = await ask("/api/rollout-preview", { method: "POST", body });
      const wanted = await confirm(t.check(here.count(plan.piles)), planText(plan), t.go);
      return wanted ? ask("/api/rollouts", { method: "POST", body }) : null;
    },
  });
  if (!started) return;
  notice(t.begun(started.rollout_id));
  location.hash = "#/updates/" + started.rollout_id;
}

function planText({ waves, offline, left_out: leftOut }) {
  const rows = Object.entries(leftOut).map(([reason, piles]) => h("li", t.leftOutRow(here.count(piles), reasonText(reason))));
  return [
    waves.length > 1 && h("p", t.waveSizes(waves.map((size) => here.count(size)).join(", "))),
    offline > 0 && h("p", t.offline(here.count(offline))),
    rows.length > 0 && h("div", h("p", t.leftOut), h("ul", rows)),
  ].filter(Boolean);
}
