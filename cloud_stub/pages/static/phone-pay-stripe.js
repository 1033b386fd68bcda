// Stripe's form in the payment step. Its script may only come from Stripe itself, and only this page loads it, here.

import { h, show } from "./dom.js";

const SCRIPT = "https://js.stripe.com/v3/";

let loading = null;

function load() {
  loading ??= new Promise((resolve, reject) => {
    const script = h("script", { src: SCRIPT, onload: () => resolve(window.Stripe) });
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error("no answer from " + SCRIPT));
    };
    document.head.append(script);
  });
  return loading;
}

/** client: {publishable_key, client_secret} of the PaymentIntent. */
export async function open({ client, place, dark }) {
  const Stripe = await load();
  const stripe = Stripe(client.publishable_key, { locale: document.documentElement.lang === "zh-CN" ? "zh" : "en" });
  const elements = stripe.elements({ clientSecret: client.client_secret, appearance: { theme: dark ? "night" : "stripe" } });
  const form = elements.create("payment");
  show(place);
  form.mount(place);
  return {
    async confirm(address) {
      const { error } = await stripe.confirmPayment({ elements, redirect: "if_required", confirmParams: { return_url: address } });
      return error ? (error.message ?? error.type) : null;
    }
  };
}
