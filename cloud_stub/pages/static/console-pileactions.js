// What an operator does to a pile: clear a fault, stop an order, take the pile out of service. All ask first.

import { askWhy, busy, confirm, notice } from "./console-parts.js";
import { ask } from "./console-session.js";
import { faultWords } from "./console-words.js";

/** `each`: the connector; `path`: the pile's address at the API. */
export async function reset(button, pile, each, path) {
  const body = [
    `${faultWords(each.fault)} on connector ${each.connector} of ${pile.name}. Reset it only when its cause has been found and removed: the pile may close its relay again at the next order.`,
  ];
  if (!pile.online)
    body.push("The pile is offline: it gets the command if it comes back within five minutes.");
  if (!(await confirm("Reset this fault?", body, "Reset fault", true))) return;
  const done = await busy(button, () =>
    ask(path + "/reset", { method: "POST", body: { connector: each.connector } }),
  );
  if (done) notice("The pile has been asked to clear the fault.");
}

/** `each`: the connector whose order is to end. */
export async function stopOrder(button, each, pile) {
  const body = `The order on connector ${each.connector} of ${pile.name} ends: the pile opens the relay, and settles what was delivered.`;
  if (!(await confirm("Stop this order?", body, "Stop order", true))) return;
  const done = await busy(button, () =>
    ask(`/api/orders/${encodeURIComponent(each.order.order_id)}/stop`, { method: "POST" }),
  );
  if (done) notice("The pile has been asked to stop.");
}

/** End an order whose settlement is not expected any more: its pile is gone for good. */
export async function closeOrder(button, order) {
  const text = [
    "Use it where the pile is gone for good: the order ends without a bill, and its connector is free. Should its settlement come all the same, it is billed.",
  ];
  const reason = await askWhy("Close this order?", text, "Close it");
  if (!reason) return;
  const done = await busy(button, () =>
    ask(`/api/orders/${encodeURIComponent(order.order_id)}/close`, { method: "POST", body: { reason } }),
  );
  if (done) notice("The order has been closed.");
}

/** Take a pile out of service for ever; `removed()` once it is. */
export async function removePile(button, pile, path, removed) {
  const body = [
    `${pile.name} (${pile.device_id}) loses its access: it can connect no more, and nobody can charge there. Its orders, settlements and receipts stay. Its id stays taken, so this cannot be undone.`,
  ];
  if (!(await confirm("Remove this pile?", body, "Remove pile", true))) return;
  await busy(button, async () => {
    try {
      await ask(path, { method: "DELETE" });
    } catch (problem) {
      if (problem.code !== "SettlementsWaiting") throw problem;
      if (!(await givesUp(pile, problem.members.settlements))) return;
      await ask(path + "?force=true", { method: "DELETE" });
    }
    notice(`${pile.device_id} has been removed.`);
    removed();
  });
}

function givesUp(pile, count) {
  const waiting = count === 1 ? "1 settlement" : `${count} settlements`;
  return confirm(
    "Give up settlements?",
    [
      `${pile.name} still has ${waiting} that it has not handed over. Removed now, it never will: what was charged there cannot be billed.`,
      "Bring it back to the network first if you can; it hands them over by itself.",
    ],
    "Remove all the same",
    true,
  );
}
