// The phone's page: what it knows, what it asks, and which view shows it.
//
//   ask -> choose -> (order) charge -> receipt        any of them -> message
//
// The cloud is asked for the pile every few seconds, which also tells whether there is a connection at all; the
// order comes as server-sent events.

import { Problem, request } from "./api.js";
import { h, show } from "./dom.js";
import { formats } from "./format.js";
import { chooseView, priceNow } from "./phone-choose.js";
import { addPoint, chargeView } from "./phone-charge.js";
import { receiptView } from "./phone-receipt.js";
import * as store from "./phone-store.js";

const POLL_MS = 4_000;
const REOPEN_MS = 2_000;
const RATE_FRESH_MS = 60_000;
const LOOK_FIRST_MS = 800; // a new price must have been on the screen before it can be confirmed
const RUNNING = ["Pending", "Accepted", "Charging", "Finishing"];
const ENDS = ["Paid", "Rejected", "Expired", "Cancelled"];
const PASSING = ["Network", "NoRate", "DatabaseUnavailable", "InternalError"]; // what may go away by itself

const device = deviceOfAddress();
const state = {
  pile: null,
  rate: null,
  rateAt: 0, // when it came, in ms of this phone's clock
  order: null,
  token: null,
  points: [],
  choice: { connector: 1, energy: "", cost: "", time: "" },
  key: null, // {key, body} of a confirmation without an answer
  sending: false,
  stopping: false,
  paying: false,
  failure: null, // a code of words.failures, shown in the view where it happened
  message: null, // a code of words.failures that has the page to itself
  lost: false,
  heardAt: null, // Unix seconds
};
let words;
let format;
let view = null; // {name, element, title, update}
let stream = null;
let polling = false;

const bar = h("header", {});
const banner = h("div", { class: "banner", role: "alert" });
const outlet = h("div", { id: "outlet" });
const spoken = h("p", { class: "visually-hidden", "aria-live": "polite" });

