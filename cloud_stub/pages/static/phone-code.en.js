// Free charges, in English; loaded with phone-code.js.

export default {
  label: "Code for a free charge",
  about: "As your host or operator gave it to you. Capital and small letters are the same.",
  byCode: "If the code is valid, nothing is held and nothing is to be paid.",
  here: "Charging is free here: nothing is held and nothing is to be paid.",
  running: "This charge is free: nothing is to be paid."
};
