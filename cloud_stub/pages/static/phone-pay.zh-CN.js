// 预授权和支付的简体中文；与 phone-pay.js 一起加载。

export default {
  hold: m => `先预授权 ${m}，只按账单扣款，其余解除。`,
  holdAtMost: m => `先预授权最多 ${m}，只按账单扣款，其余解除。`,
  held: m => `已预授权 ${m}，结束时只按账单扣款。`,
  stillHeld: m => `${m} 仍在预授权中，因为充电桩可能还会发来账单。如果没有账单，将全部解除，最迟在几天后。`,
  stepTitle: "启动之前",
  holdIt: m => `预授权 ${m}`,
  giveUp: "不启动",
  notHeld: "没有预授权。请重试或换一张卡。",
  title: "支付",
  taking: "正在扣款",
  notTaken: "未支付",
  rows: { held: "预授权", captured: "已扣款", released: "已解除", refunded: "已退款" },
  states: {
    Held: "账单核对完成之前，预授权保持不变。",
    Capturing: "正在按账单扣款，无需等待。",
    Releasing: "正在解除预授权，无需等待。",
    Refunding: "退款正在途中。",
    CaptureRefused: "未能按账单扣款，运营方正在处理。",
    ReleaseRefused: "预授权尚未解除，运营方正在处理。",
    RefundRefused: "退款未成功，运营方正在处理。"
  }
};
