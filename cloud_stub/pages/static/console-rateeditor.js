// The editor of a rate, of a tariff or of one pile: its days, checked as they are written, a sample session, publishing,
// history.

import { componentsPanel } from "./console-componentspanel.js";
import { digitsOf, loadCurrencies } from "./console-currency.js";
import { dayBar } from "./console-daybar.js";
import { daysOf, daysPanel, plansOf, wrongDays } from "./console-days.js";
import { notice } from "./console-dialog.js";
import { busy, crumbs, failure, h, heading, here, section, show } from "./console-parts.js";
import { history as rateHistory } from "./console-ratehistory.js";
import { check, clock, complaints, isWhole, minutes, periods, text, units } from "./console-ratemodel.js";
import { publishRate } from "./console-publish.js";
import { plain } from "./console-ratediff.js";
import { componentsOf, partsOf } from "./console-ratecomponents.js";
import { periodRow } from "./console-raterows.js";
import { samplePanel } from "./console-sample.js";
import { may } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = await words("console-words-rate");

const EMPTY = {
  currency: "CNY",
  time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  session_fee_minor: 0,
  minor_digits: 2,
  periods: [[0, 800_000, 400_000, "flat"]],
};

/**
 * The editor of what `about()` resolves to: {title, crumbs, versions (its path), newest (its newest version, null),
 * orders(rate) (the query of those who confirmed it), publish(rate, query), withdraw(rate), reach(), calendars,
 * canWait, time_zone (of its site)}. Returns how to end it.
 */
export function openEditor(root, about, back) {
  let ended = false;
  let editor = null;
  Promise.all([about(), loadCurrencies()]).then(
    ([of]) => ended || (editor = edit(root, of)),
    (problem) => ended || show(root, failure(problem, back)),
  );
  const end = () => {
    ended = true;
  };
  end.unsaved = () => editor?.unsaved() ?? false;
  return end;
}

