// The page that makes a pile of a board: five steps, each of which may be repeated. Nothing that it does is lost by
// beginning again.

import { Problem } from "./api.js";
import { h, show } from "./dom.js";
import { checkMpy, checkVersion, deploy } from "./board-firmware.js";
import { flash, judged } from "./board-image.js";
import { endangered, present, provision } from "./board-pile.js";
import { choosePort, isOffered } from "./board-port.js";
import { openForm, readForm } from "./board-form.js";
import { Board } from "./board-repl.js";
import { waitForPile } from "./board-ready.js";
import { Trouble } from "./board-trouble.js";
import { ask } from "./console-session.js";
import { languageButton, words } from "./say.js";

const AFTER_FLASH_TRIES = 8; // the first start makes a file system
const LINES_SHOWN = 14;
// After these the port is opened again.
const LINE_TROUBLES = ["Unplugged", "Silent", "NoProgram", "DownloadMode", "Crashed", "AnotherProgram", "NoAnswer"];

const t = await words("board-words");

let port = null;
let board = null; // a Board while its prompt is held
let listening = null; // the Line of a board that was restarted
let about = null; // of its MicroPython
let config = {}; // as the board had it
let cloud = { items: [], broker: null, ca: null };
let isBusy = false;
let waits = 0;

// -- what the steps are made of

const steps = {};
const printed = h("pre", { tabindex: "0", "aria-label": t.prints });
const printedBox = h("details.card.printed", { hidden: true }, h("summary", t.prints), printed);

function step(number, name, title, ...content) {
  const note = h("div.note", { role: "status" });
  const bar = h("progress", { max: "1", value: "0", hidden: true, "aria-label": title });
  const section = h("section.card.step", { id: name }, h("h2", h("span.mark", String(number)), title), content, bar, note);
  steps[name] = { section, note, bar };
  return section;
}

const say = (name, ...content) => show(steps[name].note, ...content);
const good = (text) => h("p.good", text);
const bad = ([what, todo], ...more) => h("div.bad", { role: "alert" }, h("strong", what), h("p", todo), more);

function progress(name) {
  steps[name].bar.hidden = false;
  return (part) => (steps[name].bar.value = part);
}

/** Run one step; buttons wait meanwhile, and its trouble becomes a sentence. Returns whether it went well. */
async function work(name, job) {
  if (isBusy) return false;
  isBusy = true;
  say(name, h("p.muted", t.working));
  update();
  try {
    await job();
    return true;
  } catch (error) {
    if (LINE_TROUBLES.includes(error.code)) await letGo();
    const renew = () => h("button.button", { type: "button", onclick: () => writePile(true, true) }, t.pile.renew);
    say(name, bad(explained(error), error.code === "PileExists" && error instanceof Trouble && renew()));
    return false;
  } finally {
    steps[name].bar.hidden = true;
    isBusy = false;
    update();
  }
}

/** [what, what to do] of whatever was thrown; a mistake of this page is thrown on. */
function explained(error) {
  if (error instanceof Trouble) return t.troubles[error.code](error.facts);
  if (!(error instanceof Problem)) throw error;
  return (t.troubles[error.code] ?? t.troubles.Cloud)({ why: error.message });
}

/** The board's prompt, reached again where it was left. Throws Trouble. */
async function atPrompt(tries) {
  if (board) return;
  await letGo();
  board = await Board.on(port, tries);
}

async function letGo() {
  waits++; // who waits for the pile stops waiting
  await (board?.line ?? listening)?.close();
  board = listening = null;
}

function hear(heard) {
  printedBox.hidden = false;
  const lines = heard.replace(/[^\x20-\x7e\n]/g, "").split("\n");
  printed.textContent = lines.slice(-LINES_SHOWN).join("\n");
}

// -- the steps

async function connect() {
  await work("port", async () => {
    const chosen = await choosePort();
    if (!chosen) return say("port");
    await letGo();
    port = chosen;
    await meet();
  });
}

/** Learn what runs on the board at `port`. Throws Trouble. */
async function meet(tries) {
  about = null;
  await atPrompt(tries);
  const found = await board.about();
  if (cloud.items.length) checkVersion(found, cloud.items[0]);
  about = found;
  config = await present(board);
  const named = about.machine || about.chip;
  say("port", good(t.port.found(named, about.version.join("."))), config.device_id && h("p", t.port.was(config.device_id)));
  fitForm(config);
}

async function writeImage() {
  const file = document.getElementById("image-file").files[0];
  const isErasing = document.getElementById("erase").checked;
  const isWritten = await work("image", async () => {
    const image = new Uint8Array(await file.arrayBuffer());
    judged(image);
    await letGo();
    about = null;
    await flash(port, image, isErasing, progress("image"));
    say("image", good(t.image.done));
  });
  if (isWritten) await work("port", () => meet(AFTER_FLASH_TRIES));
}

async function writeFirmware() {
  const name = document.getElementById("board").value;
  await work("firmware", async () => {
    const chosen = await ask(`/api/boards/${encodeURIComponent(name)}`);
    checkMpy(about, chosen);
    await atPrompt();
    const count = await deploy(board, chosen.files, progress("firmware"));
    say("firmware", good(t.firmware.done(count)));
  });
}

