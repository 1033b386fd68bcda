// What this phone remembers: its orders' tokens, which of them runs at a pile, and a confirmation on its way.
//
// Where a browser keeps nothing (private mode, storage blocked) the page works until it is closed.

const ORDERS_KEPT = 20;
const FRESH_MS = 60_000;
const CONFIRMATION_LIFE_MS = 15 * 60_000;

const memory = new Map();

function read(name) {
  try {
    return JSON.parse(localStorage.getItem("ratelock:" + name)) ?? memory.get(name) ?? null;
  } catch {
    return memory.get(name) ?? null;
  }
}

function write(name, value) {
  memory.set(name, value);
  try {
    if (value === null) localStorage.removeItem("ratelock:" + name);
    else localStorage.setItem("ratelock:" + name, JSON.stringify(value));
  } catch {
    // kept in memory at least
  }
}

/** The order that runs (or waits to be paid) at this pile: {order_id, token, limits}, or null. */
export function currentOrder(device) {
  return read("current:" + device);
}

/** limits: those that were asked for. */
export function keepOrder(device, { order_id, token }, limits) {
  write("current:" + device, { order_id, token, limits });
  const others = (read("orders") ?? []).filter(each => each.order_id !== order_id);
  write("orders", [{ order_id, token, limits, device }, ...others].slice(0, ORDERS_KEPT));
}

/** The order is over: the pile's page begins anew. Its token stays, for its receipt. */
export function leaveOrder(device) {
  write("current:" + device, null);
}

/** {order_id, token, limits, device} of an order of this phone, or null. */
export function knownOrder(orderId) {
  return (read("orders") ?? []).find(each => each.order_id === orderId) ?? null;
}

export function lastReceipt(device) {
  return read("receipt:" + device);
}

export function keepReceipt(device, receipt) {
  write("receipt:" + device, receipt);
}

/** A confirmation {key, body, at} whose answer has not come; null when there is none or it is too old. */
export function pendingConfirmation(device) {
  const found = read("pending:" + device);
  return found && Date.now() - found.at < CONFIRMATION_LIFE_MS ? found : null;
}

export function keepConfirmation(device, confirmation) {
  write("pending:" + device, confirmation);
}

/** Whether whoever confirmed still stands there and waits for the start. */
export function isFresh(confirmation) {
  return Date.now() - confirmation.at < FRESH_MS;
}
