// 少见的桩上用语的简体中文，需要时才加载；与 phone-reasons.en.js 一一对应。

const another = "请换一个充电桩。";
const elsewhere = "请换一把充电枪，或换一个充电桩。";
const again = "请重新开始。";
const withoutCode = "尚未开始充电。也可以清空充电码，付费充电。";
const restarted = ["充电桩刚刚重启", "正在校准时间，请一分钟后重试。"];

export default {
  bills: {
    flagged: "账单与您的订单有不符之处。核对完成之前无需支付。",
    missing: "结束后电表没有读数；按结束前的最后读数计费。",
    recovered: "充电期间曾经停电；只按充电桩已可靠记录的电量计费。",
    Released: "账单已核对：金额按您锁定的价格计算。",
    Waived: "账单已核对：您无需支付。"
  },

  stops: {
    GroundFault: "检测到漏电，已自动断电",
    OvercurrentFault: "电流过大，已自动断电",
    PowerLoss: "停电",
    Reboot: "充电桩重新启动",
    Timeout: "车辆一直没有开始取电",
    VehicleChanged: "长时间停止取电后又恢复，可能已换车",
    PowerQuality: "停电次数过多",
    FeedBusy: "供电容量长时间不足",
    PowerSwitchStuckOpen: "充电桩的开关未能闭合，无法供电",
    PowerSwitchFailure: "充电桩的开关未能断开，请告知运营方",
    MeterFailure: "充电桩的电表停止响应",
    HighTemperature: "充电桩温度过高",
    SensorFailure: "充电桩的安全传感器停止响应",
    InternalError: "充电桩发现自身错误"
  },

  faults: {
    PowerSwitchFailure: "开关无法断开。请勿触碰充电枪，须由运营方处理。",
    PowerMeterFailure: "电表没有响应。",
    OverCurrentFailure: "电流过大。",
    HighTemperature: "温度过高，需要冷却。",
    GroundFailure: "检测到漏电。",
    InternalError: "发现自身错误。",
    PowerSwitchStuckOpen: "开关无法闭合，不能供电。",
    UnderVoltage: "此处停电次数过多。",
    SensorFailure: "安全传感器没有响应。"
  },

  failures: {
    OutcomeUnknown: ["服务没有响应", "请重试。不会重复启动，也不会重复付款。"],
    PileRemoved: ["该充电桩已拆除", "请换一个充电桩：扫描其二维码，或输入编号。在此充电的账单仍然保留。"],
    NoRate: ["这个充电桩还没有价格", another],
    InvalidRequest: ["上限无法使用", "请重新检查设定的上限。"],
    LimitTooLow: ["费用上限太低", "本次充电的最低费用（每次充电费或最低消费）已达到上限。"],
    RateNotBillable: ["该充电桩不支持这种计费", "其软件版本过旧。" + another],
    PaymentRefused: ["预授权被拒绝", "尚未开始充电，未扣款。请降低上限或换一张卡。"],
    PaymentNeeded: ["无法显示支付步骤", "尚未开始充电。请检查网络后重试。"],
    PaymentUnavailable: ["支付服务没有响应", "尚未开始充电。请重试，不会重复付款。"],
    FreeCodeInvalid: ["该充电码无法使用", withoutCode],
    "FreeCodeInvalid.Unknown": ["没有这个充电码", "尚未开始充电。请逐位核对，或清空后付费充电。"],
    "FreeCodeInvalid.UsedUp": ["该充电码次数已用完", withoutCode],
    "FreeCodeInvalid.Expired": ["该充电码已过期", withoutCode],
    "FreeCodeInvalid.Revoked": ["该充电码已停用", withoutCode],
    "FreeCodeInvalid.Elsewhere": ["该充电码不能在此处使用", withoutCode],
    PileHasNoClock: restarted,
    DeadLink: ["这个链接已失效", "链接过旧或不完整。请在开始充电的手机上打开账单。"],
    UnknownOrder: ["无法在这里打开账单", "请在开始充电的手机上打开。"],
    TooManyRequests: ["操作太频繁", "请等一分钟后再试。"],
    Lost: ["这次充电没有账单", "充电桩没有交回账单，目前无需支付。如果账单稍后到达，本页会显示。"]
  },

  rejects: {
    Malformed: ["充电桩无法读取订单", again],
    BadSeal: ["充电桩无法验证订单", another],
    WrongDevice: ["订单属于另一个充电桩", "请扫描本桩的二维码后重新开始。"],
    UnknownConnector: ["充电桩没有这把充电枪", elsewhere],
    Expired: ["确认到达充电桩时已过期", again],
    NotYetValid: ["充电桩的时间不正确", "请一分钟后重试，或换一个充电桩。"],
    UsedOrder: ["充电桩已收到过此订单", again],
    PricesIncomplete: ["价格未覆盖订单的全部时间", "请缩短时间后重新开始。"],
    ConnectorBusy: ["这把充电枪正在使用", elsewhere],
    ConnectorFaulted: ["这把充电枪有故障", elsewhere],
    NoMeter: ["充电桩的电表没有响应", another],
    NoClock: restarted,
    OutboxFull: ["充电桩需要先发送以前的账单", another],
    StorageFailure: ["充电桩无法保存订单", another],
    TooSoon: ["上一次充电刚刚结束", "请几秒钟后重试。"],
    OutOfService: ["该枪刚刚暂停服务", "请换一把充电枪，或换一个充电桩。"],
    FeedBusy: ["供电容量不足", "请等其他车辆充完，或换一个充电桩。"],
    OnTrial: ["充电桩刚刚完成更新", "请几分钟后重试，或换一个充电桩。"],
    NotBillable: ["该充电桩不支持这种计费", another]
  }
};
