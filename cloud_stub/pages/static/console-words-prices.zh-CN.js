// 电费和每次充电费以外的价格部分的简体中文；与 console-words-prices.en.js 一一对应。

export default {
  title: "电量以外的收费",
  hint: "留空表示费率不含该项。发布前会列出无法按某一项计费的充电桩。",
  minimum: "每单最低消费",
  maximum: "每单封顶金额",
  tax: "价格所含税率，%",
  idle: {
    title: "充满后占用",
    price: "每小时价格",
    after: "免费分钟数",
    max: "封顶",
  },
  tiers: {
    title: "功率档",
    hint: "功率不超过该值时每小时的价格。",
    up_to: (number) => `第 ${number} 档：不超过 W`,
    price: (number) => `第 ${number} 档：每小时价格`,
    add: "添加功率档",
    remove: (number) => `删除第 ${number} 档`,
  },
  offers: {
    title: "手机上的套餐",
    hint: "供车主选择；每个套餐即带该上限的订单。",
    kind: (number) => `套餐 ${number} 的类型`,
    value: (number) => `套餐 ${number} 的数值`,
    kinds: { money: "金额", time: "分钟", energy: "kWh", full: "充满为止" },
    add: "添加套餐",
    remove: (number) => `删除套餐 ${number}`,
  },

  wrong: {
    amount: (what, digits) => `${what}：须为大于 0 的金额，最多 ${digits} 位小数。`,
    price: (what) => `${what}：须为价格，例如 0.30，最多 6 位小数。`,
    tax: "价格所含税率：须为 0 到 100 的百分数，最多一位小数。",
    minutes: (what) => `${what}：须为分钟，或分钟和秒，例如 1:30。`,
    watts: (what) => `${what}：须为 1 到 1000000 的整数瓦。`,
    ascending: (what) => `${what}：须高于前一档，且价格不低于前一档。`,
    energy: (what) => `${what}：须为电量（kWh），最多 6 位小数。`,
    range: "最低消费不能高于封顶金额。",
  },

  said: {
    minimum: (money) => `每单最低消费：${money}`,
    maximum: (money) => `每单封顶金额：${money}`,
    tax: (percent) => `价格所含税率：${percent}%`,
    idle: (price, minutes, most) => `充满后占用：免费 ${minutes} 分钟后每小时 ${price}，最多 ${most}`,
    tier: (watts, price) => `不超过 ${watts} W：每小时 ${price}`,
    offer: (number, kind, value) => `套餐 ${number}：${kind}${value ? " " + value : ""}`,
    time: (price) => ` + 每小时 ${price}`,
  },

  lines: {
    title: "电量以外",
    line: "项目",
    lasted: "时长",
    price: "每小时价格",
    time: "充电时长",
    tier: (watts) => `功率不超过 ${watts} W`,
    idle: "充满后占用",
    topUp: "补足最低消费",
    tax: (net, tax) => `不含税 ${net}，税额 ${tax}`,
  },
  staying: "充满后占用",
  stayingText: (since, free, cost) => [`自 `, since, `，免费至 `, free, `，目前 ${cost}`],
  stay: "占用分钟数",
};
