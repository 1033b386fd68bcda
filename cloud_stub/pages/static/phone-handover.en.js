// Handing an order over, in English; loaded with phone-handover.js.

export default {
  title: "Hand over this charge",
  text: "Scan the code with the other phone, or send the link. Whoever has it can watch this charge, stop it, pay it and keep its receipt. This phone keeps it, too.",
  loading: "Making the code…",
  code: "Code that opens this charge on another phone",
  noCode: "The code could not be made; send the link instead.",
  send: "Send the link",
  copied: "The link is copied.",
  close: "Close"
};