function deviceOfAddress() {
  const part = location.pathname.replace(/^\/p\/?/, "").replace(/^\//, "");
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const api = (path) => "/api/" + path;
const pilePath = () => api("piles/" + encodeURIComponent(device));
const orderPath = (rest = "") => api(`orders/${encodeURIComponent(state.order.order_id)}${rest}`);

// -- language

async function speak(language) {
  ({ default: words } = await import(`./phone-words.${language}.js`));
  document.documentElement.lang = language;
  reformat();
  const { other } = words;
  show(
    bar,
    h("a", { class: "brand", href: location.pathname }, words.brand),
    h(
      "button",
      {
        class: "button language",
        lang: other.language,
        onclick: async () => {
          document.cookie = `language=${other.language}; path=/; max-age=31536000; samesite=lax`;
          await speak(other.language);
          bar.querySelector(".language").focus();
        },
      },
      other.name,
    ),
  );
  view = null;
  draw();
}

function reformat() {
  const zone = state.rate?.time_zone;
  if (format?.zone !== zone) view = null; // what it shows is another time now
  format = { ...formats(words.locale, zone), zone };
}

// -- asking

function heard() {
  state.heardAt = Math.floor(Date.now() / 1000);
  state.lost = false;
}

async function ask(path, options) {
  try {
    const answer = await request(path, options);
    heard();
    return answer;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === "Network") state.lost = true;
    else heard();
    throw error;
  }
}

function say(error) {
  if (!(error instanceof Problem)) throw error;
  state.failure = error.code;
}

async function fetchPile() {
  state.pile = await ask(pilePath());
}

/** Take the newest rate; where the person has seen another one, show both and ask again. */
async function fetchRate() {
  const old = state.rate;
  const rate = await ask(pilePath() + "/rate");
  state.rate = rate;
  state.rateAt = Date.now();
  reformat();
  if (old && old.rate_id !== rate.rate_id && !state.order) askAgain(old, rate);
}

/** Whether the price that is shown as the present one may be no more. The pile's cloud tells the time, not this phone. */
function isRateStale() {
  const { rate, rateAt } = state;
  const passedMs = Date.now() - rateAt;
  if (!rate || rate.rate_id !== state.pile.rate_id || passedMs > RATE_FRESH_MS) return true;
  return rate.now.until_at !== null && rate.steps[0][0] * 1000 + passedMs >= rate.now.until_at * 1000;
}

async function poll() {
  if (polling || state.sending || !device || (state.message && !PASSING.includes(state.message))) return;
  polling = true;
  try {
    await fetchPile();
    if (state.message || (!state.order && !state.rate)) {
      await begin();
    } else if (!state.order) {
      if (isRateStale()) await fetchRate();
      if (state.key) await resume(state.key);
    } else if (state.order.state === "Expired" || state.order.state === "Cancelled") {
      takeOrder(await ask(orderPath(), { token: state.token })); // it may turn out to run after all
    }
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  } finally {
    polling = false;
  }
  draw();
}

// -- the order

/** Show what the phone remembers of this pile, else its price. */
async function begin() {
  state.message = null;
  const wanted = new URLSearchParams(location.search).get("order");
  const known = wanted ? store.knownOrder(wanted) : store.currentOrder(device);
  const [pile, order] = await Promise.allSettled([fetchPile(), known ? openOrder(known) : null]);
  if (order.status === "rejected" && order.reason.code === "UnknownOrder" && !wanted) store.leaveOrder(device);
  const failed = wanted && !known ? "UnknownOrder" : state.order ? null : wanted && order.reason ? order.reason.code : pile.reason?.code;
  if (failed) return fail(failed);
  try {
    await fetchRate();
    const pending = store.pendingConfirmation(device);
    if (pending && !state.order) await resume(pending);
  } catch (error) {
    // The zone of a receipt is nice to have; without a price there is nothing to choose.
    if (!state.order) return fail(error.code);
  }
  draw();
}

/** A confirmation whose answer was lost: send it again, which makes no second order of it. */
async function resume(confirmation) {
  const { connectors } = state.pile;
  const isBusy = connectors.some((each) => each.connector === confirmation.body.connector && each.busy);
  // Later than this, nobody waits for a start any more; but what keeps the connector may be this very order.
  if (store.isFresh(confirmation) || isBusy) await send(confirmation);
  else state.key = null;
}

function fail(code) {
  state.message = code;
  draw();
}

async function openOrder({ order_id, token }) {
  const order = await ask(api("orders/" + encodeURIComponent(order_id)), { token });
  state.token = token;
  state.points = [];
  takeOrder(order);
  if (order.state === "Charging") {
    const known = await ask(orderPath("/curve"), { token });
    state.points = known;
  }
  watch();
}

function takeOrder(order) {
  if (state.order?.order_id === order.order_id && order.version < state.order.version) return;
  state.order = order;
  if (order.meter && order.state === "Charging") addPoint(state.points, order.meter.at, order.meter.power_mw);
  if (order.stop_requested_at !== null || !RUNNING.includes(order.state)) state.stopping = false;
  if (ENDS.includes(order.state)) stream?.close();
  if (order.state === "Paid" || order.state === "Settled") store.keepReceipt(device, { order_id: order.order_id, at: order.settled_at });
  draw();
}

function watch() {
  stream?.close();
  if (ENDS.includes(state.order.state)) return;
  const source = new EventSource(orderPath("/events") + "?token=" + encodeURIComponent(state.token));
  stream = source;
  const take = (name, use) =>
    source.addEventListener(name, (event) => {
      heard();
      use(JSON.parse(event.data));
      draw();
    });
  take("order", takeOrder);
  take("meter", (meter) => {
    state.order.meter = meter;
    if (state.order.state === "Charging") addPoint(state.points, meter.at, meter.power_mw);
  });
  source.onopen = () => {
    heard();
    draw();
  };
  source.onerror = () => {
    // A browser opens a broken stream again by itself, but not one that was refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => stream === source && watch(), REOPEN_MS);
    poll();
  };
}

async function confirm({ connector, rate, limits }) {
  const body = { device_id: device, connector, rate_id: rate.rate_id, limits };
  // The same confirmation once more is the same order, so a lost answer never starts a second one.
  const same = state.key && JSON.stringify(state.key.body) === JSON.stringify(body);
  await send(same ? state.key : { key: randomKey(), body, at: Date.now() });
}

async function send(confirmation) {
  const { key, body } = confirmation;
  state.key = confirmation;
  store.keepConfirmation(device, confirmation);
  state.sending = true;
  state.failure = null;
  draw();
  try {
    const order = await ask(api("orders"), { method: "POST", body, headers: { "Idempotency-Key": key } });
    state.key = null;
    store.keepConfirmation(device, null);
    store.keepOrder(device, order);
    state.token = order.token;
    state.points = [];
    state.order = order;
    watch();
  } catch (error) {
    say(error);
    if (error.code !== "Network") {
      state.key = null;
      store.keepConfirmation(device, null);
    }
    if (error.code === "RateChanged") {
      state.failure = null;
      await fetchRate().catch(say);
    }
  }
  state.sending = false;
  draw();
  poll();
}

function randomKey() {
  // crypto.randomUUID is not there on a page without TLS
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function stop() {
  state.stopping = true;
  draw();
  try {
    takeOrder(await ask(orderPath("/stop"), { method: "POST", token: state.token }));
  } catch (error) {
    state.stopping = false;
    say(error);
  }
  draw();
}

async function pay() {
  const { settlement } = state.order;
  state.paying = true;
  state.failure = null;
  draw();
  try {
    const body = { amount_minor: settlement.total_minor, method: "test" };
    takeOrder(await ask(orderPath("/payment"), { method: "POST", body, token: state.token }));
  } catch (error) {
    say(error);
  }
  state.paying = false;
  draw();
}

/** Leave the order and its receipt; the pile's page begins anew. */
function leave() {
  stream?.close();
  stream = null;
  store.leaveOrder(device);
  Object.assign(state, { order: null, token: null, points: [], failure: null, stopping: false, rate: null });
  if (location.search) history.replaceState(null, "", location.pathname);
  begin();
}

// -- a price that changed

function askAgain(old, rate) {
  document.querySelector("dialog")?.remove();
  const price = (of) => format.price(priceNow(of), of.currency);
  const side = (name, of) =>
    h(
      "div",
      { class: "side" },
      h("h3", {}, name),
      h("p", { class: "now-price" }, h("strong", { class: "number" }, price(of)), h("span", { class: "per" }, words.perKwh)),
      h("p", { class: "small" }, `${words.price.electricity} ${format.price(of.now.electricity_price, of.currency)}`),
      h("p", { class: "small" }, `${words.price.service} ${format.price(of.now.service_price, of.currency)}`),
      h("p", { class: "small" }, words.price.fee(format.money(of.session_fee_minor, of.currency, of.minor_digits))),
      of.estimates.slice(-1).map((each) =>
        h("p", { class: "small muted" }, `${format.kwh(each.energy_mwh, 0)} ${words.kwh} ≈ ${format.money(each.total_minor, of.currency, of.minor_digits)}`),
      ),
    );
  const look = h("button", { class: "button", id: "look", onclick: () => dialog.close() }, words.changed.look);
  const accept = h(
    "button",
    {
      class: "button primary",
      id: "accept",
      disabled: true,
      onclick: () => {
        dialog.close();
        document.getElementById("confirm").click();
      },
    },
    words.changed.accept(price(rate)),
  );
  const dialog = h(
    "dialog",
    { class: "card", "aria-labelledby": "changed-title", onclose: () => dialog.remove() },
    h("h2", { id: "changed-title" }, words.changed.title),
    h("p", {}, words.changed.text),
    h("div", { class: "sides" }, side(words.changed.old, old), side(words.changed.new, rate)),
    h("div", { class: "row" }, look, accept),
  );
  document.body.append(dialog);
  dialog.showModal();
  setTimeout(() => accept.removeAttribute("disabled"), LOOK_FIRST_MS);
}

// -- drawing

const VIEWS = { ask: askView, message: messageView, loading: loadingView, choose, charge, receipt, ended: endedView };

function wanted() {
  if (!device) return "ask";
  if (state.message) return "message";
  if (state.order) {
    if (RUNNING.includes(state.order.state)) return "charge";
    return state.order.settlement ? "receipt" : "ended";
  }
  return state.pile && state.rate ? "choose" : "loading";
}

function draw() {
  if (!words) return;
  const name = wanted();
  if (view?.name !== name) {
    const before = view;
    view = { name, ...VIEWS[name]() };
    view.update?.(state);
    show(outlet, view.element);
    document.title = [view.title?.textContent, words.brand].filter(Boolean).join(" · ");
    if (before && before.name !== "loading") {
      scrollTo(0, 0);
      view.title?.focus({ preventScroll: true });
    }
  } else {
    view.update?.(state);
  }
  const told = state.order && view.title ? view.title.textContent : "";
  if (spoken.textContent !== told) spoken.textContent = told;
  drawBanner();
}

function drawBanner() {
  const running = state.order && RUNNING.includes(state.order.state);
  const parts = [];
  if (state.lost) {
    parts.push(running && state.heardAt ? words.banner.lostAt(format.time(state.heardAt)) : words.banner.lost);
    if (running) parts.push(words.banner.lostCharging);
  } else if (running && state.pile && !state.pile.online) {
    parts.push(words.banner.pileOffline, words.banner.pileOfflineCharging);
    if (state.stopping || state.order.stop_requested_at !== null) parts.push(words.banner.stopLater);
  } else if (running && state.failure) {
    parts.push(...(words.failures[state.failure] ?? words.failures.Other));
  }
  const text = parts.join(" ");
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = !text;
  banner.className = `banner ${state.lost ? "bad" : "warn"}`;
}

function choose() {
  const last = store.lastReceipt(device);
  const { connectors } = state.pile;
  if (!connectors.some((each) => each.connector === state.choice.connector)) state.choice.connector = 1;
  const free = connectors.find((each) => !each.busy && !each.fault && each.status !== "Unavailable");
  if (free && connectors[state.choice.connector - 1].busy) state.choice.connector = free.connector;
  const made = chooseView({
    words,
    format,
    choice: state.choice,
    confirm,
    receipt: last && words.pile.lastReceipt(format.dateTime(last.at)),
    openReceipt: () => location.assign(`${location.pathname}?order=${encodeURIComponent(last.order_id)}`),
  });
  return { ...made, update: () => made.update(state) };
}

function charge() {
  return chargeView({ words, format, stop });
}

function receipt() {
  return receiptView({ words, format, pay, done: leave });
}

function page(title, ...rest) {
  const head = h("h1", { tabindex: "-1" }, title);
  return { title: head, element: h("main", {}, h("section", { class: "card message" }, head, rest)) };
}

function loadingView() {
  const head = h("p", { class: "muted" }, words.loading);
  return { title: null, element: h("main", {}, h("section", { class: "card message", "aria-busy": "true" }, head)) };
}

function idForm() {
  const input = h("input", { id: "device", name: "device", required: true, autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: "32" });
  const go = (event) => {
    event.preventDefault();
    const id = input.value.trim();
    if (id) location.assign("/p/" + encodeURIComponent(id));
  };
  return h("form", { onsubmit: go }, h("label", { for: "device" }, words.ask.label), h("div", { class: "row" }, input, h("button", { class: "button primary" }, words.ask.go)));
}

function askView() {
  return page(words.ask.title, h("p", {}, words.ask.text), idForm(), h("p", { class: "muted" }, words.promise));
}

function messageView() {
  const code = state.message;
  const [what, todo] = words.failures[code] ?? words.failures.Other;
  const again = h("button", { class: "button primary", id: "again", onclick: () => begin() }, words.again);
  const home = h("a", { class: "button", href: location.pathname }, words.back);
  const parts = code === "UnknownPile" ? [h("p", { class: "mono" }, device.slice(0, 64)), h("p", {}, todo), idForm()] : [h("p", {}, todo), code === "UnknownOrder" ? home : again];
  return page(what, parts);
}

function endedView() {
  const { state: end, reason } = state.order;
  const refusals = words.failures.Rejected;
  const [what, todo] = end === "Rejected" ? (refusals[reason] ?? refusals.Other) : words.failures[end];
  return page(what, h("p", {}, todo), h("button", { class: "button primary", id: "back", onclick: leave }, words.back));
}

// -- begin

document.body.prepend(bar, banner, outlet, spoken);
banner.hidden = true;
speak(document.documentElement.lang).then(() => device && begin());
setInterval(() => document.hidden || poll(), POLL_MS);
setInterval(() => state.pile && state.rate && !state.order && !document.hidden && isRateStale() && poll(), 1000);
document.addEventListener("visibilitychange", () => document.hidden || poll());
addEventListener("online", () => poll());
addEventListener("offline", () => {
  state.lost = true;
  draw();
});
