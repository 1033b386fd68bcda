// The events of one order, as the cloud sends them.

import { heard } from "./phone-state.js";

const REOPEN_MS = 2_000;
let source = null;

/**
 * Follow the events at `address` instead of those before. on.order and on.meter get each event's content, on.draw is
 * called after it, on.broken when the connection breaks.
 */
export function follow(address, on) {
  unfollow();
  const opened = new EventSource(address);
  source = opened;
  for (const name of ["order", "meter"]) {
    opened.addEventListener(name, event => {
      heard();
      on[name](JSON.parse(event.data));
      on.draw();
    });
  }
  opened.onopen = () => {
    heard();
    on.draw();
  };
  opened.onerror = () => {
    // A browser opens a broken stream again by itself, but not one that was refused.
    if (opened.readyState === EventSource.CLOSED) setTimeout(() => source === opened && follow(address, on), REOPEN_MS);
    on.broken();
  };
}

export function unfollow() {
  source?.close();
  source = null;
}
