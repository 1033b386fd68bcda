// 中央系统中的站点，中文。

export default {
  title: "中央系统（OCPP）",
  remoteStart: "远程启动",
  rejected: "不允许",
  change: "更改…",
  changeText: "中央系统可以在本站点按其用户已同意的那一个费率启动订单。这些订单不冻结款项。",
  rate: "费率",
  rateHint: "费率版本的编号，例如 r-01m8…；留空表示不允许远程启动",
  rateWrong: "请填写费率编号，或留空",
  agreement: "约定",
  agreementHint: "由谁同意，写在何处。将保存在审计记录中。",
  agreementWrong: "请说明由谁同意，写在何处",
  save: "保存",
  pile: "充电桩",
  state: "连接",
  unsent: "等待中",
  errors: "错误",
  none: "OCPP 网关尚未启动过。",
  waitsFor: (action) => `等待 ${action} 的应答`,
  states: { Accepted: "已接受", Connecting: "连接中", Pending: "待定", Rejected: "被拒绝", "": "新" },
};
