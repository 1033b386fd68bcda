// What a rate says of a moment. Its steps reach a day ahead, so the end of a period needs no network.

/** The price that holds now, of electricity and service together: what the button says and the order repeats. */
export const priceNow = rate => rate.now.electricity_price + rate.now.service_price;

/** What holds at `at` (Unix seconds) by the steps of a rate or an order's rate; until_at: null where nothing follows. */
export function momentOf({ steps, time_prices }, at) {
  const i = Math.max(0, steps.filter(step => step[0] <= at).length - 1);
  const [, electricity_price, service_price, label] = steps[i];
  return { label, electricity_price, service_price, time_price: time_prices?.[i] ?? 0, until_at: steps[i + 1]?.[0] ?? null };
}

/** The rate as of `at` (Unix seconds of the cloud's clock), out of its own steps; null past their end. */
export function asOf(rate, at) {
  if (at >= rate.until_at) return null;
  const begun = rate.steps.filter(step => step[0] <= at).length;
  if (begun < 2) return rate;
  const [[, ...held], ...later] = rate.steps.slice(begun - 1);
  return {
    ...rate,
    steps: [[at, ...held], ...later],
    time_prices: rate.time_prices?.slice(begun - 1),
    now: momentOf(rate, at),
    isOld: true // its estimates: only the cloud's pricing code computes them
  };
}

/** Whether whoever saw `old` has to be asked again. */
export const differs = (old, rate) =>
  old.rate_id !== rate.rate_id || priceNow(old) !== priceNow(rate) || (old.now.time_price ?? 0) !== (rate.now.time_price ?? 0);
