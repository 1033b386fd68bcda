// Handing an order over, in English; loaded with phone-handover.js.

export default {
  title: "This charge on another phone",
  text: "Scan the code with the other phone, or send it the link. Whoever has the link can watch this charge, stop it, pay for it and open its receipt. This phone can still do the same.",
  loading: "Making the code…",
  code: "Code that opens this charge on another phone",
  noCode: "The code could not be made; send the link instead.",
  send: "Send the link",
  copied: "The link is copied.",
  close: "Close"
};
