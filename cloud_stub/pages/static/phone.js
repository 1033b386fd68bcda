// The phone's page: what it knows, what it asks, and which view shows it.
//
//   ask -> choose -> (order) charge -> receipt        any of them -> message
//
// The cloud is asked for the pile every few seconds, which also tells whether there is a connection at all; the
// order comes as server-sent events.

import { Problem, request } from "./api.js";
import { h, show } from "./dom.js";
import { formats } from "./format.js";
import { askAgain } from "./phone-changed.js";
import { addPoint, chargeView } from "./phone-charge.js";
import { chooseView } from "./phone-choose.js";
import { askView, endedView, explained, failureView, loadingView } from "./phone-messages.js";
import { receiptView } from "./phone-receipt.js";
import * as store from "./phone-store.js";

const POLL_MS = 4_000;
const REOPEN_MS = 2_000;
const RATE_FRESH_MS = 60_000;
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
  if (old && old.rate_id !== rate.rate_id && !state.order) {
    askAgain({ words, format, old, rate, accept: () => document.getElementById("confirm").click() });
  }
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
  // A link may bring the order's token after its #, which no server ever sees.
  const linked = location.hash.length > 1 && { order_id: wanted, token: location.hash.slice(1) };
  const known = wanted ? (store.knownOrder(wanted) ?? linked) : store.currentOrder(device);
  const [pile, order, rate] = await Promise.allSettled([fetchPile(), known && openOrder(known), fetchRate()]);
  let lost = wanted && !known ? "UnknownOrder" : order.reason?.code;
  if (lost === "UnknownOrder" && !wanted) {
    store.leaveOrder(device);
    lost = null;
  }
  // Without pile and price there is nothing to choose; an order needs neither.
  state.message = state.order ? null : (lost ?? pile.reason?.code ?? rate.reason?.code ?? null);
  const pending = store.pendingConfirmation(device);
  if (pending && !state.order && !state.message) await resume(pending);
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

async function openOrder({ order_id, token }) {
  const order = await ask(api("orders/" + encodeURIComponent(order_id)), { token });
  state.token = token;
  state.points = [];
  takeOrder(order);
  watch();
  if (order.state !== "Charging") return;
  const before = await ask(orderPath("/curve"), { token }).catch(() => []); // nice to have, no more
  const last = before.length ? before[before.length - 1][0] : 0;
  state.points = [...before, ...state.points.filter((point) => point[0] > last)];
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
  Object.assign(state.choice, { energy: "", cost: "", time: "" });
  if (location.search) history.replaceState(null, "", location.pathname);
  begin();
}

// -- drawing

const VIEWS = {
  ask: () => askView(words),
  loading: () => loadingView(words),
  message: () => failureView(words, state.message, device, begin),
  choose,
  charge: () => chargeView({ words, format, stop }),
  receipt: () => receiptView({ words, format, pay, done: leave }),
  ended: () => endedView(words, state.order, leave),
};

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
    parts.push(...explained(words, state.failure));
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
