// A board's MicroPython: its raw REPL (MicroPython's reference, "The MicroPython Interactive Interpreter Mode"), and the
// files that it reads and writes.

import { Line } from "./board-port.js";
import { Trouble } from "./board-trouble.js";

const ENTER_TRIES = 4;
const ENTER_MS = 1_500;
const ANSWER_MS = 2_000;
const WORK_MS = 30_000; // the longest that one piece of code may take
const CHUNK_BYTES = 768; // of a file, in one piece of code

/** Why a board that prints `heard` is not at MicroPython's prompt. */
export function diagnosis(heard) {
  if (/invalid header: 0x|No bootable app|flash read err|ets_main\.c/.test(heard)) return new Trouble("NoProgram");
  if (/waiting for download/.test(heard)) return new Trouble("DownloadMode");
  const crash = /Guru Meditation Error: [^\r\n]+|abort\(\) was called[^\r\n]*|assert failed: [^\r\n]+/.exec(heard);
  if (crash) return new Trouble("Crashed", { what: crash[0].trim() });
  return heard.trim() ? new Trouble("AnotherProgram", { last: lastLine(heard) }) : new Trouble("Silent");
}

/** The last line that can be read. */
function lastLine(text) {
  const lines = text.replace(/[^\x20-\x7e\n]/g, "").split("\n");
  return (lines.map((line) => line.trim()).filter(Boolean).pop() ?? "").slice(-120);
}

export class Board {
  #line;

  constructor(line) {
    this.#line = line;
  }

  /** Open `port`, and interrupt what runs there, which opens the relay as it ends. Throws Trouble. */
  static async on(port, tries = ENTER_TRIES) {
    const line = new Line(port);
    await line.open();
    try {
      const board = new Board(line);
      await board.#enter(tries);
      return board;
    } catch (error) {
      await line.close();
      throw error;
    }
  }

  async #enter(tries) {
    for (let i = 0; i < tries; i++) {
      await this.#line.write("\r\x03\x03");
      await this.#line.write("\r\x01");
      if ((await this.#line.until("raw REPL; CTRL-B to exit\r\n>", ENTER_MS)) !== null) return;
      // What a chip's own bootloader says, and a crash, need no second look.
      if (!["Silent", "AnotherProgram"].includes(diagnosis(this.#line.heard).code)) break;
    }
    throw diagnosis(this.#line.heard);
  }

  get line() {
    return this.#line;
  }

  close() {
    return this.#line.close();
  }

  /** Run `code`; returns what it printed. Throws Trouble. */
  async run(code, ms = WORK_MS) {
    await this.#send(code);
    const output = await this.#line.until("\x04", ms);
    const failure = output === null ? null : await this.#line.until("\x04>", ANSWER_MS);
    if (failure === null) throw this.#lostIt();
    if (failure) {
      if (/ENOSPC|OSError: 28\b/.test(failure)) throw new Trouble("Full");
      throw new Trouble("BoardFailed", { what: lastLine(failure) });
    }
    return fromUtf8(output);
  }

  /** In raw-paste mode, in which the board says how much it can take. */
  async #send(code) {
    const line = this.#line;
    line.waiting = "";
    await line.write("\x05A\x01");
    if ((await line.characters(2, ANSWER_MS)) !== "R\x01") throw this.#lostIt();
    const size = await line.characters(2, ANSWER_MS);
    if (size === null) throw this.#lostIt();
    const more = size.charCodeAt(0) | (size.charCodeAt(1) << 8);
    const bytes = toUtf8(code);
    let room = more;
    for (let at = 0; at < bytes.length; ) {
      while (!room || line.waiting) {
        const said = await line.characters(1, ANSWER_MS);
        if (said !== "\x01") throw this.#lostIt();
        room += more;
      }
      const piece = bytes.slice(at, at + room);
      await line.write(piece);
      room -= piece.length;
      at += piece.length;
    }
    await line.write("\x04");
    if ((await line.until("\x04", ANSWER_MS)) === null) throw this.#lostIt();
  }

  /** The board does not answer as a raw REPL does any more. */
  #lostIt() {
    const found = diagnosis(this.#line.waiting);
    return found.code === "AnotherProgram" || found.code === "Silent" ? new Trouble("NoAnswer") : found;
  }

  /** The value that a Python expression has there, as JSON carries it. */
  async value(expression, before = "") {
    const printed = await this.run(`import json\n${before}\nprint(json.dumps(${expression}))`);
    try {
      return JSON.parse(printed);
    } catch {
      throw new Trouble("NoAnswer");
    }
  }

  /** {name, version, chip, machine, mpy}: chip as esptool names it, without hyphens; "unix" on a PC. */
  async about() {
    const [name, version, platform, machine, mpy] = await this.value(
      "[s[0], list(s[1])[:3], sys.platform, getattr(s, '_machine', ''), getattr(s, '_mpy', 0)]",
      "import sys\ns = sys.implementation",
    );
    const isPc = platform === "linux" || platform === "darwin";
    const chip = isPc ? "unix" : machine.split(" with ").pop().toLowerCase().replaceAll("-", "");
    return { name, version, chip, machine, mpy: [mpy & 0xff, (mpy >> 8) & 3] };
  }

  /** A file as text of UTF-8; null where there is none. */
  async read(name) {
    const inHex = await this.value(
      "text",
      `import binascii\ntry:\n with open(${quoted(name)}, 'rb') as file:\n  text = binascii.hexlify(file.read()).decode()\nexcept OSError:\n text = None`,
    );
    return inHex === null ? null : fromUtf8((inHex.match(/../g) ?? []).map((pair) => String.fromCharCode(parseInt(pair, 16))).join(""));
  }

  /** Replace a file by a rename. `bytes`: a string of bytes. `progress(count)`: bytes written so far. */
  async write(name, bytes, progress = () => {}) {
    const part = quoted(name + ".new");
    await this.run(`import binascii, os\nfile = open(${part}, 'wb')`);
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const piece = bytes.slice(at, at + CHUNK_BYTES);
      await this.run(`_ = file.write(binascii.a2b_base64('${btoa(piece)}'))`);
      progress(at + piece.length);
    }
    await this.run(`file.close()\nos.rename(${part}, ${quoted(name)})`);
  }

  /** Reset the board without waiting for an answer; on a PC its process ends. */
  async restart() {
    const hasReset = await this.value("hasattr(machine, 'reset')", "import machine");
    if (hasReset) await this.#send("machine.reset()");
    else await this.#line.write("\r\x02\x04");
  }
}

/** A Python literal of a text. */
export const quoted = (text) => JSON.stringify(text);

/** The bytes of a text in UTF-8, as a string of bytes; and back. */
export const toUtf8 = (text) => Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
export const fromUtf8 = (bytes) => new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
