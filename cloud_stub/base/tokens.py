"""Tokens and secrets: made at random, kept in private files, compared in constant time."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path


def new_token() -> str:
    """A token: 256 random bits, safe in an address."""
    return secrets.token_urlsafe(32)


def fingerprint(token: str) -> str:
    """What is stored of a token, SHA-256 in 64 hex digits. 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def secrets_equal(presented: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(presented.encode(), expected.encode())


def bearer_token(header: str | None) -> str | None:
    """The token of an `Authorization: Bearer ...` header, None where there is none."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def read_or_create_secret(path: Path) -> str:
    """The secret kept in `path`, made with mode 0600 when the file is missing; two makers agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        try:
            os.link(made, path)  # atomic, and fails where another maker was first
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_text().strip()


def key_id(key: bytes) -> str:
    """What names a device key without telling it: 16 hex digits."""
    return hashlib.sha256(b"ratelock key id" + key).hexdigest()[:16]
