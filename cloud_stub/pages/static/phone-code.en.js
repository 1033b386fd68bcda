// Free charges, in English; loaded with phone-code.js.

export default {
  label: "Code for a free charge",
  about: "You get it from your host or the operator. Capital or small letters do not matter.",
  byCode: "If the code is valid, nothing is held and nothing is to be paid.",
  here: "Charging is free here: nothing is held and nothing is to be paid.",
  running: "This charge is free: nothing is to be paid."
};
