"""The certificates of an installation: its own CA, and a server certificate for its broker.

    make certs NAMES="broker.example.org 192.0.2.7"      into $RATELOCK_DATA/certs

ca.pem goes onto every pile (tools/board/provision.py); server.pem and server.key belong to the broker.
ca.key signs further certificates: keep it offline. Elliptic keys (P-256): a pile's handshake is several times
shorter than with RSA.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_stub.base.os_errors import in_words

CA_DAYS = 3_650
SERVER_DAYS = 825
LOCAL_NAMES = ("localhost", "127.0.0.1")
HOST_NAME_MAX = 253
# The last part has a letter: 192.0.2.777 is an address with an error in it.
_HOST_NAME = re.compile(r"(\*\.)?([A-Za-z0-9_-]{1,63}\.)*(?=[^.]*[A-Za-z])[A-Za-z0-9_-]{1,63}")
COMMON_NAME_MAX = 64  # X.509's; what a pile compares are the alternative names, which may be longer


class CertsError(Exception):
    """The certificates could not be made; the text says what to do."""


class Ca:
    """A certificate authority in a folder: ca.pem, and ca.key for its owner's eyes only."""

    def __init__(self, folder: Path, name: str = "RateLock CA"):
        """Reads the CA in `folder`, or makes one if the folder has none. Raises CertsError."""
        self.folder = folder
        self.certificate_path = folder / "ca.pem"
        key_path = folder / "ca.key"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.certificate_path.exists() and not key_path.exists():
            raise CertsError(
                f"{key_path} is elsewhere, and without it nothing can be signed: bring it back for as long as"
                f" this takes, or move {self.certificate_path} away for a new CA, which every pile then needs"
            )
        if key_path.exists() and not self.certificate_path.exists():
            raise CertsError(
                f"{self.certificate_path} is missing beside its key: put it back (every pile has a copy), or"
                f" move {key_path} away for a new CA, which every pile then needs"
            )
        if key_path.exists():
            try:
                key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
                self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
            except (ValueError, TypeError) as error:  # the latter of a key that has a password
                raise CertsError(
                    f"{key_path} or {self.certificate_path} cannot be read: put back what was there, or move"
                    " both away for a new CA, which every pile then needs"
                ) from error
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise CertsError(f"{key_path} is no elliptic key; move it away to get a new CA")
            self._key = key
        else:
            self._key = ec.generate_private_key(ec.SECP256R1())
            self._certificate = self._self_signed(name)
            _write_key(key_path, self._key)
            self.certificate_path.write_bytes(_pem(self._certificate))

    def issue(
        self,
        stem: str,
        names: tuple[str, ...],
        not_before: datetime | None = None,
        days: int = SERVER_DAYS,
    ) -> tuple[Path, Path]:
        """A server certificate for host names and addresses; returns (<stem>.pem, <stem>.key)."""
        if not names:
            raise CertsError("a server certificate needs the name or address by which piles know the broker")
        key = ec.generate_private_key(ec.SECP256R1())
        begin = not_before or _now() - timedelta(days=1)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(names[0]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=days))
            .add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        paths = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        paths[0].write_bytes(_pem(certificate))
        _write_key(paths[1], key)
        return paths

    def _self_signed(self, name: str) -> x509.Certificate:
        begin = _now() - timedelta(days=1)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(name))
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=CA_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )


def names_of(certificate: Path) -> list[str]:
    """The host names and addresses that a certificate is for, in its order; empty if there is none.

    Raises CertsError.
    """
    if not certificate.exists():
        return []
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise CertsError(f"{certificate} is no certificate of a server: move it away") from error
    return [str(each.value) for each in names]


def ensure(folder: Path, names: tuple[str, ...] = LOCAL_NAMES) -> None:
    """A CA's and a server's certificate in `folder`; makes what is missing. Raises CertsError.

    If both exist, the CA's key is not needed, because it should be offline.
    """
    if not all((folder / name).exists() for name in ("ca.pem", "server.pem", "server.key")):
        Ca(folder).issue("server", names)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:COMMON_NAME_MAX])])


def _general_name(name: str) -> x509.GeneralName:
    """Raises CertsError for a name that no pile can have for its broker, such as an address with a port."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if len(name) > HOST_NAME_MAX or not _HOST_NAME.fullmatch(name):
            raise CertsError(
                f"{name!r} is no host name or address (no port; letters beyond ASCII as xn--...)"
            ) from None
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.unlink(missing_ok=True)
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def main() -> int:
    parser = argparse.ArgumentParser(description="A CA and the broker's certificate, for mqtts")
    parser.add_argument("names", nargs="*", help="how piles know the broker; without any, as before")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("RATELOCK_DATA") or ".ratelock"))
    options = parser.parse_args()
    folder = options.data / "certs"
    try:
        names = options.names or names_of(folder / "server.pem") or LOCAL_NAMES
        certificate, _ = Ca(folder).issue("server", tuple(names))
    except (CertsError, OSError) as error:
        print(f"certs: {in_words(error)}", file=sys.stderr)
        return 1
    print(f"{folder / 'ca.pem'}: onto every pile")
    print(f"{certificate}: the broker's, for {', '.join(names)}; it is used at its next start")
    return 0


if __name__ == "__main__":
    sys.exit(main())
