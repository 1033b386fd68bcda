// A pile's label: looked at, and taken along to be printed.

import { busy, dialog, h } from "./console-parts.js";
import { download, fetched } from "./console-session.js";

const KINDS = ["pdf", "png", "svg"];

export async function showLabel(button, pile) {
  const path = `/api/piles/${encodeURIComponent(pile.device_id)}/label?kind=`;
  let address;
  await busy(button, async () => {
    address = URL.createObjectURL(await fetched(path + "svg"));
  });
  if (!address) return;
  await dialog(
    "Label of " + pile.name,
    [
      h("img", {
        class: "label",
        src: address,
        alt: `QR code that opens the phone page of ${pile.device_id}, with the id and what to do`,
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
      h("button", { class: "button primary", type: "button", onclick: () => close(true) }, "Done"),
    ],
  );
  URL.revokeObjectURL(address);
}
