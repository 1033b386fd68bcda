// The phone's page: what it knows, what it asks, and which view shows it.
//
//   ask -> choose -> (order) charge -> receipt        any of them -> message
//
// The cloud is asked for the pile every few seconds, which also tells whether there is a connection at all; the
// order comes as server-sent events.

import { Problem } from "./api.js";
import { h, show } from "./dom.js";
import { askAgain } from "./phone-changed.js";
import { addPoint, bannerText, chargeView } from "./phone-charge.js";
import { bestConnector, chooseView } from "./phone-choose.js";
import { holdsOf, later, partsOf, readyFor, whenSomethingComes } from "./phone-later.js";
import { asOf, differs, priceNow } from "./phone-rate.js";
import { receiptView } from "./phone-receipt.js";
import { languageButton, words } from "./say.js";
import { format, speakIn, t, tellTimeOf, whenReasonsCome } from "./phone-say.js";
import { api, ask, connectorOfAddress, device, follow, forgetFailure, LASTING, my, orderPath, pilePath, RUNNING, say, stage, unfollow } from "./phone-state.js";
import * as store from "./phone-store.js";

const POLL_MS = 4_000;
const RATE_FRESH_MS = 60_000;
const ENDS = ["Paid", "Rejected", "Expired", "Cancelled", "Lost"];
let view = null; // {name, message, element, title, update}
let polling = false;

const bar = h("header");
const banner = h("div.banner", { role: "alert" });
const outlet = h("div", { id: "outlet" });
const others = h("nav.others");
const earlier = h("aside.others");
const spoken = h("p.visually-hidden", { "aria-live": "polite" });

// -- language

async function speak(language) {
  await speakIn(language);
  tellTime();
  const { other } = t;
  show(
    bar,
    h("a.brand", { href: location.pathname }, t.brand),
    h("span.issuer", location.host), // on paper, which has no address bar
    languageButton(other, async language => {
      await speak(language);
      bar.querySelector(".language").focus();
    })
  );
  view = null;
  draw();
}

function tellTime() {
  if (tellTimeOf(my.rate?.time_zone)) view = null; // what it shows is another time now
}

// -- asking

async function fetchPile() {
  my.pile = await ask(pilePath());
}

/** The rate of the chosen connector; `another`: of another connector than the one before, so it has not changed. */
async function fetchRate(another = false) {
  const askedAt = Date.now();
  const { connector } = my.choice;
  const rate = await ask(pilePath() + "/rate?connector=" + connector);
  await readyFor(rate);
  if (my.sending || connector !== my.choice.connector) return; // what is being confirmed is what was seen
  if (another) my.rate = null;
  takeRate(rate, askedAt);
}

const rateIdOf = connector => my.pile.connectors.find(each => each.connector === connector)?.rate_id;

/** Connectors may have different tariffs. */
function followConnector() {
  const isAnother = my.pile.connectors.some(each => each.rate_id !== rateIdOf(my.choice.connector));
  if (!isAnother || my.rate?.rate_id === rateIdOf(my.choice.connector)) return;
  fetchRate(true).then(draw, error => {
    if (!(error instanceof Problem)) throw error; // the next poll asks again
  });
}

/** askedAt: an answer that was long on its way tells of a moment that has passed. */
function takeRate(rate, askedAt) {
  my.rateAt = askedAt;
  my.aheadMs = rate.steps[0][0] * 1000 - askedAt;
  return offer(asOf(rate, cloudNow()));
}

const cloudNow = () => Math.floor((Date.now() + my.aheadMs) / 1000);

/** Let this be the rate. Where the person sees another price, show both and ask again; returns whether it did. */
function offer(rate) {
  const old = my.rate;
  my.rate = rate;
  tellTime();
  if (!old || !rate || my.order || view?.name !== "choose" || !differs(old, rate)) return false;
  const accept = () => document.getElementById("confirm")?.click();
  askAgain({ old, rate, accept, closed: refocus });
  return true;
}

/** Where a dialog leaves the focus nowhere, it goes to the button, or where that cannot be, to the page's top. */
function refocus() {
  for (const each of [document.getElementById("confirm"), view?.title]) {
    if (document.activeElement === document.body) each?.focus({ preventScroll: true });
  }
}

