// 电子邮件账单的简体中文；与 phone-mail.js 一起加载。

export default {
  title: "用电子邮件接收账单",
  send: "发送",
  sent: a => `正在发送到 ${a}。`,
  wrong: "请输入电子邮箱地址，例如 name@example.org",
  problems: { MailNotSet: "本服务无法发送电子邮件。请保存链接或文件。" }
};
