// 免费充电码的简体中文；与 phone-code.js 一起加载。

export default {
  label: "免费充电码",
  about: "由场地方或运营方提供，不区分大小写。",
  free: "充电码有效时，无需预授权，也无需支付。"
};
