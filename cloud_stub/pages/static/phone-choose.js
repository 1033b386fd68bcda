// Before the charge: the pile, its price, how much, and the one button that repeats the price it confirms.

import { h, show } from "./dom.js";
import { freeOf, holdsOf, later, partsOf } from "./phone-later.js";
import { readLimits } from "./phone-limits.js";
import { chip, dayBar, dayList, hasDay, inWords, largePrice, nextChange } from "./phone-price.js";
import { amountOf, explained, faultWords, format, inBrief, inShort, kwh, lasting, money, price, t } from "./phone-say.js";

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

/** Of the estimates those that say something: energy only where it costs, an hour only where it has one price. */
const examplesOf = ({ estimates, now }) =>
  estimates.filter(each => (each.duration_s ? !each.power_w : now.electricity_price || now.service_price || !each.is_least));

/** What is offered: {kind, limits, estimate_minor, hold_minor, ...} of each; without an operator's own, some kWh. */
const offersOf = rate =>
  rate.offers?.length
    ? rate.offers
    : [
        { kind: "full", limits: {} },
        ...examplesOf(rate).map(({ energy_mwh, duration_s, total_minor, is_least, hold_minor }) => {
          const limits = duration_s ? { duration_s } : { energy_mwh };
          return { ...limits, limits, estimate_minor: total_minor, is_least, hold_minor };
        })
      ];

/** What the first look tells of them. */
const isUsual = each => each.duration_s || each.energy_mwh === 5_000_000;

const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/**
 * The view. choice: {connector, offer (its limits, or null), energy, cost, time (texts), code (text, or null)} kept over redraws;
 * confirm({connector, rate, limits, code}) is called with the rate that the button showed, chosen() where something else was chosen.
 */
