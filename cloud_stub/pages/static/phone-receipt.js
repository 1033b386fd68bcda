// After the charge: the receipt, to pay, to print, to keep as a file. Every line comes from the settlement.

import { h, show } from "./dom.js";
import { explained } from "./phone-messages.js";

/** [name, value] rows about the charge. */
function facts(order, pile, format, words) {
  const { receipt: w } = words;
  const bill = order.settlement;
  return [
    [w.stopped, words.stops[bill.stop_reason] ?? bill.stop_reason],
    [w.pile, pile?.name && pile.name !== bill.device_id ? `${pile.name} (${bill.device_id})` : bill.device_id],
    [w.connector, String(bill.connector)],
    [w.started, format.instant(bill.started_at)],
    [w.ended, format.instant(bill.ended_at)],
    [w.duration, format.clock(bill.ended_at - bill.started_at)],
    [w.registers, `${format.kwh(bill.start_register_mwh)} – ${format.kwh(bill.end_register_mwh)}`],
    [w.rate, bill.rate_id],
    [w.order, bill.order_id],
  ];
}

/** The bill's lines: {label, from, energy, prices (two), amounts (two)}, then sums. */
function lines(order, format) {
  const bill = order.settlement;
  const money = (minor) => format.money(minor, bill.currency, bill.minor_digits);
  const price = (value) => format.price(value, bill.currency);
  const sum = (place) => bill.periods.reduce((total, row) => total + row[place], 0);
  return {
    rows: bill.periods.map(([from, electricity, service, label, mwh, electricityMinor, serviceMinor]) => ({
      label,
      from: format.time(Math.max(from, bill.started_at)),
      energy: format.kwh(mwh),
      parts: [
        ["electricity", price(electricity), money(electricityMinor)],
        ["service", price(service), money(serviceMinor)],
      ],
    })),
    energy: format.kwh(bill.energy_mwh),
    electricity: money(sum(5)),
    service: money(sum(6)),
    fee: bill.session_fee_minor ? money(bill.session_fee_minor) : null,
    total: money(bill.total_minor),
  };
}

/** The view; update({order, pile, paying, failure}) draws it. */
export function receiptView({ words, format, pay, done }) {
  const { receipt: w } = words;
  const title = h("h1", { tabindex: "-1" }, w.title);
  const element = h("main", {});
  let shown = "";

  /** What the page shows, as a text file. */
  function save(orderId) {
    const text = [...element.querySelectorAll(".card")].map((card) => card.innerText).join("\n\n");
    const url = URL.createObjectURL(new Blob([`\ufeffRateLock\n${text}\n`], { type: "text/plain;charset=utf-8" }));
    h("a", { href: url, download: `${w.filename}-${orderId}.txt` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  function table(order) {
    const bill = lines(order, format);
    const amount = (text) => h("td", { class: "number amount" }, text);
    const group = (row) =>
      h(
        "tbody",
        {},
        h(
          "tr",
          { class: "period" },
          h("th", { scope: "rowgroup" }, h("span", { class: `chip ${row.label}` }, words.periods[row.label]), ` ${w.from} ${row.from}`),
          h("td", { class: "number amount" }, `${row.energy} ${words.kwh}`),
        ),
        row.parts.map(([name, price, minor]) =>
          h("tr", {}, h("th", { scope: "row" }, w[name], h("span", { class: "muted number" }, ` ${price}${words.perKwh}`)), amount(minor)),
        ),
      );
    const sum = (name, value, extra) => h("tr", { class: extra ?? "" }, h("th", { scope: "row" }, name), amount(value));
    return h(
      "table",
      { class: "bill" },
      h("caption", { class: "visually-hidden" }, w.title),
      bill.rows.map(group),
      h(
        "tbody",
        { class: "sums" },
        bill.rows.length > 1 && [
          sum(`${w.sum}: ${w.energy}`, `${bill.energy} ${words.kwh}`),
          sum(`${w.sum}: ${w.electricity}`, bill.electricity),
          sum(`${w.sum}: ${w.service}`, bill.service),
        ],
        bill.fee && sum(w.fee, bill.fee),
        sum(w.total, bill.total, "total"),
      ),
    );
  }

  return {
    element,
    title,
    update({ order, pile, paying, failure }) {
      const now = JSON.stringify([order.version, pile?.name, paying, failure, order.settlement.flags]);
      if (now === shown) return; // somebody may be reading it aloud, or copying from it
      shown = now;
      const bill = order.settlement;
      const total = format.money(bill.total_minor, bill.currency, bill.minor_digits);
      const paid = order.state === "Paid";
      const free = bill.total_minor === 0;
      const problem = failure && explained(words, failure);
      const held = document.activeElement?.id;
      show(
        element,
        h(
          "section",
          { class: "card" },
          h("div", { class: "head" }, title, h("span", { class: `pill ${paid ? "good" : "muted"}` }, paid ? w.paid : w.toPay)),
          h("p", { class: "now-price" }, h("strong", { class: "number", id: "total" }, total), h("span", { class: "per" }, `${format.kwh(bill.energy_mwh)} ${words.kwh}`)),
          paid && h("p", { class: "good" }, `${w.paidAt(format.dateTime(order.payment.paid_at))} · ${w.thanks}`),
          free && !paid && h("p", {}, w.nothing),
          bill.flagged && h("div", { class: "note bad", role: "alert" }, h("strong", {}, w.flagged), h("span", {}, w.flaggedText)),
          bill.recovered && h("p", { class: "note info" }, w.recovered),
          table(order),
        ),
        h(
          "section",
          { class: "card" },
          h("dl", { class: "facts" }, facts(order, pile, format, words).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
        ),
        h(
          "div",
          { class: "bottom no-print" },
          problem && h("div", { class: "note bad", role: "alert" }, h("strong", {}, problem[0]), h("span", {}, problem[1])),
          !paid &&
            !bill.flagged &&
            h("button", { class: "button primary start", id: "pay", disabled: paying, onclick: pay }, h("span", { class: "big" }, paying ? w.paying : free ? w.close : w.pay(total))),
          h(
            "div",
            { class: "row" },
            h("button", { class: "button", id: "print", onclick: () => window.print() }, w.print),
            h("button", { class: "button", id: "save", onclick: () => save(order.order_id) }, w.save),
            (paid || bill.flagged) && h("button", { class: "button", id: "done", onclick: done }, w.done),
          ),
        ),
      );
      if (held) document.getElementById(held)?.focus({ preventScroll: true });
    },
  };
}
