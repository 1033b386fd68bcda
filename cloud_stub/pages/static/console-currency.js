// Currencies, and the decimals that the cloud bills them with (cloud_stub/rates/currencies.py). The browser's own will not do:
// of some it knows the decimals that people there still write, and an amount would become a hundred times another.

const WITH_0_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const WITH_3_DIGITS = "BHD IQD JOD KWD LYD OMR TND";
const WITH_4_DIGITS = "CLF UYW";
const DIGITS = new Map(
  [
    [WITH_0_DIGITS, 0],
    [WITH_3_DIGITS, 3],
    [WITH_4_DIGITS, 4],
  ].flatMap(([names, digits]) => names.split(" ").map((name) => [name, digits])),
);

/** How many decimals the currency's minor unit has; null for what is no currency. */
export function digitsOf(currency) {
  if (!/^[A-Z]{3}$/.test(currency)) return null;
  return DIGITS.get(currency) ?? 2;
}

const KNOWN = Intl.supportedValuesOf ? new Set(Intl.supportedValuesOf("currency")) : null;

/** Whether a currency of ISO 4217 is called that, as far as the browser knows. */
export function isCurrency(name) {
  return KNOWN === null || KNOWN.has(name);
}
