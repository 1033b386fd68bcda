// A sample session at the rate that is being written, priced by the cloud with the engine that will bill it.

import { explain, h, inZone, later, PERIOD_NAMES, show, table } from "./console-parts.js";
import { minutes, units } from "./console-ratemodel.js";
import { ask } from "./console-session.js";

/** {element, price(rate)}: rate as the API takes it, null while it is not whole. */
export function samplePanel() {
  let rate = null;
  let turn = 0;
  const input = (name, value, props) =>
    h("input", { id: "sample-" + name, value, autocomplete: "off", ...props, oninput: () => soon() });
  const start = input("start", "17:00", { size: "5", maxlength: "5", inputmode: "numeric" });
  const energy = input("energy", "10", { size: "6", inputmode: "decimal" });
  const hours = input("hours", "2", { size: "5", inputmode: "decimal" });
  const field = (name, title, control) =>
    h("div", { class: "field" }, h("label", { for: "sample-" + name }, title), control);
  const result = h("div", { class: "sample-result", role: "status" });
  const element = h(
    "div",
    {},
    h(
      "div",
      { class: "filters" },
      field("start", "From", start),
      field("energy", "kWh", energy),
      field("hours", "Hours", hours),
    ),
    result,
  );

  const soon = later(300, run);

  async function run() {
    const mine = ++turn;
    const sample = read();
    if (!rate || !sample)
      return show(
        result,
        h(
          "p",
          { class: "empty" },
          rate ? "Write a start like 17:00, an energy and up to 24 hours." : "Shown once the rate is whole.",
        ),
      );
    try {
      const bill = await ask("/api/rates/preview", { method: "POST", body: { rate, sample } });
      if (mine === turn) show(result, drawn(bill));
    } catch (problem) {
      if (mine === turn) show(result, h("p", { class: "hint bad" }, explain(problem)));
    }
  }

  function read() {
    const at = minutes(start.value);
    const mwh = units(energy.value, 6);
    const seconds = Math.round(Number(hours.value.replace(",", ".")) * 3600);
    if (at === null || at >= 1440 || !mwh || !(seconds >= 60 && seconds <= 86_400)) return null;
    return { start: start.value.trim().padStart(5, "0"), energy_mwh: mwh, duration_s: seconds };
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
  const columns = [
    { title: "From" },
    { title: "Period" },
    { title: "Energy", number: true },
    { title: "Electricity", number: true },
    { title: "Service", number: true },
  ];
  const rows = bill.periods.map(([at, , , label, mwh, electricity, service]) => [
    there.time(at),
    PERIOD_NAMES[label],
    `${there.kwh(mwh)} kWh`,
    money(electricity),
    money(service),
  ]);
  return [
    h("p", { class: "big number" }, money(bill.total_minor)),
    h(
      "p",
      { class: "muted" },
      `today from ${there.time(bill.started_at)} to ${there.time(bill.ended_at)}, at steady power` +
        (bill.session_fee_minor ? `, with ${money(bill.session_fee_minor)} session fee` : ""),
    ),
    table("Lines of the sample session", columns, rows),
  ];
}
