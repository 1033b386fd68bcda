// 免费充电的简体中文；与 phone-code.js 一起加载。

export default {
  label: "免费充电码",
  about: "由场地方或运营方提供，不区分大小写。",
  byCode: "充电码有效时，无需预授权，也无需支付。",
  here: "此处免费充电，无需预授权，也无需支付。",
  running: "本次充电免费，无需支付。"
};