/** isSure: also where the board has orders of another pile; isNewKey: also where the pile is registered. */
async function writePile(isSure, isNewKey) {
  let hasAsked = false;
  const isWritten = await work("pile", async () => {
    const wanted = await readForm(cloud.ca);
    await atPrompt();
    const other = isSure ? null : await endangered(board, config, wanted.device_id);
    if (other) {
      hasAsked = true;
      const go = h("button.button", { type: "button", onclick: () => writePile(true, isNewKey) }, t.pile.go);
      return say("pile", bad(t.pile.endangered(other), go));
    }
    await provision(board, config, about.chip, wanted, isNewKey);
    config = { device_id: wanted.device_id };
    say("pile", good(t.pile.done(wanted.device_id)));
    listening = board.line;
    listening.onHeard = hear;
    await board.restart().catch(() => {}); // a chip with its own USB takes its port along
    board = null;
  });
  if (isWritten && !hasAsked) await finish(config.device_id);
}

/** Meanwhile every step may be repeated. */
async function finish(id) {
  const mine = ++waits;
  steps.ready.section.hidden = false;
  steps.ready.section.scrollIntoView({ block: "nearest" });
  const isCurrent = () => mine === waits;
  try {
    await waitForPile(t, id, isCurrent, bad, (...content) => say("ready", ...content));
  } catch (error) {
    if (isCurrent()) say("ready", bad(explained(error)));
  }
}

// -- the page

function update() {
  const fitting = about ? cloud.items.filter((each) => each.chip === about.chip) : [];
  const set = (id, isPossible) => (document.getElementById(id).disabled = isBusy || !isPossible);
  set("choose", true);
  document.getElementById("choose").textContent = port ? t.port.another : t.port.choose;
  set("write-image", port !== null);
  set("write-firmware", fitting.length > 0);
  set("write-pile", about !== null);
  document.getElementById("enough").hidden = !about;
  if (port && !isBusy) document.getElementById("image-details").open = !about;
  const select = document.getElementById("board");
  if (about && select.dataset.chip !== about.chip) {
    select.dataset.chip = about.chip;
    show(select, fitting.map((each) => h("option", { value: each.board }, t.firmware.option(each))));
    say("firmware", !fitting.length && h("p.warn", t.firmware.none(about.chip)));
  }
}

function fitForm(values) {
  for (const [id, value] of [
    ["device-id", values.device_id],
    ["ssid", values.wifi?.ssid],
    ["broker", values.broker?.host && `${values.broker.host}:${values.broker.port}`],
  ])
    if (value) document.getElementById(id).value = value;
}

async function draw() {
  document.title = `${t.title} · RateLock`;
  const header = h(
    "header",
    h("a.brand", { href: "/console" }, h("span.brand-mark", { "aria-hidden": "true" }), t.back),
    languageButton(t.other, () => location.reload()),
  );
  const main = h("main", h("h1", t.title), h("p.muted", t.intro));
  show(document.body, header, main);
  if (!window.isSecureContext) return main.append(h("section.card", bad(t.notSecure)));
  if (!isOffered()) return main.append(h("section.card", bad(t.noSerial)));
  try {
    cloud = await ask("/api/boards");
  } catch (error) {
    const isOut = error.code === "Unauthorized";
    return main.append(h("section.card", bad(explained(error), isOut && h("a", { href: "/console" }, t.loginLink))));
  }
  main.append(
    step(1, "port", t.port.title, h("p", t.port.text), h("button.button.primary", { id: "choose", type: "button", onclick: connect }, t.port.choose)),
    step(
      2,
      "image",
      t.image.title,
      h("p.good", { id: "enough", hidden: true }, t.image.enough),
      h(
        "details",
        { id: "image-details" },
        h("summary", t.image.another),
        h("p", t.image.text),
        h(
          "form",
          { onsubmit: (event) => (event.preventDefault(), writeImage()) },
          h("label", { for: "image-file" }, t.image.file),
          h("input", { id: "image-file", type: "file", accept: ".bin", required: true }),
          h("label.check", h("input", { id: "erase", type: "checkbox" }), h("span", t.image.erase)),
          h("button.button", { id: "write-image" }, t.image.write),
        ),
      ),
    ),
    step(
      3,
      "firmware",
      t.firmware.title,
      h("p", t.firmware.text),
      h("label", { for: "board" }, t.firmware.board),
      h("select", { id: "board" }),
      h("button.button.primary", { id: "write-firmware", type: "button", onclick: writeFirmware }, t.firmware.write),
    ),
    step(4, "pile", t.pile.title, h("p", t.pile.text), openForm(t, cloud, () => writePile(false, false))),
    step(5, "ready", t.ready.title),
    printedBox,
    h("footer.muted", t.licences, " ", h("a", { href: new URL("esptool-licences.txt", import.meta.url).href }, t.licencesLink)),
  );
  steps.ready.section.hidden = true;
  if (!cloud.items.length) say("firmware", bad(t.troubles.NoPackages()));
  update();
}

addEventListener("beforeunload", (event) => {
  if (isBusy) event.preventDefault(); // the browser asks in its own words
});
await draw();
