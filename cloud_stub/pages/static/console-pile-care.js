// What is wrong with a pile beyond its faults, and what an operator does about it: out of service, restart, a new key.

import { notice } from "./console-dialog.js";
import { askFirst, changeDialog, formDialog } from "./console-form.js";
import { renew } from "./console-keep.js";
import { busy, h, here, section, whoWords } from "./console-parts.js";
import { showKey } from "./console-pileadd.js";
import { ask, may } from "./console-session.js";
import { words } from "./say.js";

const common = await words("console-words");
const t = await words("console-words-care");
const NOTE_MAX = 200;

export function open(place, { path }) {
  const body = h("div.stack");
  const box = section(t.title, body);
  place.append(box);
  const end = () => {};
  end.update = (pile) => {
    const found = [...hints(pile, path), ...out(pile, path)].filter(Boolean);
    box.hidden = pile.removed_at !== null || !(found.length || may("operate") || may("register"));
    renew(body, found, buttons(pile, path));
  };
  return end;
}

/** Tell the pile's page at once: its poll comes a moment later. */
const send = (path, method, body) => ask(path, { method, body });

function hints(pile, path) {
  const { board } = pile;
  return [
    board.two_boards && h("p.hint.bad", t.twoBoards),
    board.mismatch &&
      h(
        "p.hint.warn",
        t.mismatch(pile.connectors.length, board.connectors_told),
        may("register") &&
          h(
            "button.button.small",
            {
              onclick: (event) =>
                busy(event.currentTarget, async () => {
                  await send(path, "PATCH", { connectors: board.connectors_told });
                  notice(t.connectorsDone(board.connectors_told));
                }),
            },
            t.setConnectors(board.connectors_told),
          ),
      ),
  ];
}

/** One line for what is out of service: the whole pile, or each connector. */
function out(pile, path) {
  const rows = pile.service
    ? [[0, pile.service]]
    : pile.connectors.filter((each) => each.service).map((each) => [each.connector, each.service]);
  return rows.map(([connector, { reason, note, by, at }]) =>
    h(
      "div.hint.warn",
      h("p", h("strong", t.outOf(connector ? common.connector(connector) : t.whole, t.reasons[reason] ?? reason))),
      note && h("p", note),
      h("p.muted.small", t.by(whoWords(by), here.instant(at))),
      may("operate") &&
        h(
          "button.button.small",
          {
            onclick: (event) =>
              busy(event.currentTarget, async () => {
                await send(`${path}/out-of-service?connector=${connector}`, "DELETE");
                notice(t.backDone);
              }),
          },
          t.back,
        ),
    ),
  );
}

function buttons(pile, path) {
  const button = (text, act, danger) =>
    h("button", { class: "button small" + (danger ? " danger" : ""), onclick: (event) => act(event.currentTarget) }, text);
  const { connectors } = pile;
  return h(
    "div.group",
    may("operate") && [
      button(t.take, () => takeOut(connectors, path)),
      button(t.report, (at) => busy(at, async () => (await send(path + "/report", "POST"), notice(t.reportDone)))),
      pile.board.commands.includes("restart") && button(t.restart, () => restart(pile, path)),
    ],
    may("register") && [
      button(t.rename, () => change(pile, path)),
      button(t.power, () => setPower(pile, path)),
      button(t.key, () => newKey(pile, path), true),
    ],
  );
}

async function takeOut(connectors, path) {
  const places = [[0, t.whole], ...connectors.map((each) => [each.connector, common.connector(each.connector)])];
  const select = (pairs) =>
    h(
      "select",
      pairs.map(([value, text]) => h("option", { value }, text)),
    );
  const done = await formDialog({
    id: "out",
    title: t.takeTitle,
    body: t.takeText,
    fields: [
      { name: "connector", label: t.place, control: select(connectors.length > 1 ? places : places.slice(0, 1)) },
      { name: "reason", label: t.reason, control: select(Object.entries(t.reasons)) },
      { name: "note", label: t.note, hint: t.noteHint, control: h("input", { maxlength: String(NOTE_MAX) }) },
      { name: "ends_order", label: t.ends, control: h("input", { type: "checkbox" }) },
    ],
    action: t.takeAction,
    submit: (values) => send(path + "/out-of-service", "PUT", { ...values, connector: Number(values.connector) }),
  });
  if (done) notice(t.takeDone);
}

async function restart(pile, path) {
  const submit = () => send(path + "/restart", "POST");
  const done = await askFirst(t.restartTitle, t.restartText(pile.name), t.restartAction, submit);
  if (done) notice(t.restartDone);
}

async function change(pile, path) {
  const number = ({ connectors, ...rest }) => ({ ...rest, ...(connectors && { connectors: Number(connectors) }) });
  const done = await changeDialog({
    was: { name: pile.name, connectors: String(pile.connectors.length) },
    id: "change",
    title: t.renameTitle(pile.device_id),
    fields: [
      { name: "name", label: common.names.name, control: h("input", { maxlength: "100", value: pile.name }) },
      {
        name: "connectors",
        label: t.connectors,
        hint: t.connectorsHint,
        control: h("input", { type: "number", min: "1", max: "8", value: String(pile.connectors.length) }),
      },
    ],
    action: common.names.save,
    submit: ({ replaces, ...changed }) => send(path, "PATCH", { ...number(changed), replaces: number(replaces) }),
  });
  if (done) notice(t.renameDone);
}

async function setPower(pile, path) {
  const watts = (text) => (text === "" ? null : Number(text));
  const done = await changeDialog({
    was: { power_w: String(pile.connector_power_w ?? "") },
    id: "power",
    title: t.powerTitle(pile.name),
    body: t.powerText,
    fields: [
      {
        name: "power_w",
        label: t.powerLabel,
        hint: t.powerHint,
        shown: (value) => (value === null ? t.powerDefault : `${value} W`),
        control: h("input", { inputmode: "numeric", size: "10", value: String(pile.connector_power_w ?? "") }),
        check: (text) => (/^\d{0,10}$/.test(text) ? null : t.powerWrong),
      },
    ],
    action: common.names.save,
    submit: ({ power_w, replaces }) =>
      send(path + "/connector-power", "PUT", {
        power_w: watts(power_w),
        replaces: { power_w: watts(String(replaces.power_w ?? "")) },
      }),
  });
  if (done) notice(t.renameDone);
}

async function newKey(pile, path) {
  const made = await formDialog({
    id: "key",
    title: t.keyTitle(pile.name),
    body: t.keyText,
    fields: [
      { name: "new_board", label: t.newBoard, hint: t.newBoardHint, control: h("input", { type: "checkbox" }) },
      { name: "force", label: t.force, hint: t.forceHint, control: h("input", { type: "checkbox" }) },
    ],
    action: t.keyAction,
    danger: true,
    submit: (values) => send(path + "/key", "POST", values),
  });
  if (made) await showKey(made, t.keyDone(pile.device_id));
}
