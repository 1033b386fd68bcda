// What an operator does to a pile: clear a fault, stop or close an order, remove the pile. All ask first.

import { confirm, notice } from "./console-dialog.js";
import { askFirst, askWhy } from "./console-form.js";
import { ask } from "./console-session.js";
import { faultWords } from "./console-words.js";
import { words } from "./say.js";

const t = (await words("console-words-piles")).actions;

/** `each`: the connector; `path`: the pile's address at the API. */
export async function reset(pile, each, path) {
  const body = [t.resetText(faultWords(each.fault), each.connector, pile.name)];
  if (!pile.online) body.push(t.resetLater);
  const submit = () => ask(path + "/reset", { method: "POST", body: { connector: each.connector } });
  const done = await askFirst(t.resetTitle, body, t.reset, submit);
  if (done) notice(t.resetDone);
}

/** `each`: the connector whose order is to end. */
export async function stopOrder(each, pile) {
  const submit = () => ask(`/api/orders/${encodeURIComponent(each.order.order_id)}/stop`, { method: "POST" });
  const done = await askFirst(t.stopTitle, t.stopText(each.connector, pile.name), t.stop, submit);
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
export async function removePile(pile, path, removed) {
  const done = await askFirst(t.removeTitle, t.removeText(pile.name, pile.device_id), t.remove, async () => {
    try {
      return await ask(path, { method: "DELETE" });
    } catch (problem) {
      if (problem.code !== "SettlementsWaiting") throw problem;
      const text = [t.giveUpText(pile.name, problem.members.settlements), t.giveUpBetter];
      if (!(await confirm(t.giveUpTitle, text, t.giveUp, true))) return null;
      return ask(path + "?force=true", { method: "DELETE" });
    }
  });
  if (!done) return;
  notice(t.removeDone(pile.device_id));
  removed();
}
