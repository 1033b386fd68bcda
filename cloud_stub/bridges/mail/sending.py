"""One message to the mail server of the settings, by SMTP."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from typing import NamedTuple

from ...settings import Settings


class Sent(NamedTuple):
    """is_final: it is sent, or refused permanently. said: SENT, or the reason, without the address."""

    is_final: bool
    said: str


SENT = "sent"


def compose(settings: Settings, to: str, message_id: str, subject: str, text: str) -> EmailMessage:
    """message_id: the same at each attempt, so that a server can recognise a repeated message."""
    sender = settings.mail_from or ""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def send(settings: Settings, message: EmailMessage) -> Sent:
    """Every wait for the server ends after settings.mail_s."""
    try:
        with _connected(settings) as server:
            if settings.mail_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.mail_user and settings.mail_password:
                server.login(settings.mail_user, settings.mail_password.get_secret_value())
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        return Sent(code >= 500, f"the mail server refused the address: {code}")
    except smtplib.SMTPAuthenticationError as error:
        return Sent(False, f"the mail server refused the login: {error.smtp_code}")
    except smtplib.SMTPResponseException as error:
        is_final = isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500
        return Sent(is_final, f"the mail server refused: {error.smtp_code}")
    except smtplib.SMTPNotSupportedError:
        return Sent(False, "the mail server does not offer STARTTLS, or no login")
    except (OSError, smtplib.SMTPException) as error:
        return Sent(False, f"no answer of the mail server: {type(error).__name__}")
    return Sent(True, SENT)


def _connected(settings: Settings) -> smtplib.SMTP:
    host, port = settings.mail_host or "", settings.mail_port
    if settings.mail_security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=settings.mail_s, context=context)
    return smtplib.SMTP(host, port, timeout=settings.mail_s)
