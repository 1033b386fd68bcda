// After the charge: the receipt, to pay, to print, to keep as a file. Every line comes from the settlement.

import { h, keepFile, show } from "./dom.js";
import { holdsOf, later, partsOf } from "./phone-later.js";
import { chip, inOneLine } from "./phone-price.js";
import { billWords, explained, format, inBrief, kwh, money, price, stopWords, t } from "./phone-say.js";

/** [name, value] rows about the charge. */
function facts(bill, pile) {
  const { receipt: w } = t;
  const { device_id: id } = bill;
  return [
    [w.stopped, stopWords(bill.stop_reason)],
    [w.pile, pile?.name && pile.name !== id ? `${pile.name} (${id})` : id],
    [w.connector, String(bill.connector)],
    [w.started, format.instant(bill.started_at)],
    [w.ended, format.instant(bill.ended_at)],
    [w.duration, format.clock(bill.ended_at - bill.started_at)],
    [w.registers, `${format.kwh(bill.start_register_mwh)} – ${format.kwh(bill.end_register_mwh)}`],
    [w.rate, bill.rate_id],
    [w.order, bill.order_id]
  ];
}

/** The bill's lines, sums where there are several periods, and what was credited; net: what is left of it. */
function table(order, net) {
  const { receipt: w } = t;
  const { settlement: bill, credits } = order;
  const parts = partsOf(order.rate);
  const sum = place => money(bill.periods.reduce((total, row) => total + row[place], 0), bill);
  const row = (kind, value, ...name) => h("tr" + kind, h("th", { scope: "row" }, name), h("td.number", value));
  const line = (name, value, minor) => value > 0 && row("", money(minor, bill), name, " ", h("span.muted.number", price(value, bill) + t.perKwh));
  return h(
    "table.bill",
    h("caption.visually-hidden", w.title),
    bill.periods.map(([from, electricity, service, label, mwh, electricityMinor, serviceMinor]) =>
      h(
        "tbody",
        row(".period", kwh(mwh), chip(label), ` ${w.from} ${format.time(Math.max(from, bill.started_at))}`),
        line(t.price.electricity, electricity, electricityMinor),
        line(t.price.service, service, serviceMinor)
      )
    ),
    parts?.lines(bill, order, row, parts.w),
    h(
      "tbody.sums",
      bill.periods.length > 1 && [
        row("", kwh(bill.energy_mwh), `${w.sum}: ${t.order.energy}`),
        row("", sum(5), `${w.sum}: ${t.price.electricity}`),
        row("", sum(6), `${w.sum}: ${t.price.service}`)
      ],
      bill.session_fee_minor > 0 && row("", money(bill.session_fee_minor, bill), w.fee),
      parts?.topUp(bill, order, row, parts.w),
      row(".total", money(bill.total_minor, bill), bill.flagged ? w.claimed : w.total),
      parts?.tax(bill, order, row, parts.w),
      credits.map(each => row("", money(-each.amount_minor, bill), `${w.credit} ${format.instant(each.created_at)}`)),
      credits.length > 0 && row(".total", money(net, bill), w.net)
    )
  );
}

/** The view; update({order, pile, paying, failure}) draws it. pay(), leave(), handOver(): of its buttons. */
export function receiptView(pay, leave, handOver) {
  const { receipt: w } = t;
  const title = h("h1", { tabindex: "-1" }, w.title);
  const element = h("main");
  const mail = h("div.no-print"); // what is typed in it stays
  let shown = "";

  /** The field of an e-mail address, where the cloud can send one. */
  function drawMail(pile) {
    const module = pile?.mail && !mail.firstChild && later("phone-mail", true);
    if (module) mail.append(module.mailForm(module.w));
  }

  /** What the page shows, as a text file. */
  function save(orderId) {
    const lines = [...element.querySelectorAll("h1,.now-price,.told,.note,tr,dl div")].map(each => each.innerText.replace(/\s*\n\s*/g, "\t"));
    const text = `\ufeffRateLock · ${location.host}\n\n${lines.join("\n")}\n`;
    keepFile(new Blob([text], { type: "text/plain;charset=utf-8" }), `${w.filename}-${orderId}.txt`);
  }

  return {
    element,
    title,
    update({ order, pile, paying, failure }) {
      drawMail(pile);
      const now = JSON.stringify([order.version, pile?.name, paying, failure, order.settlement.flags]);
      if (now === shown) return; // somebody may be reading it aloud, or copying from it
      shown = now;
      const bill = order.settlement;
      const net = order.credits.reduce((left, each) => left - each.amount_minor, bill.total_minor);
      const total = money(net, bill);
      const holds = holdsOf(order.payment);
      const free = net === 0 && !(order.payment?.captured_minor ?? order.payment) && !bill.flagged;
      const isFree = order.free && !bill.flagged; // its bill is credited in a moment
      const paid = order.state === "Paid" && !free;
      const over = paid || free || isFree || bill.flagged || holds;
      const problem = failure && explained(failure.code);
      const alert = (...said) => h("div.note.bad", { role: "alert" }, inBrief(said));
      const [state, tone] = bill.flagged ? [w.checking, "bad"] : free || isFree ? [w.free, "good"] : paid ? [w.paid, "good"] : [holds ? holds.pending(order.payment, holds.w) : w.toPay, "muted"];
      const held = document.activeElement?.id;
      show(
        element,
        h(
          "section.card",
          h("div.head", title, h("span.pill." + tone, state)),
          h(
            "p.now-price" + (bill.flagged ? ".old" : ""),
            h("strong.number", { id: "total", style: inOneLine(total, 2.3) }, total),
            h("span.per", bill.flagged ? w.claimed : kwh(bill.energy_mwh))
          ),
          paid && h("p.good.told", `${w.paidAt(format.dateTime(order.paid_at))} · ${w.thanks}`),
          (bill.review || (free && !order.credits.length)) && h("p.told", bill.review ? billWords(bill.review) : w.nothing),
          bill.flagged && alert(w.flagged, billWords("flagged")),
          bill.recovered && h("p.note.info", billWords("recovered")),
          bill.last_reading === "Missing" && h("p.note.info", billWords("missing")),
          table(order, net)
        ),
        holds?.onReceipt(order, holds.w),
        mail,
        h("section.card", h("dl.facts", facts(bill, pile).map(([name, value]) => h("div", h("dt", name), h("dd", value))))),
        h(
          "div.bottom.no-print",
          problem && alert(...problem),
          !over && h("button.button.primary.start", { id: "pay", disabled: paying, onclick: pay }, h("span.big", paying ? w.paying : w.pay(total))),
          h(
            "div.row",
            h("button.button", { id: "print", onclick: () => window.print() }, w.print),
            h("button.button", { id: "link", onclick: handOver }, w.link),
            h("button.button", { id: "save", onclick: () => save(order.order_id) }, w.save),
            over && h("button.button", { id: "done", disabled: paying, onclick: leave }, w.done)
          )
        )
      );
      if (held) document.getElementById(held)?.focus({ preventScroll: true });
    }
  };
}
