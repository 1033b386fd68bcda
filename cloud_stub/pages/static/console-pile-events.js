// The latest events of a pile.

import { renew } from "./console-keep.js";
import { h, section, when } from "./console-parts.js";
import { poll } from "./console-session.js";
import { eventWords } from "./console-words.js";
import { words } from "./say.js";

const t = (await words("console-words-piles")).events;
const EVERY_MS = 2000;
const SHOWN = 10;

export function open(place, { id, fail }) {
  const body = h("div");
  place.append(section(t.title, body));
  const path = `/api/events?limit=${SHOWN}&device_id=${encodeURIComponent(id)}`;
  return poll(path, EVERY_MS, ({ items }) => drawEvents(body, items), fail);
}

function drawEvents(root, items) {
  if (!items.length) return renew(root, h("p.empty", t.none));
  renew(
    root,
    h(
      "ol.events",
      items.map((each) => {
        const [text, tone] = eventWords(each);
        return h(
          "li",
          h("span", { class: "dot " + tone, "aria-hidden": "true" }),
          h(
            "div",
            h("p", text),
            h(
              "p.muted.small",
              when(each.at),
              each.order_id
                ? [" · ", h("a", { href: "#/orders/" + encodeURIComponent(each.order_id) }, t.order(each.order_id.slice(-8)))]
                : null,
            ),
          ),
        );
      }),
    ),
  );
}
