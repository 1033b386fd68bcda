// A central system made of ocpp-rpc, in its strict mode: every frame, both ways, is held against the OCPP 1.6
// JSON schemas that the package brings. Each message id is booked once, in a file that outlives this process.
//
//   node central.js PORT LEDGER   prints a JSON line for each event; each line of stdin is [device, action, payload]
const fs = require("fs");
const readline = require("readline");
const { RPCServer } = require("ocpp-rpc");

const [port, ledger] = process.argv.slice(2);
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const now = () => new Date().toISOString();
const lines = fs.existsSync(ledger) ? fs.readFileSync(ledger, "utf8").split("\n").filter(Boolean) : [];
const booked = new Map(lines.map(JSON.parse).map((each) => [each.id, each.answer]));
const clients = new Map();

const answers = {
  BootNotification: () => ({ status: "Accepted", interval: 300, currentTime: now() }),
  Heartbeat: () => ({ currentTime: now() }),
  StatusNotification: () => ({}),
  Authorize: () => ({ idTagInfo: { status: "Accepted" } }),
  StartTransaction: () => ({ transactionId: 1000 + booked.size, idTagInfo: { status: "Accepted" } }),
  MeterValues: () => ({}),
  StopTransaction: () => ({ idTagInfo: { status: "Accepted" } }),
  DataTransfer: () => ({ status: "Accepted" }),
};

const server = new RPCServer({ protocols: ["ocpp1.6"], strictMode: true });
server.auth((accept, reject, handshake) => {
  const password = handshake.password ? handshake.password.toString() : "";
  if (password !== "0123456789abcdef") return reject(401, "wrong password");
  accept({});
});
server.on("client", (client) => {
  clients.set(client.identity, client);
  client.on("strictValidationFailure", (event) => say({ invalid: String(event.error), id: event.messageId }));
  client.on("badMessage", (event) => say({ invalid: String(event.error) }));
  for (const action of Object.keys(answers)) {
    client.handle(action, ({ params, messageId }) => {
      if (!booked.has(messageId)) {
        const answer = answers[action]();
        booked.set(messageId, answer);
        fs.appendFileSync(ledger, JSON.stringify({ id: messageId, action, params, answer }) + "\n");
        say({ device: client.identity, action, params, answer });
      }
      return booked.get(messageId);
    });
  }
});
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const [device, action, payload] = JSON.parse(line);
  try {
    say({ answer: await clients.get(device).call(action, payload) });
  } catch (error) {
    say({ refused: error.rpcErrorCode || String(error), action });
  }
});
server.listen(Number(port), "127.0.0.1").then((http) => say({ listening: http.address().port }));
