// 按时长、功率分档、占位、保底、封顶和税的简体中文；与 phone-parts.js 一起加载。

export default {
  tiers: "按功率分档，每小时",
  anyPower: "不限功率",
  upTo: w => `${w} 及以下`,
  over: w => `${w} 以上`,
  stay: (p, after, most) => "占位费：充电结束" + (after ? ` ${after}后 ` : "起 ") + p + (most ? `，最多 ${most}` : ""),
  seconds: s => `${s} 秒`,
  least: m => `每次充电最低收 ${m}`,
  most: m => `每次充电最高收 ${m}`,
  tax: p => `含税 ${p}`,
  lasts: (time, tier) => `≈ ${time}` + (tier ? `（${tier}）` : ""),
  costs: { energy: "电量费", time: "充电时长费", tiers: "分档时长费", idle: "占位费", fee: "每次充电费" },
  ended: "充电已结束",
  stays: "车辆仍插着枪",
  free: "免费停留剩余",
  stayCost: "当前占位费",
  unplugFree: (p, most) => `拔枪即可结束。之后占位费 ${p}` + (most ? `，最多 ${most}。` : "。"),
  unplug: (p, most) => `拔枪即可结束。占位费 ${p}` + (most ? `，最多 ${most}。` : "。"),
  toEnd: "请拔枪结束",
  counted: "免费时间之后",
  topUp: m => `补足最低收费 ${m}`,
  net: "不含税"
};
