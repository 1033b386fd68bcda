// Before the charge: the pile, its price, how much, and the one button that repeats the price it confirms.

import { h, show } from "./dom.js";
import { decimal } from "./format.js";
import { readLimits } from "./phone-limits.js";
import { chip, dayBar, dayList, largePrice, nextChange } from "./phone-price.js";
import { priceNow } from "./phone-rate.js";
import { explained, faultWords, format, inBrief, kwh, money, price, t } from "./phone-say.js";

/** What keeps this connector from being started now: a code of t.failures, "plug", or null. */
function obstacle(pile, connector) {
  const one = pile.connectors.find(each => each.connector === connector);
  if (!pile.online || !one) return "PileOffline";
  if (one.fault || one.status === "Faulted") return "PileFaulted";
  if (one.busy) return "ConnectorBusy";
  if (one.status === "Unavailable") return one.out_of_service ? "OutOfService" : "ConnectorUnavailable";
  return one.plugged ? null : "plug";
}

/** The connector to begin with: one that can be started at once, then one that only wants a plug, then the first. */
export function bestConnector(pile) {
  const rank = each => [null, "plug"].indexOf(obstacle(pile, each.connector)) + (each.occupied_since ? 0.5 : 0);
  const usable = pile.connectors.filter(each => [null, "plug"].includes(obstacle(pile, each.connector)));
  return usable.sort((a, b) => rank(a) - rank(b) || a.connector - b.connector)[0]?.connector ?? pile.connectors[0].connector;
}

/** When a connector will be of use, or since when a vehicle whose charge is over stands there; "" where nobody knows. */
function whenFree(each) {
  if (each.free_in_s) return t.pile.freeIn(format.count(Math.max(1, Math.round(each.free_in_s / 60))));
  return each.occupied_since ? t.pile.occupiedSince(format.time(each.occupied_since)) : "";
}

/**
 * The view. choice: {connector, energy, cost, time (texts)} kept over redraws; confirm({connector, rate, limits})
 * is called with the rate that the button showed, chosen() where something else was chosen.
 */
