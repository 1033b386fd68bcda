"""Reads what a start needs from the pile's own files, before assembly.py; then its code leaves the heap
(app.start): the heap has no room for this and for the making of the parts at the same time.
"""

import binascii

import board

import config
from app import CannotStart
from drivers import patterns
from update.overrides import Overrides


def read():
    """(config.Config, TLS context or None, store). Raises CannotStart."""
    try:
        overrides = Overrides()
        overrides.start()
        try:
            settings, context = _load(overrides)
        except config.ConfigError:
            if not overrides.on_trial:
                raise
            overrides.fall_back("BadValue")
            settings, context = _load(overrides)
        settings.tell(overrides)
        return settings, context, board.store()
    except config.ConfigError as error:
        raise CannotStart(str(error), patterns.NO_CONFIG)
    except OSError as error:
        raise CannotStart(
            "the flash cannot be used (%r): remove the file that is in its way" % error, patterns.NO_FLASH
        )


def _load(overrides):
    """(config.Config, TLS context or None). Raises ConfigError."""
    settings = config.load(applied=overrides.applied)
    return settings, _context(settings.broker)


def _context(broker):
    """The TLS context of the configured CA; None without one. Raises ConfigError."""
    if "ca_text" in broker:
        try:
            return _tls_context(broker["ca_text"].encode())
        except ValueError:
            raise config.ConfigError("the CA that came over the air is not a certificate")
    if "ca" not in broker:
        return None
    try:
        with open(broker["ca"], "rb") as file:
            return _tls_context(file.read())
    except OSError:
        raise config.ConfigError("there is no %s: provision this pile again" % broker["ca"])
    except ValueError:
        raise config.ConfigError("%s is not a certificate: provision this pile again" % broker["ca"])


def _tls_context(ca):
    """A context that verifies the broker's certificate against `ca` (PEM or DER bytes) and its host name.

    The clock must be set before the handshake: a certificate is valid for a time.
    Raises ValueError where `ca` is no certificate.
    """
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED  # pyright: ignore[reportAttributeAccessIssue] - the stubs lack it
    context.load_verify_locations(_der(ca))
    return context


def _der(ca):
    """The first certificate of a PEM file as DER: not every build of MicroPython reads PEM itself."""
    begin = ca.find(b"-----BEGIN CERTIFICATE-----")
    if begin < 0:
        return ca
    end = ca.find(b"-----END", begin)
    return binascii.a2b_base64(ca[begin + 27 : end])
