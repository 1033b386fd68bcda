// A sample session at the rate that is being written, priced by the cloud with the engine that will bill it.

import { extraTable } from "./console-billlines.js";
import { explain, figures, h, inZone, kwh, later, PERIOD_NAMES, show, table, ZONE } from "./console-parts.js";
import { minutes, units } from "./console-ratemodel.js";
import { ask } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = { ...(await words("console-words-rate")).sampleForm, stay: (await words("console-words-prices")).stay };

/** {element, price(rate)}: rate as the API takes it, null while it is not whole. zone: where it has none of its own. */
export function samplePanel(zone) {
  let rate = null;
  let turn = 0;
  const input = (name, value, props) => h("input", { id: "sample-" + name, value, autocomplete: "off", ...props, oninput: () => soon() });
  const date = input("date", "", { type: "date" });
  const start = input("start", "17:00", { size: "5", maxlength: "5", inputmode: "numeric" });
  const energy = input("energy", "10", { size: "6", inputmode: "decimal" });
  const hours = input("hours", "2", { size: "5", inputmode: "decimal" });
  const stay = input("stay", "0", { size: "5", inputmode: "numeric" });
  const field = (name, control) => h("div.field", h("label", { for: "sample-" + name }, t[name]), control);
  const result = h("div.sample-result", { role: "status" });
  const element = h(
    "div",
    h("div.filters", field("date", date), field("start", start), field("energy", energy), field("hours", hours), field("stay", stay)),
    result,
  );

  const soon = later(300, run);

  async function run() {
    const mine = ++turn;
    const sample = read();
    if (!rate || !sample) return show(result, h("p.empty", rate ? t.wrong : t.notWhole));
    try {
      const bill = await ask("/api/rates/preview", {
        method: "POST",
        body: { rate, sample, date: date.value || null, time_zone: zone ?? ZONE },
      });
      if (mine === turn) show(result, drawn(bill));
    } catch (problem) {
      if (mine === turn) show(result, h("p.hint.bad", explain(problem)));
    }
  }

  function read() {
    const at = minutes(start.value);
    const mwh = units(energy.value, 6);
    const seconds = Math.round(Number(hours.value.replace(",", ".")) * 3600);
    const stayed = units(stay.value || "0", 0);
    if (stayed === null || stayed > 1440) return null;
    if (at === null || at >= 1440 || !mwh || !(seconds >= 60 && seconds <= 86_400)) return null;
    return { start: start.value.trim().padStart(5, "0"), energy_mwh: mwh, duration_s: seconds, stay_s: stayed * 60 };
  }

  return {
    element,
    price(now) {
      rate = now;
      soon();
    },
  };
}

function drawn(bill) {
  const there = inZone(bill.time_zone);
  const money = (minor) => there.money(minor, bill.currency, bill.minor_digits);
  const columns = [names.from, names.period, figures(names.energy), figures(names.electricity), figures(names.service)];
  const rows = bill.periods.map(([at, , , label, mwh, electricity, service]) => [
    there.time(at),
    PERIOD_NAMES[label],
    kwh(mwh),
    money(electricity),
    money(service),
  ]);
  return [
    h("p.big.number", money(bill.total_minor)),
    h(
      "p.muted",
      t.when(there.dateTime(bill.started_at), there.time(bill.ended_at)) +
        (bill.session_fee_minor ? t.withFee(money(bill.session_fee_minor)) : ""),
    ),
    table(t.lines, columns, rows),
    extraTable(bill, bill),
    h("h3", t.day(bill.date)),
    list(
      bill.steps.map(([at, electricity, service, label]) =>
        t.step(there.time(at), PERIOD_NAMES[label], there.price(electricity + service, bill.currency)),
      ),
    ),
  ];
}

const list = (lines) =>
  h(
    "ul.small",
    lines.map((each) => h("li", each)),
  );
