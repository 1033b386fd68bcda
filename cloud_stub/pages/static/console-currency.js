// Currencies, and the decimals that the cloud bills each with: its own list, because a browser knows fewer currencies,
// and of some it has other decimals, so that an amount would become a hundred times another.

import { ask } from "./console-session.js";

let known = null; // decimals by currency

/** Ask the cloud for the list, once; the functions below need it. Throws Problem. */
export async function loadCurrencies() {
  known ??= new Map(Object.entries(await ask("/api/currencies")));
}

/** How many decimals the currency's minor unit has; null for what is no currency. */
export const digitsOf = (currency) => known.get(currency) ?? null;
