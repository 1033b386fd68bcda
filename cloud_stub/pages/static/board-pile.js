// A board becomes a pile of this cloud: registered, its key and configuration written. As tools/board/provision does it.
//
// The cloud tells a key once. Until the board has it, it is kept in this browser, so that an interruption loses no key.

import { Problem } from "./api.js";
import { quoted, toUtf8 } from "./board-repl.js";
import { Trouble } from "./board-trouble.js";
import { ask } from "./console-session.js";

const CONFIG = "config.json";
const CA = "ca.pem";
const PSRAM_BYTES = 1_000_000; // gc.mem_free() of a chip without PSRAM is below
const TOO_SMALL = ["esp32"]; // for the firmware in files together with TLS: docs/hardware.md, "Heap"
const PLACE = "ratelock.board."; // of kept keys, with the pile's id behind it

/** The board's config.json; {} where it has none. */
export async function present(board) {
  try {
    const values = JSON.parse((await board.read(CONFIG)) ?? "{}");
    return values?.constructor === Object ? values : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/**
 * The id under which the board has a journal with orders that this change could cut off from their cloud; null where
 * there is none.
 */
export async function endangered(board, before, deviceId) {
  const changesKey = before.device_id === deviceId && keptKey(deviceId) !== null && before.key !== keptKey(deviceId);
  if (!before.device_id || (before.device_id === deviceId && !changesKey)) return null;
  const names = await board.value("names", "import os\ntry:\n names = os.listdir('flash')\nexcept OSError:\n names = []");
  return names.some((name) => name.startsWith("order-") || name.startsWith("out-")) ? before.device_id : null;
}

/**
 * Write what makes the board a pile. wanted: {device_id, name, connectors, host, port, ca, ssid, password}; ca: PEM or "";
 * isNewKey: a registered pile gets a new key, and its old one ends. Throws Trouble, Problem.
 */
export async function provision(board, before, chip, wanted, isNewKey) {
  const values = { ...before, device_id: wanted.device_id };
  values.broker = { ...before.broker, host: wanted.host, port: wanted.port };
  if (wanted.ca) values.broker.ca = CA;
  else delete values.broker.ca;
  values.wifi = { ssid: wanted.ssid, password: wanted.password };
  // Everything is checked before the cloud makes a key.
  await check(board, { ...values, key: "0".repeat(64) });
  if (wanted.ca && TOO_SMALL.includes(chip) && (await board.value("gc.mem_free()", "import gc\ngc.collect()")) < PSRAM_BYTES)
    throw new Trouble("NoTls");
  values.key = await keyOf(wanted, before, isNewKey);
  if (wanted.ca) await board.write(CA, toUtf8(wanted.ca));
  await board.write(CONFIG, toUtf8(JSON.stringify(values)));
  const written = await present(board);
  if (written.key !== values.key) throw new Trouble("NotKept", { names: CONFIG });
  localStorage.removeItem(PLACE + wanted.device_id);
}

// Runs on the board: lets it import the modules of its slot, as the launcher does, and relays.py at the root.
const USE_FIRMWARE = `
import sys
if sys.path[0] not in ("a", "b"):
    with open("slots.state") as _file:
        sys.path.insert(0, _file.read(3)[2:])
if "" not in sys.path:
    sys.path.append("")
`;

/** Let the firmware on the board judge a configuration. */
async function check(board, values) {
  const refused = await board.value(
    "refused",
    `${USE_FIRMWARE}import config\nrefused = None\ntry:\n config.check(json.loads(${quoted(JSON.stringify(values))}))\nexcept Exception as error:\n refused = str(error)`,
  );
  if (refused !== null) throw new Trouble("Refused", { why: refused });
}

const keptKey = (deviceId) => localStorage.getItem(PLACE + deviceId);

/** The pile's key: kept from an interrupted attempt, on the board already, or made by the cloud. */
async function keyOf({ device_id, name, connectors }, before, isNewKey) {
  const isOfBoard = before.device_id === device_id && /^[0-9a-f]{64}$/.test(before.key ?? "");
  if (!isNewKey) {
    const kept = keptKey(device_id);
    if (kept) return kept;
    if (isOfBoard && (await isKnown(device_id))) return before.key;
  }
  try {
    const { key } = isNewKey
      ? await ask(`/api/piles/${encodeURIComponent(device_id)}/key`, { method: "POST", body: { new_board: !isOfBoard } })
      : await ask("/api/piles", { method: "POST", body: { device_id, name, connectors } });
    localStorage.setItem(PLACE + device_id, key);
    return key;
  } catch (problem) {
    if (problem.code === "PileExists" && problem.members.removed_at === null) throw new Trouble("PileExists", { id: device_id });
    throw problem;
  }
}

async function isKnown(deviceId) {
  try {
    await ask(`/api/piles/${encodeURIComponent(deviceId)}/report`);
    return true;
  } catch (problem) {
    if (problem instanceof Problem && problem.code === "UnknownPile") return false;
    throw problem;
  }
}
