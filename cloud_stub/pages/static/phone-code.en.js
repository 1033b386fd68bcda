// The code with which a charge is free, in English; loaded with phone-code.js.

export default {
  label: "Code for a free charge",
  about: "As your host or operator gave it to you. Capital and small letters are the same.",
  free: "If the code is valid, nothing is held and nothing is to be paid."
};
