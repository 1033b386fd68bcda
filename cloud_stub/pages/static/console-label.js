// A pile's label: looked at, and taken along to be printed.

import { dialog } from "./console-dialog.js";
import { busy, h } from "./console-parts.js";
import { download, fetched } from "./console-session.js";
import { words } from "./say.js";

const common = await words("console-words");
const t = (await words("console-words-piles")).label;

const KINDS = ["pdf", "png", "svg"];

export async function showLabel(button, pile) {
  const path = `/api/piles/${encodeURIComponent(pile.device_id)}/label?kind=`;
  const several = pile.connectors.length > 1;
  const which = h(
    "select",
    { "aria-label": t.which },
    pile.connectors.map((each) => h("option", { value: each.connector }, common.connector(each.connector))),
  );
  // The code of a pile's only connector has the address of the pile.
  const one = (kind) => path + kind + (several ? "&connector=" + which.value : "");
  let address;
  const fetchOne = async () => {
    address = URL.createObjectURL(await fetched(one("svg")));
  };
  await busy(button, fetchOne);
  if (!address) return;
  which.addEventListener("change", () =>
    busy(which, async () => {
      URL.revokeObjectURL(address);
      await fetchOne();
      document.querySelector("img.label").src = address;
    }),
  );
  await dialog(
    t.title(pile.name),
    [
      several && h("p", which, " ", h("span.muted.small", t.sheet)),
      h("img.label", { src: address, alt: t.picture(pile.device_id) }),
    ].filter(Boolean),
    (close) => [
      KINDS.map((kind) => {
        const take = h(
          "button.button",
          {
            type: "button",
            onclick: () => busy(take, () => download(kind === "pdf" ? path + kind : one(kind), `label-${pile.device_id}.${kind}`)),
          },
          kind.toUpperCase(),
        );
        return take;
      }),
      h("button.button.primary", { type: "button", onclick: () => close(true) }, t.done),
    ],
  );
  URL.revokeObjectURL(address);
}
