// Before the charge: the pile, its price, how much, and the one button that repeats the price it confirms.

import { h, show } from "./dom.js";
import { decimal } from "./format.js";
import { explained } from "./phone-messages.js";
import { readLimits } from "./phone-limits.js";
import { dayBar, dayTable, nextChange } from "./phone-price.js";

/** What keeps this connector from being started now: a code of words.failures, "plug", or null. */
export function obstacle(pile, connector) {
  const one = pile.connectors.find((each) => each.connector === connector);
  if (!pile.online) return "PileOffline";
  if (!one) return "UnknownConnector";
  if (one.fault || one.status === "Faulted") return "PileFaulted";
  if (one.busy) return "ConnectorBusy";
  if (one.status === "Unavailable") return "ConnectorUnavailable";
  return one.plugged ? null : "plug";
}

/** The price that holds now, of electricity and service together. */
export const priceNow = (rate) => rate.now.electricity_price + rate.now.service_price;

/**
 * The view. choice: {connector, energy, cost, time (texts)} kept over redraws; confirm({connector, rate, limits})
 * is called with the rate that the button showed.
 */
export function chooseView({ words, format, choice, confirm, receipt, openReceipt }) {
  let pile;
  let rate;
  let sending = false;
  let failure = null;
  const title = h("h1", { tabindex: "-1" });
  const id = h("span", { class: "mono" });
  const online = h("span", { class: "pill" });
  const connectors = h("fieldset", { class: "connectors" });
  const price = h("section", { class: "card", "aria-labelledby": "price-title" });
  const amount = h("section", { class: "card" });
  const day = h("section", { class: "card", "aria-labelledby": "day-title" });
  const note = h("div", { class: "note", role: "status" });
  const label = h("span", { class: "big" });
  const sub = h("span", { class: "sub" });
  const button = h("button", { class: "button primary start", id: "confirm", onclick: press }, label, sub);

  const element = h(
    "main",
    {},
    h(
      "section",
      { class: "card" },
      h("div", { class: "head" }, title, online),
      h("p", { class: "muted" }, id),
      connectors,
      receipt && h("p", {}, h("a", { href: "#", onclick: (event) => (event.preventDefault(), openReceipt()) }, receipt)),
    ),
    price,
    amount,
    day,
    h("div", { class: "bottom" }, note, button, h("p", { class: "muted locked" }, words.confirm.locked)),
  );

  function press() {
    const { limits, wrong } = readLimits(choice, rate.minor_digits);
    if (wrong.length) {
      element.querySelector("details").open = true;
      element.querySelector("#limit-" + wrong[0]).focus();
    } else if (!obstacle(pile, choice.connector)) {
      confirm({ connector: choice.connector, rate, limits });
    }
  }

  function drawPile() {
    title.textContent = pile.name;
    id.textContent = pile.device_id;
    id.hidden = pile.name === pile.device_id;
    online.textContent = pile.online ? words.pile.online : words.pile.offline;
    online.className = `pill ${pile.online ? "good" : "bad"}`;
    const single = pile.connectors.length === 1;
    const chosen = connectors.contains(document.activeElement);
    show(
      connectors,
      h("legend", { class: "visually-hidden" }, words.pile.connectors),
      pile.connectors.map((each) => {
        const state = each.fault || each.status === "Faulted" ? "Faulted" : each.busy ? "busy" : each.status;
        const good = state === "Available" || state === "Preparing";
        return h(
          "label",
          { class: `connector ${single ? "single" : ""}` },
          h("input", {
            type: "radio",
            name: "connector",
            value: each.connector,
            checked: each.connector === choice.connector,
            onchange: () => {
              choice.connector = each.connector;
              failure = null;
              drawButton();
            },
          }),
          h("span", { class: "name" }, words.pile.connector(each.connector)),
          h("span", { class: `state ${good ? "good" : state === "Faulted" ? "bad" : "muted"}` }, words.statuses[state]),
        );
      }),
    );
    if (chosen) connectors.querySelector("input:checked")?.focus();
  }

  function drawPrice() {
    const { currency } = rate;
    const money = (value) => format.price(value, currency);
    const [until, then] = nextChange(rate.steps, rate.steps[0][0], format, currency, words);
    const elsewhere = rate.time_zone !== Intl.DateTimeFormat().resolvedOptions().timeZone;
    show(
      price,
      h("h2", { id: "price-title" }, words.price.title),
      h(
        "p",
        { class: "now-price" },
        h("strong", { class: "number" }, money(priceNow(rate))),
        h("span", { class: "per" }, words.perKwh),
        h("span", { class: `chip ${rate.now.label}` }, words.periods[rate.now.label]),
      ),
      h(
        "p",
        { class: "parts" },
        h("span", {}, h("span", { class: "key electricity" }), `${words.price.electricity} ${money(rate.now.electricity_price)}`),
        h("span", {}, h("span", { class: "key service" }), `${words.price.service} ${money(rate.now.service_price)}`),
        rate.session_fee_minor > 0 && h("span", {}, words.price.fee(format.money(rate.session_fee_minor, currency, rate.minor_digits))),
      ),
      h("p", { class: "parts" }, h("strong", {}, until), then && h("span", { class: "muted" }, then)),
      dayBar(rate, words),
    );
    show(
      day,
      h("h2", { id: "day-title" }, words.price.day),
      dayTable(rate, format, words),
      elsewhere && h("p", { class: "muted small" }, words.price.zone(rate.time_zone)),
    );
  }

  function drawAmount() {
    const open = amount.querySelector("details")?.open ?? Boolean(choice.cost || choice.time);
    const pick = (text) => {
      choice.energy = text;
      amount.querySelector("#limit-energy").value = text;
      check();
      drawButton();
    };
    const offer = (text, first, second) =>
      h(
        "label",
        { class: "offer" },
        h("input", { type: "radio", name: "amount", value: text, checked: choice.energy === text, onchange: () => pick(text) }),
        h("span", { class: "first" }, first),
        h("span", { class: "second number" }, second),
      );
    const input = (name, text, mode) =>
      h(
        "div",
        { class: "limit" },
        h("label", { for: "limit-" + name }, text),
        h("input", {
          id: "limit-" + name,
          inputmode: mode,
          autocomplete: "off",
          maxlength: "12",
          "aria-describedby": "wrong-" + name,
          value: choice[name],
          oninput: (event) => {
            choice[name] = event.target.value;
            for (const each of amount.querySelectorAll("[name=amount]")) each.checked = each.value === choice.energy.trim();
            check();
            drawButton();
          },
        }),
        h("p", { id: "wrong-" + name, class: "wrong", role: "alert" }),
      );
    show(
      amount,
      h(
        "fieldset",
        {},
        h("legend", {}, h("h2", {}, words.amount.title)),
        h(
          "div",
          { class: "offers" },
          offer("", words.amount.unlimited, words.amount.unlimitedHint),
          rate.estimates.map((each) =>
            offer(
              decimal(each.energy_mwh, 6).replace(/\.?0+$/, ""),
              `${format.kwh(each.energy_mwh, 0)} ${words.kwh}`,
              `≈ ${format.money(each.total_minor, rate.currency, rate.minor_digits)}`,
            ),
          ),
        ),
        h("p", { class: "muted small" }, words.amount.estimate),
      ),
      h(
        "details",
        { open },
        h("summary", {}, words.amount.more),
        h("p", { class: "muted small" }, words.amount.hint),
        input("energy", words.amount.energy, "decimal"),
        input("cost", words.amount.cost(rate.currency), "decimal"),
        input("time", words.amount.time, "numeric"),
      ),
    );
    check();
  }

  function check() {
    const { wrong } = readLimits(choice, rate.minor_digits);
    for (const name of ["energy", "cost", "time"]) {
      const isWrong = wrong.includes(name);
      amount.querySelector("#wrong-" + name).textContent = isWrong ? words.amount.wrong[name] : "";
      amount.querySelector("#limit-" + name).toggleAttribute("aria-invalid", isWrong);
    }
  }

  function drawButton() {
    const { limits } = readLimits(choice, rate.minor_digits);
    const why = obstacle(pile, choice.connector);
    const money = (minor) => format.money(minor, rate.currency, rate.minor_digits);
    label.textContent = sending ? words.confirm.sending : words.confirm.button(format.price(priceNow(rate), rate.currency));
    const parts = [words.periods[rate.now.label]];
    if (rate.session_fee_minor) parts.push(words.confirm.fee(money(rate.session_fee_minor)));
    if (limits.energy_mwh) parts.push(words.confirm.limit(`${format.kwh(limits.energy_mwh, 6, 0)} ${words.kwh}`));
    if (limits.cost_minor) parts.push(words.confirm.limit(money(limits.cost_minor)));
    if (limits.duration_s) parts.push(words.confirm.limit(format.clock(limits.duration_s)));
    sub.textContent = parts.join(" · ");
    button.disabled = sending || why !== null;
    const shown = failure ?? (why === "plug" ? null : why);
    if (shown) {
      const [what, todo] = explained(words, shown);
      show(note, h("strong", {}, what), h("span", {}, todo));
      note.className = "note bad";
    } else {
      show(note, why === "plug" ? h("span", {}, words.confirm.plug) : null);
      note.className = "note info";
    }
  }

  return {
    element,
    title,
    /** Draw what has changed. fresh: {pile, rate, sending, failure (a code)}. */
    update(fresh) {
      const told = JSON.stringify(fresh.pile) !== JSON.stringify(pile);
      const priced = fresh.rate !== rate;
      const estimated = JSON.stringify(fresh.rate.estimates) !== JSON.stringify(rate?.estimates);
      ({ pile, rate, sending, failure } = fresh);
      if (told) drawPile();
      if (priced) drawPrice();
      if (estimated) drawAmount(); // only then: somebody may be typing there
      drawButton();
    },
  };
}
