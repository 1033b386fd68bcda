// 转交订单的简体中文；与 phone-handover.en.js 一一对应。

export default {
  title: "转交本次充电",
  text: "用另一部手机扫描此码，或发送链接。持有者可以查看、停止、支付本次充电并保留账单。本手机也仍可操作。",
  loading: "正在生成二维码…",
  code: "在另一部手机上打开本次充电的二维码",
  noCode: "无法生成二维码，请改为发送链接。",
  send: "发送链接",
  copied: "链接已复制。",
  close: "关闭"
};
