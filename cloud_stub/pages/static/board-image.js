// A MicroPython image of the maker's download page, and how it gets onto a chip: esptool-js does that, Espressif's own.

import { BAUD, pause, reset } from "./board-port.js";
import { Trouble } from "./board-trouble.js";

// ESP-IDF, "Firmware Image Format" and "Application Description", as in tools/board/flash.py.
const MAGIC = 0xe9;
const CHIP_ID_AT = 12;
const APP_AT = 32; // an application has this here, a bootloader has not
const APP_MAGIC = [0x32, 0x54, 0xcd, 0xab];
// Chip id: esptool's name of it, and where its ROM looks for the bootloader.
const CHIPS = { 0: ["esp32", 0x1000], 5: ["esp32c3", 0], 9: ["esp32s3", 0] };
const FAST_BAUD = 460_800;
const CONNECT_TRIES = 4;
const CLOSE_MS = 3_000;

/** {chip, address} of an image. Throws Trouble. */
export function judged(image) {
  if (image.length < APP_AT + 4 || image[0] !== MAGIC) throw new Trouble("NoImage");
  if (APP_MAGIC.every((byte, i) => image[APP_AT + i] === byte)) throw new Trouble("UpdateImage");
  const found = CHIPS[image[CHIP_ID_AT] | (image[CHIP_ID_AT + 1] << 8)];
  if (!found) throw new Trouble("ForeignImage");
  return { chip: found[0], address: found[1] };
}

/**
 * Write an image (Uint8Array) onto the chip at `port`, which is closed, and start it. `erase`: empty the whole flash
 * first. `progress(part)`: from 0 to 1. Throws Trouble.
 */
export async function flash(port, image, erase, progress) {
  const { chip, address } = judged(image);
  const { ESPLoader, Transport } = await import("./esptool.js").catch(() => {
    throw new Trouble("NoFlasher");
  });
  const transport = new Transport(port);
  let isGone = false;
  const onGone = () => (isGone = true);
  port.addEventListener("disconnect", onGone);
  let stage = "NoBootloader";
  try {
    const terminal = { clean: () => {}, write: () => {}, writeLine: () => {} };
    const loader = new ESPLoader({ transport, baudrate: FAST_BAUD, romBaudrate: BAUD, terminal });
    await loader.detectChip("default_reset", CONNECT_TRIES);
    stage = "FlashFailed";
    const present = loader.chip.CHIP_NAME.toLowerCase().replaceAll("-", "");
    if (present !== chip) throw new Trouble("WrongImage", { image: chip, board: present });
    await loader.runStub();
    await loader.changeBaud();
    await loader.writeFlash({
      fileArray: [{ data: image, address }],
      flashMode: "keep",
      flashFreq: "keep",
      flashSize: "keep",
      eraseAll: erase,
      compress: true,
      reportProgress: (_, written, total) => progress(written / total),
    });
    await reset(port);
  } catch (error) {
    if (error instanceof Trouble) throw error;
    if (isGone || !port.readable) throw new Trouble("Unplugged");
    if (error.name === "InvalidStateError" || error.name === "NetworkError") throw new Trouble("PortBusy", { why: error.message });
    throw new Trouble(stage, { why: error.message });
  } finally {
    port.removeEventListener("disconnect", onGone);
    // It waits for its own streams, which a port that failed may never give back.
    await Promise.race([transport.disconnect().catch(() => {}), pause(CLOSE_MS)]);
  }
}
