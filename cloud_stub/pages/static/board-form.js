// The form of the pile's id, Wi-Fi and broker.

import { h } from "./dom.js";
import { Trouble } from "./board-trouble.js";

const MQTT_PORT = 1883;
const MQTTS_PORT = 8883;

/** The form; `submitted()` when it is filled in. cloud: what /api/boards says of broker and CA. */
export function openForm(t, cloud, submitted) {
  const [host, port] = (cloud.broker ?? ":").split(":");
  const proposed = `${host || location.hostname}:${port || (cloud.ca ? MQTTS_PORT : MQTT_PORT)}`;
  const field = (id, text, hint, attributes) => [
    h("label", { for: id }, text),
    h("input", { id, spellcheck: "false", autocomplete: "off", "aria-describedby": hint && id + "-hint", ...attributes }),
    hint && h("p.muted.small", { id: id + "-hint" }, hint),
  ];
  return h(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        submitted();
      },
    },
    field("device-id", t.pile.id, t.pile.idHint, { required: true, pattern: "[A-Za-z0-9_\\-]{3,32}" }),
    field("name", t.pile.name, null, { maxlength: "100" }),
    field("connectors", t.pile.connectors, null, { type: "number", min: "1", max: "8", value: "1", required: true }),
    field("ssid", t.pile.ssid, null, { required: true }),
    field("password", t.pile.password, null, { type: "password", autocomplete: "new-password", maxlength: "63" }),
    field("broker", t.pile.broker, t.pile.brokerHint, { required: true, pattern: "[^\\s:\\/]+:[0-9]{1,5}", value: proposed }),
    cloud.ca
      ? h("p.muted.small", t.pile.caGiven)
      : field("ca", t.pile.ca, t.pile.caHint, { type: "file", accept: ".pem,.crt" }),
    h("label.check", h("input", { id: "unencrypted", type: "checkbox" }), h("span", t.pile.unencrypted)),
    h("button.button.primary", { id: "write-pile" }, t.pile.write),
  );
}

/** What provision() wants. Throws Trouble (NoCa, NotPem). */
export async function readForm(givenCa) {
  const value = (id) => document.getElementById(id).value;
  const [host, port] = value("broker").split(":");
  return {
    device_id: value("device-id"),
    name: value("name").trim(),
    connectors: Number(value("connectors")),
    host,
    port: Number(port),
    ca: document.getElementById("unencrypted").checked ? "" : (givenCa ?? (await chosenCa())),
    ssid: value("ssid"),
    password: value("password"),
  };
}

async function chosenCa() {
  const file = document.getElementById("ca").files[0];
  if (!file) throw new Trouble("NoCa");
  const text = await file.text();
  if (!text.includes("-----BEGIN CERTIFICATE-----")) throw new Trouble("NotPem");
  return text;
}
