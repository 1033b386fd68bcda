// 手机页面的简体中文；与 phone-words.en.js 一一对应。

const scan = "请扫描桩上的二维码，或输入二维码下方的编号。";
const outOfOrder = "这把充电枪有故障";
const elsewhere = "请换一把充电枪，或换一个充电桩。";

export default {
  locale: "zh-CN",
  other: { language: "en", name: "English" },
  loading: "正在查询充电桩…",
  brand: "RateLock",
  promise: "确认的价格，就是支付的价格。",
  back: "返回价格",
  again: "重试",
  test: "测试 - 不会实际扣款",
  perKwh: "/度",
  perHour: "/小时",
  kwh: "度",
  kw: "千瓦",
  minutes: c => `${c} 分钟`,
  hours: c => `${c} 小时`,

  periods: { flat: "平段", sharp: "尖段", peak: "峰段", valley: "谷段" },
  statuses: {
    Available: "空闲",
    Occupied: "已插枪",
    Waiting: "车辆未移走",
    Preparing: "已插枪，可以充电",
    Unavailable: "暂不可用",
    Faulted: "故障",
    busy: "使用中"
  },

  ask: {
    title: "请输入充电桩编号",
    text: "编号印在二维码下方，由字母和数字组成。",
    label: "充电桩编号",
    go: "查看价格"
  },

  pile: {
    online: "在线",
    offline: "离线",
    connector: n => `${n} 号枪`,
    connectors: "充电枪",
    lastReceipt: t => `上次在此充电：${t}`,
    occupiedSince: t => `充电已结束，车辆自 ${t} 起仍插着枪`,
    freeIn: m => `约 ${m} 分钟后空闲`
  },

  price: {
    title: "当前价格",
    electricity: "电费",
    service: "服务费",
    together: "合计",
    hour: "每小时",
    about: m => `≈ ${m}`,
    least: m => `${m} 起`,
    fee: f => `另收每次充电费 ${f}`,
    until: (p, t) => `${p}，至 ${t}`,
    then: (t, p, e) => `${t} 起：${p}（${e}）`,
    always: "全天同一价格",
    now: "现在",
    day: "全天价格",
    zone: z => `充电桩当地时间（${z}）`
  },

  amount: {
    title: "充多少？",
    estimate: "按当前价格估算",
    unlimited: "手动停止",
    atMost: "最多",
    unlimitedHint: "或充满为止",
    more: "自定义上限",
    haveCode: "我有免费充电码",
    energy: "最多电量（度）",
    cost: c => `最多金额（${c}）`,
    time: "最长时间（分钟）",
    wrong: {
      energy: "请输入 0.001 到 1000 之间的数",
      cost: "请输入大于零的金额",
      time: "请输入 1 到 1440 的整数分钟"
    },
    hint: "达到任一上限时，充电桩会自动停止，断网时也一样。"
  },

  confirm: {
    button: p => `以 ${p} 开始充电`,
    fee: f => `另加 ${f}/次`,
    limit: l => `最多 ${l}`,
    locked: "本次充电全程按此价目计费，不会变动。",
    sending: "正在确认…",
    plug: "请先插好充电枪，然后即可开始。"
  },

  changed: {
    old: "刚才的价格",
    new: "新价格",
    look: "先看看价目"
  },

  order: {
    Pending: "正在启动…",
    Accepted: "正在启动…",
    Charging: "充电中",
    Finishing: "正在结束…",
    starting: "充电桩已收到订单，马上通电。",
    pending: "正在把您的确认发送给充电桩。",
    finishing: "充电桩已断电，正在生成账单。",
    suspended: "车辆当前没有取电。",
    stopping: "正在停止…",
    stop: "停止充电",
    energy: "电量",
    cost: "当前费用",
    power: "功率",
    elapsed: "时长",
    limits: "距离上限",
    of: (v, l) => `${v} / ${l}`,
    curve: "功率曲线",
    curveSpoken: (n, m) => `功率曲线：当前 ${n} 千瓦，最高 ${m} 千瓦`,
    locked: "已锁定的价格",
    lockedAt: t => `${t} 确认；之后调价不影响本次充电。`,
    pile: (n, u) => `${n} · ${u} 号枪`,
    handOver: "转到另一部手机"
  },

  others: {
    title: "您的其他充电",
    order: (d, n) => `${d} · ${n} 号枪`,
    another: "在另一把枪上也开始充电",
    earlier: "以前的充电和账单"
  },

  banner: {
    lost: "网络连接已断开，正在重试…",
    lostAt: t => `网络连接已断开，以下数据截至 ${t}，正在重试…`,
    lostCharging: "充电桩会继续工作，并遵守您设定的上限。",
    pileOffline: "充电桩暂时没有网络。",
    pileOfflineAt: t => `充电桩暂时没有网络，以下数据截至 ${t}。`,
    pileOfflineCharging: "上限照常有效；恢复联网后会发送账单。",
    stopLater: "恢复联网后会立即停止；充电桩如有停止按钮，也可直接按下。"
  },

  receipt: {
    title: "账单",
    toPay: "待支付",
    paid: "已支付",
    free: "无需支付",
    checking: "正在核对",
    paidAt: t => `支付时间：${t}`,
    thanks: "谢谢！现在可以拔枪了。",
    pay: t => `支付 ${t}`,
    paying: "正在支付…",
    print: "打印",
    save: "保存",
    link: "链接",
    done: "完成",
    fee: "每次充电费",
    total: "总计",
    credit: "减免，",
    net: "减免后总计",
    claimed: "充电桩的金额",
    sum: "小计",
    from: "自",
    nothing: "没有充入电量，无需支付。",
    stopped: "结束原因",
    pile: "充电桩",
    connector: "充电枪",
    started: "开始",
    ended: "结束",
    duration: "时长",
    rate: "锁定的价目",
    registers: "电表读数（度）",
    order: "订单",
    flagged: "账单正在核对",
    filename: "账单"
  },

  stops: {
    Remote: "您在手机上停止了充电",
    Local: "在充电桩上停止",
    EVDisconnected: "充电枪已拔出",
    EnergyLimitReached: "达到电量上限",
    TimeLimitReached: "达到时间上限",
    CostLimitReached: "达到金额上限",
    EmergencyStop: "按下了急停按钮",
    StoppedByEV: "车辆已充满或停止取电",
    Other: "充电桩因其他原因停止"
  },

  failures: {
    UnknownPile: ["没有找到这个充电桩", scan],
    NotFound: ["没有这个页面", scan],
    PileOffline: ["充电桩已离线", "恢复后本页会自动更新；也可以换一个充电桩。"],
    PileFaulted: [outOfOrder, elsewhere],
    ConnectorBusy: ["这把充电枪正在使用", "请换一把，或等待空闲，本页会自动更新。"],
    ConnectorUnavailable: ["这把充电枪已断开", "可能按下了急停或停止按钮。" + elsewhere],
    OutOfService: ["该枪暂停服务", "运营方暂时停用了它。" + elsewhere],
    RateChanged: ["价格已变动", "尚未开始充电。请查看新价格后重新决定。"],
    DatabaseUnavailable: ["服务繁忙", "请稍后重试。"],
    Network: ["网络没有响应", "请检查网络后重试。不会重复启动，也不会重复付款。"],
    Other: ["出了点问题", "请重试；如果仍然不行，请换一个充电桩。"],

    stop: ["停止请求没有发出。", "请再按一次停止；充电桩如有停止按钮，也可直接按下。"],

    nothing: "尚未启动，无需支付。",
    Rejected: {
      NotPlugged: ["充电桩没有检测到车辆", "请插紧充电枪后重新开始。"],
      Other: ["充电桩拒绝启动", "请重试，或换一个充电桩。"]
    },
    Expired: ["充电桩没有及时响应", "目前看来尚未启动；如果稍后启动，本页会显示。"],
    Cancelled: ["您在启动前取消了", ""]
  }
};