export function chooseView({ choice, confirm, chosen, receipt, openReceipt }) {
  let pile;
  let rate;
  let sending = false;
  let failure = null;
  let free; // what stands where a code was asked for
  const title = h("h1", { tabindex: "-1" });
  const id = h("span.mono");
  const online = h("span");
  const connectors = h("fieldset.connectors");
  const prices = h("section.card", { "aria-labelledby": "price-title" });
  const offers = h("div.offers");
  const costLabel = h("label", { for: "limit-cost" });
  const day = h("section.card", { "aria-labelledby": "day-title" });
  const hold = h("div.hold");
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

  const code = h("div", h("button.button.plain", { id: "have-code", onclick: askCode }, t.amount.haveCode));

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
    h("section.card", h("fieldset", h("legend", h("h2", t.amount.title)), offers, h("p.muted.small", t.amount.estimate)), own, code),
    day,
    h("div.bottom", note, button, hold, h("p.muted.locked", t.confirm.locked))
  );

  /** As in readLimits: those of the offer, and what was typed. */
  function chosenLimits() {
    const typed = readLimits(choice, rate.minor_digits);
    return { ...typed, limits: { ...choice.offer, ...typed.limits } };
  }

  function askCode() {
    choice.code = "";
    drawButton();
  }

  const isCodeWrong = () => failure?.code === "FreeCodeInvalid";

  /** The field of a code, once it is wanted and there. */
  function drawCode() {
    if (choice.code === null) return;
    const codes = later("phone-code", true);
    if (codes && !free) {
      const wasAsked = code.contains(document.activeElement);
      free = codes;
      show(code, codes.codeField(choice, changed, codes.w));
      if (wasAsked) code.querySelector("input").focus();
    }
    free?.tellCode(code, isCodeWrong());
  }

  function press() {
    const { limits, wrong } = chosenLimits();
    if (wrong.length) {
      own.open = true;
      own.querySelector("#limit-" + wrong[0]).focus();
    } else if (!obstacle(pile, choice.connector)) {
      confirm({ connector: choice.connector, rate, limits, code: choice.code || undefined });
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
    const [until, then] = nextChange(rate, rate.steps[0][0]);
    const elsewhere = rate.time_zone !== Intl.DateTimeFormat().resolvedOptions().timeZone;
    const parts = partsOf(rate);
    const isDaily = hasDay(rate);
    const part = (name, value) => value > 0 && h("span", h("span.key." + name), `${t.price[name]} `, h("span.number", price(value, rate)));
    show(
      prices,
      h("h2", { id: "price-title" }, t.price.title),
      largePrice(now, rate, isDaily && chip(now.label)),
      !rate.isOld && h("p.parts", examplesOf(rate).filter(isUsual).map(example)),
      h(
        "p.parts",
        part("electricity", now.electricity_price),
        part("service", now.service_price),
        rate.session_fee_minor > 0 && h("span", t.price.fee(money(rate.session_fee_minor, rate)))
      ),
      h("p.parts", h("strong", until), then && h("span.muted", then)),
      parts?.terms(rate, parts.w),
      isDaily && dayBar(rate)
    );
    day.hidden = !isDaily;
    show(
      day,
      h("h2", { id: "day-title" }, t.price.day),
      dayList(rate),
      elsewhere && h("p.muted.small", t.price.zone(rate.time_zone))
    );
  }

  const about = (minor, isLeast) => (isLeast ? t.price.least : t.price.about)(money(minor, rate));
  const example = each => h("strong.number", `${amountOf(each)} ${about(each.total_minor, each.is_least)}`);

  function drawOffers() {
    const all = offersOf(rate);
    if (!all.some(each => isSame(each.limits, choice.offer))) choice.offer = (all.find(each => each.kind === "full") ?? all[0]).limits;
    const names = {
      full: () => [t.amount.unlimited, t.amount.unlimitedHint],
      money: each => [inShort(each.cost_minor, rate), partsOf(rate)?.lasts(each, rate, partsOf(rate).w) ?? t.amount.atMost]
    };
    const guess = each => each.estimate_minor != null && h("span.number", rate.isOld ? "≈ …" : about(each.estimate_minor, each.is_least));
    const offer = (each, [first, second]) =>
      h(
        "label.offer",
        h("input", {
          type: "radio",
          name: "amount",
          checked: isSame(each.limits, choice.offer),
          onchange: () => {
            choice.offer = each.limits;
            changed();
          }
        }),
        h("span.first", first),
        h("span.second", second)
      );
    const held = offers.contains(document.activeElement);
    costLabel.textContent = t.amount.cost(rate.currency);
    show(
      offers,
      all.map(each => offer(each, names[each.kind]?.(each) ?? [amountOf(each), guess(each)]))
    );
    if (held) offers.querySelector(":checked")?.focus();
    check();
  }

  function check() {
    const { wrong } = chosenLimits();
    for (const name of ["energy", "cost", "time"]) {
      const isWrong = wrong.includes(name);
      own.querySelector("#wrong-" + name).textContent = isWrong ? t.amount.wrong[name] : "";
      own.querySelector("#limit-" + name).toggleAttribute("aria-invalid", isWrong);
    }
  }

  function drawButton() {
    const { limits } = chosenLimits();
    const why = obstacle(pile, choice.connector);
    label.textContent = sending ? t.confirm.sending : t.confirm.button(inWords(rate.now, rate));
    const parts = hasDay(rate) ? [t.periods[rate.now.label]] : [];
    if (rate.session_fee_minor) parts.push(t.confirm.fee(money(rate.session_fee_minor, rate)));
    if (limits.energy_mwh) parts.push(t.confirm.limit(kwh(limits.energy_mwh, 6, 0)));
    if (limits.cost_minor) parts.push(t.confirm.limit(money(limits.cost_minor, rate)));
    if (limits.duration_s) parts.push(t.confirm.limit(lasting(limits.duration_s)));
    const holds = holdsOf(pile.payment);
    drawCode();
    const offer = offersOf(rate).find(each => isSame(each.limits, limits));
    const here = freeOf(pile);
    const byCode = choice.code && !isCodeWrong() && free?.freeLine(free.w.byCode);
    show(hold, here === undefined ? byCode || holds?.beforeStart(rate, limits, offer, holds.w) : here?.freeLine(here.w.here));
    if (pile.payment?.is_test) parts.push(t.test);
    sub.textContent = parts.join(" · ");
    button.disabled = sending || why !== null || holds === null; // what is held is said first
    const shown = failure?.code ?? (why === "plug" ? null : why);
    if (shown) {
      const [what, todo] = explained(shown, failure?.reason);
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
    /** Draw what has changed. fresh: {pile, rate, sending, failure ({code, reason} or null)}. */
    update(fresh) {
      const told = JSON.stringify(fresh.pile) !== JSON.stringify(pile);
      const priced = fresh.rate !== rate;
      ({ pile, rate, sending } = fresh);
      failure = fresh.failure;
      if (told) drawPile();
      if (priced) {
        drawPrice();
        drawOffers();
      }
      drawButton();
    }
  };
}
