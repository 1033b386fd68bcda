// A pile's label: looked at, and taken along to be printed.

import { dialog } from "./console-dialog.js";
import { busy, h } from "./console-parts.js";
import { download, fetched } from "./console-session.js";
import { words } from "./say.js";

const t = (await words("console-words-piles")).label;

const KINDS = ["pdf", "png", "svg"];

export async function showLabel(button, pile) {
  const path = `/api/piles/${encodeURIComponent(pile.device_id)}/label?kind=`;
  let address;
  await busy(button, async () => {
    address = URL.createObjectURL(await fetched(path + "svg"));
  });
  if (!address) return;
  await dialog(
    t.title(pile.name),
    [
      h("img", {
        class: "label",
        src: address,
        alt: t.picture(pile.device_id),
      }),
    ],
    (close) => [
      KINDS.map((kind) => {
        const take = h(
          "button",
          {
            class: "button",
            type: "button",
            onclick: () => busy(take, () => download(path + kind, `label-${pile.device_id}.${kind}`)),
          },
          kind.toUpperCase(),
        );
        return take;
      }),
      h("button", { class: "button primary", type: "button", onclick: () => close(true) }, t.done),
    ],
  );
  URL.revokeObjectURL(address);
}
