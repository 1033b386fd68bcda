// 中央系统中的站点，中文。

export default {
  title: "中央系统（OCPP）",
  remoteStart: "远程启动",
  rejected: "不允许",
  change: "更改…",
  changeText: "中央系统可以在本站点按其用户已同意的那一个费率启动订单。这些订单没有预授权。",
  rateHint: "费率版本的编号，例如 r-01m8…；留空表示不允许远程启动",
  rateWrong: "请填写费率版本的编号，或留空。",
  agreement: "约定",
  agreementHint: "由谁同意、写在何处，或为何终止。将保存在审计记录中。",
  agreementWrong: "请填写由谁同意，或为何终止。",
  pile: "充电桩",
  state: "连接",
  unsent: "等待中",
  errors: "错误",
  none: "本站点还没有充电桩作为充电点。OCPP 网关运行后会自动建立。",
  waitsFor: (action) => `等待 ${action} 的应答`,
  states: { Accepted: "已接受", Connecting: "连接中", Pending: "待定", Rejected: "被拒绝", "": "新" },
};
