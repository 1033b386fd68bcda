// What an operator does to a pile: clear a fault, stop or close an order, remove the pile. All ask first.

import { confirm, notice } from "./console-dialog.js";
import { askWhy } from "./console-form.js";
import { busy } from "./console-parts.js";
import { ask } from "./console-session.js";
import { faultWords } from "./console-words.js";
import { words } from "./say.js";

const t = (await words("console-words-piles")).actions;

/** `each`: the connector; `path`: the pile's address at the API. */
export async function reset(button, pile, each, path) {
  const body = [t.resetText(faultWords(each.fault), each.connector, pile.name)];
  if (!pile.online) body.push(t.resetLater);
  if (!(await confirm(t.resetTitle, body, t.reset, true))) return;
  const done = await busy(button, () => ask(path + "/reset", { method: "POST", body: { connector: each.connector } }));
  if (done) notice(t.resetDone);
}

/** `each`: the connector whose order is to end. */
export async function stopOrder(button, each, pile) {
  if (!(await confirm(t.stopTitle, t.stopText(each.connector, pile.name), t.stop, true))) return;
  const done = await busy(button, () => ask(`/api/orders/${encodeURIComponent(each.order.order_id)}/stop`, { method: "POST" }));
  if (done) notice(t.stopDone);
}

/** End an order whose settlement is not expected any more: its pile is gone for good. */
export async function closeOrder(order) {
  const done = await askWhy({
    title: t.closeTitle,
    text: t.closeText,
    action: t.close,
    submit: (reason) => ask(`/api/orders/${encodeURIComponent(order.order_id)}/close`, { method: "POST", body: { reason } }),
  });
  if (done) notice(t.closeDone);
}

/** Take a pile out of service for ever; `removed()` once it is. */
export async function removePile(button, pile, path, removed) {
  if (!(await confirm(t.removeTitle, t.removeText(pile.name, pile.device_id), t.remove, true))) return;
  await busy(button, async () => {
    try {
      await ask(path, { method: "DELETE" });
    } catch (problem) {
      if (problem.code !== "SettlementsWaiting") throw problem;
      const text = [t.giveUpText(pile.name, problem.members.settlements), t.giveUpBetter];
      if (!(await confirm(t.giveUpTitle, text, t.giveUp, true))) return;
      await ask(path + "?force=true", { method: "DELETE" });
    }
    notice(t.removeDone(pile.device_id));
    removed();
  });
}