/** When a period ends, the next one's price is the price: the network is not waited for. Returns whether it is. */
function keepTime() {
  if (!my.rate || my.order || my.sending) return false;
  const rate = asOf(my.rate, cloudNow());
  if (rate === my.rate) return false;
  offer(rate);
  draw();
  return true;
}

const isRateStale = () =>
  my.rate.rate_id !== rateIdOf(my.choice.connector) || Date.now() - my.rateAt > RATE_FRESH_MS || my.rate.isOld;

async function poll() {
  if (polling || my.sending || !device || LASTING.includes(my.message)) return;
  polling = true;
  try {
    await fetchPile();
    draw();
    if (my.message || (!my.order && !my.rate)) {
      await begin();
    } else if (!my.order) {
      if (isRateStale()) await fetchRate();
      if (my.key) await resume(my.key);
    } else if (/Expired|Cancelled|Lost|Paid/.test(my.order.state)) {
      const { order } = my;
      const now = await ask(orderPath(), { token: my.token });
      if (my.order === order) {
        takeOrder(now);
        watch(); // it may run after all, or have a bill, or be paid back
      }
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
  my.message = null;
  const wanted = new URLSearchParams(location.search).get("order");
  // A link may bring the order's token after its #, which no server ever sees.
  const linked = location.hash.length > 1 && { order_id: wanted, token: location.hash.slice(1) };
  const known = wanted ? (store.knownOrder(wanted) ?? linked) : store.currentOrder(device, connectorOfAddress);
  const [pile, order, rate] = await Promise.allSettled([fetchPile(), known && openOrder(known), fetchRate()]);
  let lost = wanted && !known ? "UnknownOrder" : order.reason?.code;
  if (lost === "UnknownOrder" && known) {
    if (!wanted) store.leaveOrder({ order_id: known.order_id, device_id: device });
    lost = wanted && "DeadLink";
  }
  // Without pile and price there is nothing to choose; an order needs neither.
  my.message = my.order ? null : (lost || pile.reason?.code || rate.reason?.code || null);
  const pending = store.pendingConfirmation(device);
  if (pending && !my.order && !my.message) await resume(pending);
  draw();
}

/** A confirmation whose answer was lost: send it again, which makes no second order of it. */
async function resume(confirmation) {
  if (my.sending) return; // confirmed while the cloud was being asked for the pile
  const { connectors } = my.pile;
  const isBusy = connectors.some(each => each.connector === confirmation.body.connector && each.busy);
  // Later than this, nobody waits for a start any more; but what keeps the connector may be this very order.
  if (store.isFresh(confirmation) || confirmation.isPaying || isBusy) await send(confirmation);
  else my.key = null;
}

async function openOrder(known) {
  const { order_id, token, limits } = known;
  const order = await ask(api("orders/" + encodeURIComponent(order_id)), { token });
  if (order.device_id !== device) {
    // The page is that of the order's own pile: its name, its network, its price afterwards.
    location.replace("/p/" + order.device_id + location.search + location.hash);
    await new Promise(() => {}); // this page is over
  }
  if (!known.device && RUNNING.includes(order.state)) store.keepOrder({ ...order, token }); // handed over
  my.token = token;
  my.own = limits;
  my.points = [];
  takeOrder(order);
  watch();
  if (order.state !== "Charging") return;
  const before = await ask(orderPath("/curve"), { token }).catch(() => []); // nice to have, no more
  const last = before.length ? before[before.length - 1][0] : 0;
  my.points = [...before, ...my.points.filter(point => point[0] > last)];
}

function takeOrder(order) {
  if (my.order?.order_id === order.order_id && order.version < my.order.version) return;
  my.order = order;
  if (order.meter && order.state === "Charging") addPoint(my.points, order.meter.at, order.meter.power_mw);
  if (order.stop_requested_at !== null || !RUNNING.includes(order.state)) my.stopping = false;
  if (ENDS.includes(order.state)) unfollow();
  if (order.state === "Paid" || order.state === "Settled") store.keepReceipt(device, { order_id: order.order_id, at: order.settled_at });
  draw();
}

function watch() {
  if (ENDS.includes(my.order.state)) return unfollow();
  const meter = value => {
    my.order.meter = value;
    if (my.order.state === "Charging") addPoint(my.points, value.at, value.power_mw);
  };
  follow(orderPath("/events") + "?token=" + encodeURIComponent(my.token), { order: takeOrder, meter, draw, broken: poll });
}

async function confirm({ connector, rate, limits, code }) {
  if (keepTime()) return; // a phone that slept: the button was pressed before its clock ticked again
  const { rate_id, time_zone } = rate;
  const time_price = rate.now.time_price || undefined;
  const body = { device_id: device, connector, rate_id, price: priceNow(rate), time_price, time_zone, limits, code };
  // The same confirmation once more is the same order, so a lost answer never starts a second one.
  const same = my.key && JSON.stringify(my.key.body) === JSON.stringify(body);
  await send(same ? my.key : { key: randomKey(), body, at: Date.now() });
}

async function send(confirmation) {
  const { key, body } = confirmation;
  const askedAt = Date.now();
  my.key = confirmation;
  store.keepConfirmation(device, confirmation);
  my.sending = true;
  my.failure = null;
  draw();
  try {
    const order = await ask(api("orders"), { method: "POST", body, headers: { "Idempotency-Key": key } });
    my.key = null;
    store.keepConfirmation(device, null);
    store.keepOrder(order, body.limits);
    Object.assign(my, { order, token: order.token, own: body.limits, points: [] });
    watch();
  } catch (error) {
    if (error.code === "PaymentNeeded") {
      if (await isPaid(confirmation, error.members)) return send(confirmation);
    } else {
      say(error);
    }
    if (error.code !== "Network") {
      my.key = null;
      store.keepConfirmation(device, null);
    }
    // The refusal brings the price that holds. Where nobody has seen another one, it is told that nothing started.
    if (error.code === "RateChanged" && takeRate(error.members.rate, askedAt)) my.failure = null;
  }
  my.sending = false;
  draw();
  poll();
}

/** The provider's step. Whoever has to leave the page for it finds the confirmation here when coming back. */
async function isPaid(confirmation, needed) {
  store.keepConfirmation(device, { ...confirmation, isPaying: true });
  try {
    const [{ payStep }, w] = await Promise.all([import("./phone-pay-step.js"), words("phone-pay")]);
    return await payStep({ ...needed, is_test: my.pile?.payment?.is_test }, my.rate, w);
  } catch {
    say(new Problem("PaymentNeeded", 402, {}));
    return false;
  }
}

// 128 bits; crypto.randomUUID is not there on a page without TLS
const randomKey = () => "phone-order-" + crypto.getRandomValues(new Uint32Array(4)).join("-");

async function stop() {
  my.stopping = true;
  my.failure = null;
  draw();
  try {
    takeOrder(await ask(orderPath("/stop"), { method: "POST", token: my.token }));
  } catch (error) {
    my.stopping = false;
    say(error);
  }
  draw();
}

async function pay() {
  my.paying = true;
  my.failure = null;
  draw();
  try {
    const body = { amount_minor: my.order.due_minor, method: "test" };
    takeOrder(await ask(orderPath("/payment"), { method: "POST", body, token: my.token }));
  } catch (error) {
    say(error);
  }
  my.paying = false;
  draw();
}

async function handOver() {
  const parts = [import("./phone-handover.js"), words("phone-handover")];
  const [module, w] = await Promise.all(parts).catch(() => []);
  if (module) return module.handOver(w);
  my.lost = true;
  draw();
}

/** Leave the order and its receipt; the pile's page begins anew. */
function leave() {
  unfollow();
  store.leaveOrder(my.order);
  Object.assign(my, { order: null, token: null, own: null, points: [], failure: null, stopping: false, rate: null });
  Object.assign(my.choice, { offer: null, energy: "", cost: "", time: "", code: null });
  if (location.search) history.replaceState(null, "", location.pathname);
  begin();
}

// -- drawing

const loadingView = () => ({ title: null, element: h("main", h("section.card.message", { "aria-busy": "true" }, h("p.muted", t.loading))) });

const VIEWS = {
  ask: () => page("askView"),
  loading: loadingView,
  message: () => page("failureView", my.message, { device, pile: my.pile, again: begin }),
  choose,
  charge: () => chargeView(stop, handOver),
  receipt: () => receiptView(pay, leave, handOver),
  ended: () => page("endedView", my.order, leave)
};

/** A view of phone-pages.js. Until that is there, the page is loading. */
function page(name, ...rest) {
  const pages = later("phone-pages");
  return pages ? pages[name](...rest) : { ...loadingView(), isWaiting: true };
}

function wanted() {
  if (my.message) return "message";
  if (!device) return "ask";
  if (my.order) {
    if (RUNNING.includes(my.order.state)) return "charge";
    if (!my.order.settlement) return holdsOf(my.order.payment) === null ? "loading" : "ended";
    return partsOf(my.order.rate) === null || holdsOf(my.order.payment) === null ? "loading" : "receipt";
  }
  return my.pile && my.rate && partsOf(my.rate) !== null ? "choose" : "loading";
}

function draw() {
  if (!t) return;
  forgetFailure();
  const name = wanted();
  if (view?.name !== name || view.message !== my.message || view.isWaiting) {
    const before = view;
    view = { name, message: my.message, ...VIEWS[name]() };
    view.update?.(my, cloudNow());
    show(outlet, view.element);
    document.title = [view.title?.textContent, t.brand].filter(Boolean).join(" · ");
    if (before && before.name !== "loading") {
      scrollTo(0, 0);
      view.title?.focus({ preventScroll: true });
    }
  } else {
    view.update?.(my, cloudNow());
  }
  const told = my.order && view.title ? view.title.textContent : "";
  if (spoken.textContent !== told) spoken.textContent = told;
  drawBanner();
  drawOthers();
}

/** Above the view the other orders of this phone, and the way to one more at this pile; below it the receipts of earlier ones. */
function drawOthers() {
  if (view.name === "loading") return; // which order is shown is not known yet
  const isOther = each => each.order_id !== my.order?.order_id;
  const open = store.openOrders().filter(isOther);
  const closed = view.name === "charge" ? [] : store.closedOrders().filter(isOther);
  const { order_id, state } = my.order ?? {};
  const connectors = my.pile?.connectors;
  const from = [open, order_id, state, connectors];
  drawOnce(others, open.length || connectors?.length > 1, from, module => module.othersView(open, my.order, my.pile));
  drawOnce(earlier, closed.length, closed, module => module.earlierView(closed));
}

/** Links that somebody may be using stay until they are others. */
function drawOnce(place, isWanted, from, make) {
  const told = isWanted ? JSON.stringify([t.locale, from]) : "";
  const module = isWanted && later("phone-others");
  if (place.told === told || (isWanted && !module)) return;
  place.told = told;
  show(place, isWanted && make(module));
}

function drawBanner() {
  const text = bannerText(my, stage() === "stop");
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = !text;
  banner.className = `banner ${my.lost ? "bad" : "warn"}`;
}

function choose() {
  const last = store.lastReceipt(device);
  const { connectors } = my.pile;
  if (!connectors.some(each => each.connector === my.choice.connector)) Object.assign(my.choice, { connector: 1, isChosen: false });
  if (!my.choice.isChosen) my.choice.connector = bestConnector(my.pile);
  followConnector();
  return chooseView({
    choice: my.choice,
    confirm,
    chosen() {
      my.failure = null;
      followConnector();
    },
    receipt: last && t.pile.lastReceipt(format.dateTime(last.at)),
    openReceipt: () => location.assign(`${location.pathname}?order=${encodeURIComponent(last.order_id)}`)
  });
}

// -- begin

/** The phone woke up, or somebody came back to the page: first the price, then everything else. */
function wake() {
  if (document.hidden) return;
  keepTime();
  poll();
}

whenReasonsCome(() => {
  view = null;
  draw();
});
whenSomethingComes(draw);
banner.hidden = true;
speak(document.documentElement.lang).then(() => {
  document.body.replaceChildren(bar, banner, others, outlet, earlier, spoken);
  if (device && !my.message) begin();
});
setInterval(() => document.hidden || poll(), POLL_MS);
setInterval(() => {
  if (document.hidden) return;
  if (keepTime()) poll();
  if (my.order?.state === "Finishing") draw(); // the time left to stay for nothing
}, 1000);
document.addEventListener("visibilitychange", wake);
addEventListener("pageshow", event => event.persisted && wake());
addEventListener("online", wake);
addEventListener("offline", () => {
  my.lost = true;
  draw();
});
