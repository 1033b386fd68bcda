// Handing an order over, in English; loaded with phone-handover.js.

export default {
  title: "This charge on another phone",
  text: "Scan the code with the other phone, or send or keep the link: it also opens the receipt, later. Whoever has it can watch this charge, stop it, pay it and see its receipt. This phone keeps it, too.",
  loading: "Making the code…",
  code: "Code that opens this charge on another phone",
  noCode: "The code could not be made; send the link instead.",
  send: "Send the link",
  copied: "The link is copied.",
  close: "Close"
};
