"""Signatures of requests, as https://www.standardwebhooks.com specifies them (version 1, HMAC-SHA256)."""

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def headers(secret: str, event_id: str, at: int, body: bytes) -> dict[str, str]:
    """at: the time of sending, Unix seconds. Receivers refuse old ones, so each attempt is signed anew."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{event_id}.{at}.".encode() + body
    mac = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {"webhook-id": event_id, "webhook-timestamp": str(at), "webhook-signature": "v1," + mac}
