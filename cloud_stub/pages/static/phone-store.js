// What this phone remembers: its orders' tokens, which of them are open, and a confirmation on its way.
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

/** The orders that run, or wait to be paid or looked at: {order_id, token, limits, device, connector} of each. */
export const openOrders = () => (read("orders") ?? []).filter(each => each.isOpen);

/** The open order at this pile, and at this connector unless it is null; null where there is none. */
export function currentOrder(device, connector) {
  const here = openOrders().find(each => each.device === device && (connector === null || each.connector === connector));
  return here ?? read("current:" + device); // as pages before this one kept it
}

/** limits: those that were asked for; undefined where the order was handed over by another phone. */
export function keepOrder({ order_id, token, device_id, connector }, limits) {
  const others = (read("orders") ?? []).filter(each => each.order_id !== order_id);
  write("orders", [{ order_id, token, limits, device: device_id, connector, isOpen: true }, ...others].slice(0, ORDERS_KEPT));
}

/** The order is over: the pile's page begins anew. Its token stays, for its receipt. */
export function leaveOrder({ order_id, device_id }) {
  const all = read("orders") ?? [];
  write("orders", all.map(each => (each.order_id === order_id ? { ...each, isOpen: false } : each)));
  if (read("current:" + device_id)?.order_id === order_id) write("current:" + device_id, null);
}

/** {order_id, token, limits, device} of an order of this phone, or null. */
export function knownOrder(orderId) {
  return (read("orders") ?? []).find(each => each.order_id === orderId) ?? null;
}

/** The orders of this phone that are over and have a receipt, the newest first; `at`: when they were settled. */
export const closedOrders = () => (read("orders") ?? []).filter(each => !each.isOpen && each.at);

export function lastReceipt(device) {
  return read("receipt:" + device);
}

/** receipt: {order_id, at} */
export function keepReceipt(device, receipt) {
  write("receipt:" + device, receipt);
  const all = read("orders") ?? [];
  write("orders", all.map(each => (each.order_id === receipt.order_id ? { ...each, at: receipt.at } : each)));
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
