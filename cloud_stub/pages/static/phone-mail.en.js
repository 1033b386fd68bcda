// The receipt by e-mail, in English; loaded with phone-mail.js.

export default {
  title: "Receipt by e-mail",
  send: "Send",
  sent: a => `It is on its way to ${a}.`,
  wrong: "An e-mail address, please, such as name@example.org",
  problems: { MailNotSet: "This service cannot send e-mail. Please keep the link or the file." }
};
