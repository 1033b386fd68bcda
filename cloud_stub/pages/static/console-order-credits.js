// The credit notes of an order, below its page, the form that makes one, and the entry of a payment by hand.

import { digitsOf, loadCurrencies } from "./console-currency.js";
import { notice } from "./console-dialog.js";
import { formDialog } from "./console-form.js";
import { renew } from "./console-keep.js";
import { explain, figures, h, moneyOf, section, table, when, whoWords } from "./console-parts.js";
import { units } from "./console-ratemodel.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const { names } = await words("console-words");
const t = (await words("console-words-money")).credits;
const WHY_MAX = 500; // as the API takes it

export function open(place, { id, path }) {
  let known = "";
  let latest;

  /** An order that changed: its notes with their reasons, which only operators see. */
  async function update(order) {
    const now = JSON.stringify([order.version, order.state]);
    if (now === known) return;
    known = now;
    latest = order;
    if (order.due_minor === null) return renew(place);
    try {
      const { items } = await ask("/api/credits?limit=100&order_id=" + encodeURIComponent(id));
      renew(place, section(t.title, notes(items), h("p.group", creditButton(), payButton())));
    } catch (problem) {
      renew(place, section(t.title, h("p.empty", { role: "alert" }, explain(problem))));
    }
  }

  /** How much of the bill has not been credited. */
  const rest = () => latest.total_minor - latest.credits.reduce((sum, each) => sum + each.amount_minor, 0);

  const creditButton = () => rest() > 0 && may("money") && h("button.button.small", { onclick: credit }, t.add);

  /** Where nobody else pays it: a bill that waits, without a hold, or with one whose capture was refused. */
  const payButton = () =>
    latest.state === "Settled" &&
    !latest.settlement.flagged &&
    [undefined, "CaptureRefused"].includes(latest.payment?.state) &&
    may("money") &&
    h("button.button.small", { onclick: enterPayment }, t.pay);

  async function enterPayment() {
    const { due_minor } = latest;
    const amount = moneyOf(due_minor, latest);
    const paid = await formDialog({
      title: t.payTitle(amount),
      body: t.payText,
      action: t.payAction,
      submit: () => ask(path + "/payment", { method: "POST", body: { amount_minor: due_minor, method: "test" } }),
    });
    if (!paid) return;
    update(paid);
    notice(t.payDone(amount));
  }

  async function credit() {
    await loadCurrencies();
    const order = latest;
    const left = rest();
    const most = moneyOf(left, order);
    const minor = (text) => units(text, digitsOf(order.currency));
    const key = crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16))).join("-");
    const made = await formDialog({
      id: "credit",
      title: t.dialog,
      body: t.text(most, order.payment?.captured_minor ? "captured" : order.state),
      fields: [
        {
          name: "amount_minor",
          label: t.amount(order.currency),
          control: h("input", { inputmode: "decimal", size: "10" }),
          check: (text) => (minor(text) > 0 && minor(text) <= left ? null : t.amountWrong(most)),
        },
        {
          name: "reason",
          label: t.why,
          control: h("input", { maxlength: String(WHY_MAX) }),
          check: (text) => (text ? null : t.whyMissing),
        },
      ],
      action: t.action,
      submit: ({ amount_minor, reason }) =>
        ask(path + "/credits", {
          method: "POST",
          headers: { "Idempotency-Key": key },
          body: { amount_minor: minor(amount_minor), reason },
        }),
    });
    if (!made) return;
    notice(t.done(moneyOf(made.amount_minor, made)));
    known = "";
    update(await ask(path));
  }

  return Object.assign(() => {}, { update });
}

function notes(items) {
  const columns = [names.when, figures(names.amount), names.why, t.by];
  const rows = items.map((each) => [when(each.created_at), moneyOf(each.amount_minor, each), each.reason, whoWords(each.actor)]);
  return table(t.title, columns, rows, t.none);
}
