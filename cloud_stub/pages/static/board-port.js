// A board's serial line as text to wait for, over Web Serial's SerialPort. A character is a byte.

import { Trouble } from "./board-trouble.js";

export const BAUD = 115_200;
const BUFFER_BYTES = 16_384;
const KEPT_CHARS = 65_536; // of what the board has printed
const HARMLESS = ["BufferOverrunError", "BreakError", "FramingError", "ParityError"]; // the next bytes can be read

/** Whether this browser has serial ports, and gives them to this page. */
export const isOffered = () => "serial" in navigator;

/** The port that the person chooses; null where that one chooses none. Call it from a click. Throws Trouble. */
export async function choosePort() {
  try {
    return await navigator.serial.requestPort();
  } catch (error) {
    if (error.name === "NotFoundError") return null;
    throw new Trouble("PortRefused");
  }
}

/** Restart the chip as its USB adapter does it: RTS pulls its reset line, DTR its boot pin, which stays free. */
export async function reset(port) {
  await port.setSignals({ dataTerminalReady: false, requestToSend: true });
  await pause(100);
  await port.setSignals({ dataTerminalReady: false, requestToSend: false });
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Line {
  /** What came and was not taken yet. */
  waiting = "";
  /** The end of all that came. */
  heard = "";
  /** Is called with `heard` whenever something came. */
  onHeard = () => {};
  #port;
  #wake = () => {};
  #reader = null;
  #isOpen = false;
  #reading = null;

  constructor(port) {
    this.#port = port;
  }

  /** Throws Trouble (PortBusy). */
  async open() {
    try {
      await this.#port.open({ baudRate: BAUD, bufferSize: BUFFER_BYTES });
    } catch (error) {
      throw new Trouble("PortBusy", { why: error.message });
    }
    this.#isOpen = true;
    this.#reading = this.#read();
  }

  async close() {
    this.#isOpen = false;
    await this.#reader?.cancel().catch(() => {});
    await this.#reading;
    await this.#port.close().catch(() => {}); // an unplugged port is closed already
  }

  get port() {
    return this.#port;
  }

  async #read() {
    while (this.#isOpen && this.#port.readable) {
      this.#reader = this.#port.readable.getReader();
      try {
        for (;;) {
          const { value, done } = await this.#reader.read();
          if (done) break;
          this.#take(value);
        }
      } catch (error) {
        if (!HARMLESS.includes(error.name)) this.#isOpen = false;
      } finally {
        this.#reader.releaseLock();
      }
    }
    this.#isOpen = false;
    this.#wake();
  }

  #take(bytes) {
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    this.waiting = (this.waiting + text).slice(-KEPT_CHARS);
    this.heard = (this.heard + text).slice(-KEPT_CHARS);
    this.onHeard(this.heard);
    this.#wake();
  }

  /** Throws Trouble (Unplugged). */
  async write(text) {
    if (!this.#isOpen || !this.#port.writable) throw new Trouble("Unplugged");
    const writer = this.#port.writable.getWriter();
    try {
      await writer.write(Uint8Array.from(text, (char) => char.charCodeAt(0)));
    } catch {
      throw new Trouble("Unplugged");
    } finally {
      writer.releaseLock();
    }
  }

  /**
   * Take what comes up to `mark` or the RegExp `mark`; returns what was before it, null where it has not come
   * after `ms`. Throws Trouble (Unplugged).
   */
  async until(mark, ms) {
    const end = performance.now() + ms;
    for (;;) {
      const found = mark instanceof RegExp ? mark.exec(this.waiting) : { 0: mark, index: this.waiting.indexOf(mark) };
      if (found && found.index >= 0) {
        const before = this.waiting.slice(0, found.index);
        this.waiting = this.waiting.slice(found.index + found[0].length);
        return before;
      }
      if (!this.#isOpen) throw new Trouble("Unplugged");
      const left = end - performance.now();
      if (left <= 0) return null;
      await this.#change(left);
    }
  }

  /** Take `count` characters; null where fewer came in `ms`. Throws Trouble (Unplugged). */
  async characters(count, ms) {
    const end = performance.now() + ms;
    while (this.waiting.length < count) {
      if (!this.#isOpen) throw new Trouble("Unplugged");
      const left = end - performance.now();
      if (left <= 0) return null;
      await this.#change(left);
    }
    const taken = this.waiting.slice(0, count);
    this.waiting = this.waiting.slice(count);
    return taken;
  }

  #change(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}
