// The set-up page for boards in English; board-words.zh-CN.js has the same names.

const chips = { esp32: "ESP32", esp32s3: "ESP32-S3", esp32c3: "ESP32-C3" };
const chip = (name) => chips[name] ?? name;
const again = "Then choose the port again.";

export default {
  locale: "en",
  other: { language: "zh-CN", name: "中文" },
  title: "Set up a board",
  intro: "From the box to a charging pile, over a USB cable. Nothing on mains yet.",
  back: "Console",
  chip,
  working: "Working… do not unplug the board.",
  prints: "What the board prints",
  licences: "esptool-js writes the image: © Espressif Systems, Apache License 2.0.",
  licencesLink: "Licences",

  loginLink: "To the console",
  noSerial: [
    "This browser cannot use serial ports",
    "Only Chrome, Edge, Opera and other browsers made from Chromium can, on a PC. Open this page in one of them. Or use the command line: make flash, make deploy, make provision (docs/hardware.md).",
  ],
  notSecure: [
    "The browser allows serial ports only on a secure page",
    "Open this page over https, or on the machine where the cloud runs as http://127.0.0.1. Or use the command line: make flash, make deploy, make provision (docs/hardware.md).",
  ],

  port: {
    title: "Connect",
    text: "Connect the board by USB and choose its serial port. If it is a working pile, it is interrupted and its relay opens.",
    choose: "Choose port",
    another: "Choose port again",
    found: (machine, version) => `${machine}, MicroPython ${version}`,
    was: (id) => `It is configured as ${id}.`,
  },
  image: {
    title: "MicroPython",
    enough: "The board has a MicroPython that is new enough. Nothing to do here.",
    text: "Download the .bin file of your board from MicroPython's download page. The image names its chip, which determines the address.",
    another: "Write a MicroPython image",
    file: "Image (.bin)",
    erase: "Erase the whole board first: its firmware, configuration and journal, with settlements that its cloud has not stored",
    write: "Write MicroPython",
    done: "MicroPython is written. If the port does not come back by itself, choose it again.",
  },
  firmware: {
    title: "Firmware",
    text: "The files of one kind of board. What is on the board already and unchanged is not written again; its configuration and journal stay.",
    board: "Kind of board",
    option: ({ product, board, firmware }) => `${product} (${board}), ${firmware}`,
    none: (name) => `This cloud has no firmware for ${chip(name)}.`,
    write: "Write firmware",
    done: (count) => (count ? `${count} files written, all compared on the board.` : "All files were on the board already."),
  },
  pile: {
    title: "Pile",
    text: "Registers the pile and writes its key straight onto the board. Nobody sees the key.",
    id: "Id of the pile",
    idHint: "3 to 32 letters, digits, - or _. It is printed on the label.",
    name: "Name (where it stands)",
    connectors: "Connectors",
    broker: "Broker (HOST:PORT)",
    brokerHint: "As the pile reaches it from its Wi-Fi.",
    ca: "Certificate of the broker's CA (ca.pem)",
    caHint: "The pile trusts only a broker whose certificate this CA has signed.",
    caGiven: "The connection is encrypted, with the CA of this cloud.",
    unencrypted: "Connect without encryption: only on a network of your own, which nobody else can enter",
    ssid: "Wi-Fi name",
    password: "Wi-Fi password",
    write: "Register and write",
    endangered: (id) => [
      `This board was ${id}, and its journal has orders`,
      `Settlements that the cloud of ${id} has not stored would be lost. Let the board reach its cloud first, or continue if you know that nothing waits.`,
    ],
    go: "Continue anyway",
    renew: "Give it a new key",
    done: (id) => `${id} is registered and configured. The board restarts.`,
  },
  ready: {
    title: "Ready",
    waiting: "Waiting until the pile reaches the cloud…",
    online: (id) => `${id} is online.`,
    late: [
      "The pile has not reached the cloud yet",
      "Its lines below say why: a wrong Wi-Fi password, a broker that cannot be reached, a certificate. Change step 4 and write again; the pile keeps its id and key.",
    ],
    rate: (price) => `Its price now: ${price} per kWh.`,
    noRate: "It has no rate yet, so nobody can charge.",
    setRate: "Set the rate",
    showRate: "Show the rate",
    label: "Label",
    labelAlt: (id) => `QR code that opens the page of ${id}`,
    print: "Label as PDF",
    page: "Open the drivers' page",
    next: "Set up another board",
  },

  troubles: {
    PortRefused: () => ["The browser gives no port to this page", "Allow serial ports for this page in the browser's settings, and try again."],
    PortBusy: ({ why }) => [
      "The port cannot be opened",
      `Close the other program that uses it. On Linux your user must be in the group dialout (sudo adduser $USER dialout, then log in again). The browser says: ${why}`,
    ],
    Unplugged: () => ["The connection to the board is gone", "Connect the board again, choose its port, and repeat the step. What is half written is mended."],
    Silent: () => [
      "The port is silent",
      "Is it the board's port, and does the cable carry data? Press the board's EN button and choose the port again. If it stays silent, write MicroPython in step 2.",
    ],
    NoProgram: () => ["The board finds no program and starts again and again", "Write MicroPython onto it in step 2."],
    DownloadMode: () => ["The board waits for an image", "Write MicroPython in step 2, or press EN with BOOT released and choose the port again."],
    Crashed: ({ what }) => [`The board crashes: ${what}`, "Press EN and choose the port again. If it goes on, write MicroPython in step 2."],
    AnotherProgram: ({ last }) => ["Another program runs on the board, and it cannot be interrupted", `Write MicroPython in step 2. The last line that it printed: ${last}`],
    NotMicroPython: ({ name }) => [`The board runs ${name}, not MicroPython`, "Write MicroPython in step 2."],
    NoAnswer: () => ["The board has stopped answering", `Press its EN button. ${again}`],
    BoardFailed: ({ what }) => ["The board reports an error", `${what}. Repeat the step; if it fails again, erase the board in step 2.`],
    Full: () => ["The board's flash is full", "Remove files of yours from it, or erase the whole board in step 2."],
    NotKept: ({ names }) => ["The board has not kept what was sent", `${names}: repeat the step. If it fails again, the flash is worn: take another board.`],
    Hidden: ({ name }) => [`The board has a folder ${name}, which hides a file of the firmware`, `Remove it (mpremote rm -r :${name}), or erase the board in step 2.`],

    NoImage: () => ["This is no ESP32 image", "Take the .bin file of the board's MicroPython download page."],
    UpdateImage: () => ["This is an update without a bootloader (.app-bin)", "A board would not start from it. Take the .bin file of the same page."],
    ForeignImage: () => ["This image is for a chip that no board here has", "Take the image for ESP32, ESP32-S3 or ESP32-C3."],
    WrongImage: ({ image, board }) => [`The image is for ${chip(image)}, but this board has an ${chip(board)}`, `Take the image for ${chip(board)}. Nothing was written.`],
    NoBootloader: () => [
      "The chip does not answer its bootloader",
      "Hold the board's BOOT button, press EN, release BOOT, and try again. On a chip with its own USB choose the port again afterwards.",
    ],
    FlashFailed: ({ why }) => ["Writing the image failed", `Repeat it; the board starts only from a whole image. Try another cable if it fails again. The reason: ${why}`],
    NoFlasher: () => [
      "This cloud has no esptool-js",
      "Its operator must install npm and run make setup. Until then: make flash IMAGE=... PORT=... on the command line.",
    ],

    TooOld: ({ present, needed }) => [`The board has MicroPython ${present}; ${needed} or newer is needed`, "Write a newer image in step 2."],
    OtherMpy: ({ present, needed }) => [
      `The firmware is compiled for .mpy ${needed}, and the board's MicroPython runs .mpy ${present}`,
      "Write a MicroPython image of another version in step 2.",
    ],
    Refused: ({ why }) => ["The pile would refuse this configuration", `${why}. Nothing was written.`],
    NoTls: () => [
      "An encrypted connection does not fit this chip",
      "A classic ESP32 without PSRAM has too little memory for it. Use an ESP32-S3 or a board with PSRAM, or, on a network of your own, tick that the connection is not encrypted. Nothing was written.",
    ],
    NotPem: () => ["This is no certificate in PEM", "Take the file ca.pem of the broker. It begins with BEGIN CERTIFICATE."],
    NoCa: () => ["No certificate is chosen", "Choose the file ca.pem of the broker's CA, or tick that the connection is not encrypted."],
    PileExists: ({ id }) => [
      `The cloud knows ${id} already, and shows a key only once`,
      "Take another id. Or, if this board is that pile or takes its place, give it a new key: the old key ends, and a board that still has it connects no more.",
    ],
    PileInUse: () => ["An order holds that pile", "Let the order end, then repeat the step."],
    SettlementsWaiting: () => ["That pile has settlements that the cloud has not stored", "Let its old board connect first. Where that is not possible, give up the settlements in the console."],
    NoPackages: () => [
      "This cloud has no firmware for boards",
      "Its operator must put the packages into the folder boards of its data folder: python -m tools.image.packages (docs/hardware.md).",
    ],

    Unauthorized: () => ["Log in first", "This page registers a pile, which needs an operator. Log in to the console, then open this page in the same tab."],
    Forbidden: () => ["You may not register piles", "Ask an owner of this cloud for the role operator."],
    Network: () => ["The cloud does not answer", "Is this PC still in its network? Repeat the step. If the pile was registered meanwhile, its id is taken: use another one."],
    Cloud: ({ why }) => ["The cloud refuses", `${why}. Repeat the step.`],
  },
};