export function chooseView({ choice, confirm, chosen, receipt, openReceipt }) {
  let pile;
  let rate;
  let sending = false;
  let failure = null;
  const title = h("h1", { tabindex: "-1" });
  const id = h("span.mono");
  const online = h("span");
  const connectors = h("fieldset.connectors");
  const prices = h("section.card", { "aria-labelledby": "price-title" });
  const offers = h("div.offers");
  const costLabel = h("label", { for: "limit-cost" });
  const day = h("section.card", { "aria-labelledby": "day-title" });
  const note = h("div.note", { role: "status" });
  const label = h("span.big");
  const sub = h("span.sub");
  const button = h("button.button.primary.start", { id: "confirm", onclick: press }, label, sub);

  const changed = () => {
    chosen();
    failure = null;
    check();
    drawButton();
  };
  const input = (name, mode, labelled) =>
    h(
      "div.limit",
      labelled,
      h("input", {
        id: "limit-" + name,
        inputmode: mode,
        autocomplete: "off",
        maxlength: "12",
        "aria-describedby": "wrong-" + name,
        value: choice[name],
        oninput: event => {
          choice[name] = event.target.value;
          for (const each of offers.querySelectorAll("input")) each.checked = each.value === choice.energy.trim();
          changed();
        }
      }),
      h("p.wrong", { id: "wrong-" + name, role: "alert" })
    );
  const own = h(
    "details",
    { open: Boolean(choice.cost || choice.time) },
    h("summary", t.amount.more),
    h("p.muted.small", t.amount.hint),
    input("energy", "decimal", h("label", { for: "limit-energy" }, t.amount.energy)),
    input("cost", "decimal", costLabel),
    input("time", "numeric", h("label", { for: "limit-time" }, t.amount.time))
  );

  const element = h(
    "main",
    h(
      "section.card",
      h("div.head", title, online),
      h("p.muted", id),
      connectors,
      receipt && h("p", h("a", { href: "#", onclick: event => (event.preventDefault(), openReceipt()) }, receipt))
    ),
    prices,
    h("section.card", h("fieldset", h("legend", h("h2", t.amount.title)), offers, h("p.muted.small", t.amount.estimate)), own),
    day,
    h("div.bottom", note, button, h("p.muted.locked", t.confirm.locked))
  );

  function press() {
    const { limits, wrong } = readLimits(choice, rate.minor_digits);
    if (wrong.length) {
      own.open = true;
      own.querySelector("#limit-" + wrong[0]).focus();
    } else if (!obstacle(pile, choice.connector)) {
      confirm({ connector: choice.connector, rate, limits });
    }
  }

  function drawPile() {
    title.textContent = pile.name;
    id.textContent = pile.device_id;
    id.hidden = pile.name === pile.device_id;
    online.textContent = pile.online ? t.pile.online : t.pile.offline;
    online.className = `pill ${pile.online ? "good" : "bad"}`;
    const single = pile.connectors.length === 1;
    const held = connectors.contains(document.activeElement);
    show(
      connectors,
      h("legend.visually-hidden", t.pile.connectors),
      pile.connectors.map(each => {
        const isIdle = each.plugged && ["Available", "Preparing"].includes(each.status);
        const free = isIdle && each.occupied_since ? "Waiting" : isIdle && each.status === "Available" ? "Occupied" : each.status;
        const state = each.fault || each.status === "Faulted" ? "Faulted" : each.busy ? "busy" : free;
        const good = ["Available", "Occupied", "Preparing"].includes(state);
        const when = whenFree(each);
        return h(
          "label.connector" + (single ? ".single" : ""),
          h("input", {
            type: "radio",
            name: "connector",
            value: each.connector,
            checked: each.connector === choice.connector,
            onchange: () => {
              Object.assign(choice, { connector: each.connector, isChosen: true });
              changed();
            }
          }),
          h("span", t.pile.connector(each.connector)),
          h("span.state." + (good ? "good" : state === "Faulted" ? "bad" : "muted"), t.statuses[state]),
          when && h("span.when.muted.small", when)
        );
      })
    );
    if (held) connectors.querySelector("input:checked")?.focus();
  }

  function drawPrice() {
    const { now } = rate;
    const [until, then] = nextChange(rate.steps, rate.steps[0][0], rate);
    const elsewhere = rate.time_zone !== Intl.DateTimeFormat().resolvedOptions().timeZone;
    const part = (name, value) => h("span", h("span.key." + name), `${t.price[name]} `, h("span.number", price(value, rate)));
    show(
      prices,
      h("h2", { id: "price-title" }, t.price.title),
      largePrice(price(priceNow(rate), rate), chip(now.label)),
      h(
        "p.parts",
        part("electricity", now.electricity_price),
        part("service", now.service_price),
        rate.session_fee_minor > 0 && h("span", t.price.fee(money(rate.session_fee_minor, rate)))
      ),
      h("p.parts", h("strong", until), then && h("span.muted", then)),
      dayBar(rate)
    );
    show(
      day,
      h("h2", { id: "day-title" }, t.price.day),
      dayList(rate),
      elsewhere && h("p.muted.small", t.price.zone(rate.time_zone))
    );
  }

  function drawOffers() {
    const pick = text => {
      choice.energy = text;
      own.querySelector("#limit-energy").value = text;
      changed();
    };
    const offer = (text, first, second) =>
      h(
        "label.offer",
        h("input", { type: "radio", name: "amount", value: text, checked: choice.energy === text, onchange: () => pick(text) }),
        h("span.first", first),
        h("span.second", second)
      );
    const held = offers.contains(document.activeElement);
    costLabel.textContent = t.amount.cost(rate.currency);
    show(
      offers,
      offer("", t.amount.unlimited, t.amount.unlimitedHint),
      rate.estimates.map(({ energy_mwh, total_minor }) =>
        offer(
          decimal(energy_mwh, 6).replace(/\.?0+$/, ""),
          kwh(energy_mwh, 0),
          h("span.number", `≈ ${total_minor === null ? "…" : money(total_minor, rate)}`)
        )
      )
    );
    if (held) offers.querySelector(":checked")?.focus();
    check();
  }

  function check() {
    const { wrong } = readLimits(choice, rate.minor_digits);
    for (const name of ["energy", "cost", "time"]) {
      const isWrong = wrong.includes(name);
      own.querySelector("#wrong-" + name).textContent = isWrong ? t.amount.wrong[name] : "";
      own.querySelector("#limit-" + name).toggleAttribute("aria-invalid", isWrong);
    }
  }

  function drawButton() {
    const { limits } = readLimits(choice, rate.minor_digits);
    const why = obstacle(pile, choice.connector);
    label.textContent = sending ? t.confirm.sending : t.confirm.button(price(priceNow(rate), rate));
    const parts = [t.periods[rate.now.label]];
    if (rate.session_fee_minor) parts.push(t.confirm.fee(money(rate.session_fee_minor, rate)));
    if (limits.energy_mwh) parts.push(t.confirm.limit(kwh(limits.energy_mwh, 6, 0)));
    if (limits.cost_minor) parts.push(t.confirm.limit(money(limits.cost_minor, rate)));
    if (limits.duration_s) parts.push(t.confirm.limit(t.minutes(format.count(limits.duration_s / 60))));
    sub.textContent = parts.join(" · ");
    button.disabled = sending || why !== null;
    const shown = failure ?? (why === "plug" ? null : why);
    if (shown) {
      const [what, todo] = explained(shown);
      const fault = shown === "PileFaulted" && faultWords(pile.connectors.find(each => each.connector === choice.connector)?.fault);
      show(note, inBrief([what, fault ? `${fault} ${todo}` : todo]));
      note.className = "note bad";
    } else {
      show(note, why && h("span", t.confirm.plug));
      note.className = "note info";
    }
  }

  return {
    element,
    title,
    /** Draw what has changed. fresh: {pile, rate, sending, failure ({code} or null)}. */
    update(fresh) {
      const told = JSON.stringify(fresh.pile) !== JSON.stringify(pile);
      const priced = fresh.rate !== rate;
      ({ pile, rate, sending } = fresh);
      failure = fresh.failure?.code;
      if (told) drawPile();
      if (priced) {
        drawPrice();
        drawOffers();
      }
      drawButton();
    }
  };
}
