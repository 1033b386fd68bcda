"""Handles a message of topics.UPDATE or topics.CONFIG. Imported only while one is handled."""

from pile_protocol import topics
from pile_protocol.errors import ProtocolError


def take(updater, controller, bounds, name, message):
    """Handles a message whose seal and table are good. bounds: the board's limits, by name. Raises
    ProtocolError, OSError.
    """
    if message["device_id"] != controller.device_id:
        raise ProtocolError("a message for " + message["device_id"])
    if name == topics.CONFIG:
        from . import configure

        version = message["version"]
        reason = configure.take(message, controller, bounds)
        if reason is None:
            updater.restart = "configuration %d goes on trial" % version
        else:
            _refuse(controller, {"config_version": version}, reason)
        return
    from . import offer
    from .updater import Refused

    at = controller.clock.cloud_at()
    if message["kind"] == "cancel":
        if at is None or at >= message["expires_at"]:
            return  # an expired message, or an old one again
        kept = None if updater.release else offer.kept()
        if message["release"] == (kept["release"] if kept else updater.release):
            updater.release = message["release"]
            updater.end("Cancelled")
    # The size is not signed: if it was wrong, the right one replaces it.
    elif message["release"] == updater.release and (
        message.get("manifest_bytes", updater.manifest_bytes) == updater.manifest_bytes
    ):
        updater.hurry()
    else:
        release = message["release"]
        try:
            offer.keep(message, at)
        except Refused as refused:  # a download under way goes on
            _refuse(controller, {"release": release}, refused.reason)
        except OSError:  # what is under way may have lost its offer in flash
            updater.release = release
            updater.end("Refused", "StorageFailure")
        else:
            updater.begin(release)


def _refuse(controller, what, reason):
    answer = {"state": "Refused", "reason": reason}
    answer.update(what)
    controller.mailbox.newest("refused", topics.UPDATE_STATUS, answer)
