// 账单分类、贷记与收入明细的简体中文；与 console-words-money.en.js 一一对应。

export default {
  kinds: { Billed: "已计费", Flagged: "异常", Waived: "已免收", Nobody: "不计费" },
  credited: (amount) => `已减免 ${amount}`,
  refund: (amount) => `其中支付后减免 ${amount}`,
  unpaid: (amount) => `待支付 ${amount}`,

  credits: {
    title: "减免单",
    none: "该账单没有减免。",
    add: "减免…",
    pay: "登记付款…",
    payTitle: (amount) => `登记已收到 ${amount}？`,
    payText: "用于用户在本系统之外已付的款项。登记后账单即结清，不能撤销，但可以减免。",
    payAction: "登记付款",
    payDone: (amount) => `已登记付款 ${amount}。`,
    dialog: "减免这份账单？",
    text: (left, state) =>
      `最多 ${left}。` +
      ({
        captured: "账单已由支付渠道扣款；该金额会随即由渠道退还。",
        Paid: "账单已支付，因此该金额应退还；退款须另行办理。",
      }[state] ?? "用户少付该金额。结算单保持不变。"),
    amount: (currency) => `金额（${currency}）`,
    amountWrong: (left) => `金额须大于零，最多 ${left}。`,
    why: "原因（供日后查阅）",
    whyMissing: "请填写原因。",
    action: "减免",
    done: (amount) => `已减免 ${amount}。`,
    by: "操作人",
  },

  apart: {
    title: "收入明细",
    what: "项目",
    names: {
      billed_minor: "已计费",
      paid_minor: "已支付",
      unpaid_minor: "未支付",
      credited_minor: "已减免",
      refund_minor: "支付后减免",
      waived_minor: "已免收（充电桩金额）",
      flagged_minor: "异常（充电桩金额），不计入其他合计",
      flagged_paid_minor: "标记异常之前已支付",
      flagged_credited_minor: "标记异常之前已减免",
    },
    net: "计费减去减免",
    rule: "已计费 = 已支付 + 未支付 + 已减免 − 支付后减免。支付后减免由支付渠道自动退款；没有支付渠道时须另行退还。",
    csv: "结算单 CSV",
  },
};
