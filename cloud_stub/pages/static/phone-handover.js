// A running order handed to another phone: a code to scan, and a link to send. Both hold the order's token.

import { h } from "./dom.js";
import { t } from "./phone-say.js";
import { my, orderPath } from "./phone-state.js";
import { request } from "./api.js";

/** Where the order opens on another phone. The token stands after the #, which no server sees. */
const address = () => `${location.origin}/p/${my.order.device_id}?order=${my.order.order_id}#${my.token}`;

/** w: the words of phone-handover.<language>.js */
export async function handOver(w) {
  const said = h("p.muted", { role: "status" });
  const code = h("p.muted", w.loading);
  const close = () => (dialog.close(), dialog.remove());
  const send = async () => {
    try {
      if (navigator.share) await navigator.share({ title: t.brand, url: address() });
      else await navigator.clipboard.writeText(address());
      if (!navigator.share) said.textContent = w.copied;
    } catch (error) {
      if (error.name !== "AbortError") said.textContent = address(); // to copy by hand
    }
  };
  const dialog = h(
    "dialog.card.handover",
    { "aria-labelledby": "handover-title", onclose: () => dialog.remove() },
    h("h2", { id: "handover-title" }, w.title),
    h("p", w.text),
    code,
    said,
    h("div.row", h("button.button.primary", { id: "send-link", onclick: send }, w.send), h("button.button", { onclick: close }, w.close))
  );
  document.body.append(dialog);
  dialog.showModal();
  try {
    const svg = await request(orderPath("/code.svg"), { token: my.token }, answer => answer.text());
    code.replaceWith(h("img.code", { src: "data:image/svg+xml," + encodeURIComponent(svg), alt: w.code }));
  } catch {
    code.textContent = w.noCode;
  }
}
