// What a rate says of a moment. Its steps reach a day ahead, so the end of a period needs no network.

/** The price that holds now, of electricity and service together: what the button says and the order repeats. */
export const priceNow = rate => rate.now.electricity_price + rate.now.service_price;

/** The rate as of `at` (Unix seconds of the cloud's clock), out of its own steps; null past their end. */
export function asOf(rate, at) {
  if (at >= rate.until_at) return null;
  const begun = rate.steps.filter(step => step[0] <= at).length;
  if (begun < 2) return rate;
  const [[, electricity_price, service_price, label], ...later] = rate.steps.slice(begun - 1);
  return {
    ...rate,
    steps: [[at, electricity_price, service_price, label], ...later],
    now: { label, electricity_price, service_price, until_at: later[0]?.[0] ?? null },
    // Only the cloud's pricing code computes these: there are none until it has answered.
    estimates: rate.estimates.map(each => ({ ...each, total_minor: null }))
  };
}

/** Whether whoever saw `old` has to be asked again. */
export const differs = (old, rate) => old.rate_id !== rate.rate_id || priceNow(old) !== priceNow(rate);