function edit(root, of) {
  let latest = of.newest;
  const start = latest ?? EMPTY;
  let plans = plansOf(start);
  let place = 0; // of the plan that is being written
  const rowsNow = () => plans[place].rows;

  const input = (name, value, props) =>
    h("input", {
      id: "rate-" + name,
      value,
      autocomplete: "off",
      spellcheck: "false",
      ...props,
      oninput: () => changed(),
    });
  const currency = input("currency", start.currency, { maxlength: "3", size: "4" });
  const zone = input("zone", start.time_zone ?? "", { list: "zones", size: "22", placeholder: names.zoneOfSite });
  const fee = input("fee", text(start.session_fee_minor, start.minor_digits), {
    inputmode: "decimal",
    size: "8",
  });
  const wrongs = h("ul.wrongs", { "aria-live": "polite" });
  const body = h("tbody");
  const publish = h("button.button.primary", { type: "submit", form: "rate" }, t.publish);
  const undo = h("button.button", { onclick: () => load(latest ?? EMPTY) }, t.discard);
  const state = h("p.muted", { role: "status", tabindex: "-1" });
  const bar = dayBar({
    moved: (left, right, at) => {
      rowsNow()[left].end = rowsNow()[right].start = at;
      fill();
      changed();
    },
    picked: (row) => body.querySelector(`#start-${row}`).focus(),
  });
  const days = daysPanel({
    calendars: of.calendars,
    changed,
    choose: (to) => rearranged(plans, to),
    rearranged,
  });
  const components = componentsPanel(changed);
  const sample = samplePanel(of.time_zone);
  const versions = rateHistory(of, (rate) => {
    load(rate);
    notice(t.loaded);
  });

  show(
    root,
    crumbs(...of.crumbs, [names.rate]),
    heading(of.title, may("price") && [undo, publish]),
    h(
      "form",
      { id: "rate", class: "card panel", novalidate: true, onsubmit: (event) => (event.preventDefault(), publishIt()) },
      h("h2", t.day),
      h(
        "div.filters",
        field("currency", t.currency, currency),
        field("zone", t.zone, zone),
        field("fee", names.fee, fee),
        h(
          "datalist",
          { id: "zones" },
          (Intl.supportedValuesOf?.("timeZone") ?? []).map((each) => h("option", { value: each })),
        ),
      ),
      days.element,
      bar.element,
      wrongs,
      h(
        "div.scroll",
        { tabindex: "0", role: "region", "aria-label": t.periods },
        h(
          "table.periods.rows",
          h("caption.visually-hidden", t.periods),
          h(
            "thead",
            h(
              "tr",
              Object.entries(t.columns).map(([name, text]) =>
                h(
                  "th",
                  { scope: "col", class: name === "together" ? "minor" : null },
                  name === "buttons" ? h("span.visually-hidden", text) : text,
                ),
              ),
            ),
          ),
          body,
        ),
      ),
      h("p", h("button.button.small", { type: "button", onclick: () => add() }, t.add)),
      components.element,
      state,
    ),
    h("div.columns.even", section(t.sample, sample.element), section(t.versions, versions.element)),
  );
  load(start);
  versions.reload();

  function load(rate) {
    [plans, place] = [plansOf(rate), 0];
    currency.value = rate.currency;
    zone.value = rate.time_zone ?? "";
    fee.value = text(rate.session_fee_minor, rate.minor_digits);
    components.load(rate);
    rearranged(plans, place);
  }

  /** Other plans, or another of them is to be written. */
  function rearranged(next, to) {
    [plans, place] = [next, to];
    days.draw(plans, place);
    build();
    changed();
  }

  /** The rows of the table anew, as many as there are. */
  function build() {
    show(
      body,
      rowsNow().map((row, i, { length }) => periodRow(row, i, { only: length === 1, changed, split, remove })),
    );
  }

  /** What the rows say, into the fields that are there. */
  function fill() {
    rowsNow().forEach((row, i) => {
      for (const name of ["start", "end"]) body.querySelector(`#${name}-${i}`).value = row[name];
    });
  }

  function split(i) {
    const rows = rowsNow();
    const from = minutes(rows[i].start);
    const to = minutes(rows[i].end);
    if (from === null || to === null || to - from < 10) return notice(t.tooShort, "warn");
    const middle = clock(to - from >= 60 ? Math.round((from + to) / 30) * 15 : Math.round((from + to) / 2));
    rows.splice(i + 1, 0, { ...rows[i], start: middle });
    rows[i].end = middle;
    rebuilt(`#start-${i + 1}`);
  }

  /** Its neighbour takes over its time, so that no gap comes of it. */
  function remove(i) {
    const rows = rowsNow();
    const gone = rows[i];
    const before = rows.find((each) => each !== gone && each.end === gone.start);
    const after = rows.find((each) => each !== gone && each.start === gone.end);
    if (before) before.end = gone.end;
    else if (after) after.start = gone.start;
    rows.splice(i, 1);
    rebuilt(`#start-${Math.max(0, i - 1)}`);
  }

  /** A new period in the first gap; where there is none, half of the longest. */
  function add() {
    const rows = rowsNow();
    const found = check(rows);
    if (found.gaps.length) {
      const [from, to] = found.gaps[0];
      rows.push({
        start: clock(from),
        end: clock(to),
        label: "flat",
        electricity: rows.at(-1).electricity,
        service: rows.at(-1).service,
        time: rows.at(-1).time,
      });
      rebuilt(`#start-${rows.length - 1}`);
    } else {
      split(found.spans.reduce((longest, each) => (each.to - each.from > longest.to - longest.from ? each : longest)).row);
    }
  }

  function rebuilt(focus) {
    build();
    changed();
    body.querySelector(focus)?.focus();
  }

  /** Everything that follows from what is written now. */
  function changed() {
    const rows = rowsNow();
    const found = check(rows);
    bar.draw(rows);
    for (const each of root.querySelectorAll('[aria-invalid="true"]')) each.removeAttribute("aria-invalid");
    const own = general();
    for (const { row, field: name } of found.fields) body.querySelector(`#${name}-${row}`)?.setAttribute("aria-invalid", "true");
    for (const each of own) root.querySelector("#" + each.field)?.setAttribute("aria-invalid", "true");
    // Either the earlier one ends too late or the later one starts too early.
    for (const [, , earlier, later] of found.overlaps)
      for (const id of [`#end-${earlier}`, `#start-${later}`]) body.querySelector(id)?.setAttribute("aria-invalid", "true");
    const others = plans.filter((each, i) => i !== place && !isWhole(check(each.rows)));
    const conditions = wrongDays(plans);
    complain([
      ...own.map((each) => each.text),
      ...conditions,
      ...others.map((each) => t.days.of(each.name ?? t.days.usual, t.days.wrong.periods)),
      ...complaints(found),
      ...found.fields.map((each) => t.wrong.period(each.row + 1, each.text)),
    ]);
    rows.forEach((row, i) => {
      const sum = [units(row.electricity, 6), units(row.service, 6)];
      show(body.children[i].querySelector(".together"), sum.includes(null) ? "–" : text(sum[0] + sum[1], 6, 2));
    });
    const whole = isWhole(found) && !own.length && !others.length && !conditions.length;
    const rate = whole ? written() : null;
    const news = whole && JSON.stringify(rate) !== JSON.stringify(latest && plain(latest));
    publish.disabled = !news;
    undo.disabled = !news && whole;
    show(state, !whole ? t.states.wrong : news ? t.states.ready : t.states.same);
    sample.price(rate);
  }

  function complain(all) {
    const now = all.join("\n");
    if (wrongs.dataset.now === now) return;
    wrongs.dataset.now = now;
    show(
      wrongs,
      all.slice(0, 8).map((each) => h("li", each)),
    );
  }

  function general() {
    const found = [];
    const digits = digitsOf(currency.value.trim());
    if (!/^[A-Z]{3}$/.test(currency.value.trim())) found.push({ field: "rate-currency", text: t.wrong.currencyForm });
    else if (digits === null) found.push({ field: "rate-currency", text: t.wrong.noCurrency(currency.value.trim()) });
    if (zone.value.trim() && !isZone(zone.value.trim())) found.push({ field: "rate-zone", text: t.wrong.zone });
    if (digits !== null && units(fee.value, digits) === null) found.push({ field: "rate-fee", text: t.wrong.fee(digits) });
    return [...found, ...(digits === null ? [] : componentsOf(components.parts(), digits).wrong)];
  }

  function written() {
    return {
      currency: currency.value.trim(),
      time_zone: zone.value.trim() || null,
      session_fee_minor: units(fee.value, digitsOf(currency.value.trim())),
      periods: periods(plans[0].rows),
      ...(plans.length > 1 && { days: daysOf(plans) }),
      ...componentsOf(components.parts(), digitsOf(currency.value.trim())).body,
    };
  }

  async function publishIt() {
    if (publish.disabled) return root.querySelector('[aria-invalid="true"]')?.focus();
    const rate = written();
    let made = null;
    await busy(publish, async () => {
      made = await publishRate({ of, rate, latest, newer });
    });
    if (!made) return;
    latest = made;
    load(made);
    notice(
      made.from_at > made.published_at ? t.doneLater(made.rate_id.slice(-8), here.dateTime(made.from_at)) : t.done(made.rate_id.slice(-8)),
    );
    versions.reload();
    state.focus(); // there is nothing to publish any more, so the button cannot have it
  }

  /** Somebody else has published: what is written here is compared with that from now on. */
  function newer(version) {
    latest = version;
    changed();
    versions.reload();
  }

  const fields = (...all) => JSON.stringify(all);
  return {
    unsaved() {
      const kept = latest ?? EMPTY;
      const fee0 = text(kept.session_fee_minor, kept.minor_digits);
      const was = fields(plansOf(kept), kept.currency, kept.time_zone ?? "", fee0, partsOf(kept));
      return fields(plans, currency.value, zone.value, fee.value, components.parts()) !== was;
    },
  };
}

function field(name, title, control) {
  return h("div.field", h("label", { for: "rate-" + name }, title), control);
}

function isZone(name) {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name.length > 0;
  } catch {
    return false;
  }
}
