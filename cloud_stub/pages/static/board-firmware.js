// The firmware onto a board: what has changed of it, compared on the board. As tools/board/deploy does it.

import { quoted } from "./board-repl.js";
import { Trouble } from "./board-trouble.js";

const MAIN = "main.py"; // starts the firmware: gone first and back last, so that no mixture of old and new runs

// Runs on the board: sha256 of each file, null for one that is not there.
const HASHES = `
import binascii, hashlib
def _hash(name):
    digest = hashlib.sha256()
    block = bytearray(256)
    try:
        with open(name, "rb") as file:
            while True:
                count = file.readinto(block)
                if not count:
                    return binascii.hexlify(digest.digest()).decode()
                digest.update(memoryview(block)[:count])
    except OSError:
        return None
`;
// Makes the folders of these files; removes sources that would be imported in place of their compiled twins; tells
// which modules are hidden by a folder of their name.
const PREPARE = `
import os
def _kind(name):
    try:
        return os.stat(name)[0]
    except OSError:
        return 0
def _prepare(names):
    hidden = []
    for name in names:
        parts = name.split("/")
        for i in range(1, len(parts)):
            if not _kind("/".join(parts[:i])):
                os.mkdir("/".join(parts[:i]))
        if name.endswith(".mpy"):
            if _kind(name[:-4]) & 0x4000:
                hidden.append(name[:-4])
            elif _kind(name[:-4] + ".py"):
                os.remove(name[:-4] + ".py")
    return hidden
`;

const dotted = (numbers) => numbers.join(".");

/** Throws Trouble where a board has no MicroPython, or one that is too old for a package. */
export function checkVersion(about, { micropython }) {
  if (about.name !== "micropython") throw new Trouble("NotMicroPython", { name: about.name });
  const differs = micropython.findIndex((number, i) => number !== about.version[i]);
  if (differs >= 0 && about.version[differs] < micropython[differs])
    throw new Trouble("TooOld", { present: dotted(about.version), needed: dotted(micropython) });
}

/** Throws Trouble where a board's MicroPython runs other compiled files than a package has. */
export function checkMpy(about, { mpy }) {
  if (dotted(about.mpy) !== dotted(mpy)) throw new Trouble("OtherMpy", { present: dotted(about.mpy), needed: dotted(mpy) });
}

/** Copy what differs of `files` ([{name, content}] in base64). `progress(part)`. Returns how many differed. Throws Trouble. */
export async function deploy(board, files, progress) {
  const wanted = new Map();
  for (const file of files) {
    const bytes = atob(file.content);
    wanted.set(file.name, { bytes, digest: await sha256(bytes) });
  }
  const names = [...wanted.keys()];
  const hidden = await board.value(`_prepare(${list(names)})`, PREPARE);
  if (hidden.length) throw new Trouble("Hidden", { name: hidden[0] });
  const present = await hashes(board, names);
  const changed = names.filter((name) => present[name] !== wanted.get(name).digest);
  const todo = new Set(changed);
  if (changed.length && wanted.has(MAIN)) {
    if (present[MAIN] !== null) await board.run(`import os\nos.remove(${quoted(MAIN)})`);
    todo.add(MAIN);
  }
  const order = [...todo].sort((a, b) => rank(a) - rank(b));
  const total = order.reduce((sum, name) => sum + wanted.get(name).bytes.length, 0);
  let done = 0;
  for (const name of order) {
    const { bytes } = wanted.get(name);
    if (name === MAIN) await compare(board, wanted, names.filter((each) => each !== MAIN));
    await board.write(name, bytes, (count) => progress((done + count) / total));
    done += bytes.length;
  }
  await compare(board, wanted, names);
  progress(1);
  return changed.length;
}

// relays.py and boot.py open the relays, and boot.py needs the other.
const FIRST = ["relays.py", "boot.py"];
const rank = (name) => (name === MAIN ? 9 : FIRST.includes(name) ? FIRST.indexOf(name) : 8);

const list = (names) => JSON.stringify(names);

const hashes = async (board, names) => board.value(`{name: _hash(name) for name in ${list(names)}}`, HASHES);

async function compare(board, wanted, names) {
  const arrived = await hashes(board, names);
  const broken = names.filter((name) => arrived[name] !== wanted.get(name).digest);
  if (broken.length) throw new Trouble("NotKept", { names: broken.join(", ") });
}

async function sha256(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
