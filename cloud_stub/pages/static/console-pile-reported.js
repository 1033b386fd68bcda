// What a pile reports of itself, beside its page.

import { renew } from "./console-keep.js";
import { facts, h, here, isTight, kb, section, when } from "./console-parts.js";
import { words } from "./say.js";

const common = await words("console-words");
const all = await words("console-words-piles");
const t = all.reported;
const WEAK_DBM = -80; // below it, packets begin to get lost

export function open(place) {
  const body = h("div");
  place.append(section(t.title, body));
  const end = () => {};
  end.update = (pile) => drawReported(body, pile);
  return end;
}

function drawReported(root, pile) {
  const said = pile.reported ?? {};
  const warn = (text, bad) => (bad ? h("span.fault", text) : text);
  renew(
    root,
    facts([
      [common.names.id, h("span.mono", pile.device_id)],
      [t.seen, pile.last_seen_at ? here.instant(pile.last_seen_at) : common.never],
      [t.firmware, said.firmware],
      [t.clock, said.clock && warn(all.clocks[said.clock] ?? said.clock, said.clock === "Unset")],
      [t.heap, said.heap_free_bytes === undefined ? null : kb(said.heap_free_bytes)],
      [t.heapLeast, said.heap_min_free_bytes === undefined ? null : warn(kb(said.heap_min_free_bytes), isTight(said.heap_min_free_bytes))],
      [
        t.outbox,
        said.outbox === undefined ? null : warn(said.outbox_full ? t.outboxFull(said.outbox) : String(said.outbox), said.outbox_full),
      ],
      [t.dropped, said.dropped === undefined ? null : String(said.dropped)],
      [t.damaged, said.damaged === undefined ? null : warn(String(said.damaged), said.damaged > 0)],
      [t.uptime, said.uptime_s === undefined ? null : here.clock(said.uptime_s)],
      [t.reset, said.reset_cause && (t.resets[said.reset_cause] ?? said.reset_cause)],
      [t.boots, said.boots === undefined ? null : String(said.boots)],
      [t.recoveries, said.recoveries === undefined ? null : String(said.recoveries)],
      [t.signal, said.wifi_rssi_dbm === undefined ? null : warn(`${said.wifi_rssi_dbm} dBm`, said.wifi_rssi_dbm < WEAK_DBM)],
      [t.ram, said.ram_free_bytes === undefined ? null : kb(said.ram_free_bytes)],
      [t.ramLeast, said.ram_min_free_bytes === undefined ? null : kb(said.ram_min_free_bytes)],
      [t.late, said.late_max_ms === undefined ? null : `${said.late_max_ms} ms`],
      [
        common.names.rate,
        pile.rate_id && h("a.mono", { href: "#/piles/" + encodeURIComponent(pile.device_id) + "/rate" }, "…" + pile.rate_id.slice(-8)),
      ],
      [t.registered, when(pile.created_at)],
    ]),
    pile.reported ? null : h("p.muted", t.nothing),
  );
}
