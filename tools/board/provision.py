"""Writes Wi-Fi, broker, CA, device id and key into config.json on a board.

python -m tools.board.provision PORT --device-id ID --broker HOST:PORT [--ca FILE] [--ssid NAME] [--cloud URL]
python -m tools.board.provision PORT --from FILE

With --cloud the pile is registered there in the same step, and its key goes from the cloud to the board
without being seen (the operator's token: RATELOCK_OPERATOR_TOKEN, or asked for). A pile that the cloud knows
already keeps its key if this board has it; else the cloud makes a new one, and the old one is refused from
then on: a board that was replaced, or that lost its key, is provisioned by the same command. So the command
can be repeated after any failure. Without --cloud the key is asked for, or taken from RATELOCK_DEVICE_KEY.
What is not given stays as it is on a pile that is configured already; its journal and its calibration stay in
any case.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cloud_stub.base.os_errors import in_words
from cloud_stub.base.tokens import key_id
from tools import ROOT
from tools.board import next_steps
from tools.board.deploy import DeployError, fit
from tools.board.deploy.__main__ import MOST_S, QUIET_S
from tools.board.deploy.line import Line
from tools.harness.api_client import ApiError, Client, Response

sys.path.insert(0, str(ROOT / "firmware"))
import config as pile_config
from pile.outbox import Outbox
from pile_protocol import seal
from pile_protocol.errors import ProtocolError

CONFIG = "config.json"
CA = "ca.pem"
JOURNAL = "flash"
KEY_VARIABLE = "RATELOCK_DEVICE_KEY"
TOKEN_VARIABLE = "RATELOCK_OPERATOR_TOKEN"
PASSWORD_VARIABLE = "RATELOCK_WIFI_PASSWORD"

_BROKEN = "broken firmware: "
# Runs on the board. Files of a slot that are damaged raise ValueError, SyntaxError and others.
_READ_CONFIG = f"""
try:
    import config
except ImportError:
    print("no firmware")
except Exception as error:
    print({_BROKEN!r} + repr(error))
else:
    try:
        config.load()
        print("ok")
    except config.ConfigError as error:
        print(error)
"""

Ask = Callable[[str], str]


def broker_of(text: str) -> dict[str, Any]:
    """{"host", "port"} of "host:port". Raises DeployError."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise DeployError(f"the broker must read HOST:PORT, not {text}")
    return {"host": host, "port": int(port)}


def needs_ca(broker: dict[str, Any], present: object) -> bool:
    """Whether another broker is set than the present one, without a CA, on another machine."""
    host = str(broker.get("host"))
    return "ca" not in broker and broker != present and host != "localhost" and not host.startswith("127.")


def present_config(line: Line) -> dict[str, Any]:
    """The board's config.json; {} if it has none, or one of another program."""
    try:
        values = json.loads(line.read(CONFIG) or b"{}")
    except ValueError:
        return {}
    if not isinstance(values, dict):
        return {}
    for name in ("broker", "wifi"):
        if not isinstance(values.get(name, {}), dict):
            del values[name]
    return values


def given_config(path: Path) -> dict[str, Any]:
    """The content of a file. Raises DeployError, OSError."""
    try:
        values = json.loads(path.read_bytes())
    except ValueError as error:
        raise DeployError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("broker", {}), dict):
        raise DeployError(f"{path} is no config.json: what one holds stands in firmware/config.py")
    return values


def cloud_client(options: argparse.Namespace, token: str | None = None) -> Client:
    """To the cloud of --cloud, whose certificate may be of the given CA. Raises DeployError."""
    try:
        return Client(options.cloud, token, trust=options.ca)
    except ApiError as error:
        raise DeployError(f"the cloud at {options.cloud}: {error}") from error


class CloudPile:
    """The pile as the cloud has it. present: the board's configuration. force: also where settlements, or an
    order of a pile that is offline, would be lost. Methods raise DeployError.
    """

    def __init__(self, cloud: Client, device_id: str, present: dict[str, Any], force: bool):
        self._cloud = cloud
        self._device_id = device_id
        self._path = f"/api/piles/{device_id}"
        self._is_its_board = present.get("device_id") == device_id
        self._key = present.get("key") if self._is_its_board else None
        self._force = force

    def has_key_of_board(self) -> bool:
        """Whether the key on the board is the one that the cloud knows."""
        answer = self._ask(lambda: self._cloud.get(self._path + "/report"))
        try:
            return answer.status == 200 and answer.json()["key_id"] == key_id(seal.parse_key(self._key or ""))
        except ProtocolError:  # the board has no key, or none that is one
            return False

    def new_key(self, connectors: int, name: str) -> str:
        """The key of the pile, which is registered if it is new to the cloud."""
        body: dict[str, Any] = {"device_id": self._device_id, "connectors": connectors}
        if name:
            body["name"] = name
        answer = self._ask(lambda: self._cloud.post("/api/piles", body))
        if answer.code == "PileExists" and answer.json().get("removed_at") is None:
            again = {"new_board": not self._is_its_board, "force": self._force}
            answer = self._ask(lambda: self._cloud.post(self._path + "/key", again))
        if answer.code in ("SettlementsWaiting", "PileInUse"):
            raise DeployError(
                f"{self._device_id} at the cloud: {answer.json()['title']}; if its board is gone, --force"
            )
        return str(self._ask(answer.checked).json()["key"])

    def _ask(self, request: Callable[[], Response]) -> Response:
        try:
            return request()
        except ApiError as error:
            raise DeployError(f"the cloud at {self._cloud.base_url}: {error}") from error


def gather(options: argparse.Namespace, present: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """The new config.json: from file or options, else as present, else asked for. Raises DeployError."""
    values = dict(present)
    if options.file:
        values.update(given_config(options.file))
    device_id = options.device_id or values.get("device_id") or input("device id: ")
    if device_id != values.get("device_id"):
        values.pop("key", None)  # it is the other pile's
    values["device_id"] = device_id
    if options.broker:
        values["broker"] = {**values.get("broker", {}), **broker_of(options.broker)}
    elif "broker" not in values:
        values["broker"] = broker_of(input("broker (HOST:PORT): "))
    if options.unencrypted:
        values["broker"] = {name: value for name, value in values["broker"].items() if name != "ca"}
    elif options.ca:
        values["broker"] = {**values["broker"], "ca": CA}
    elif not options.file and needs_ca(values["broker"], present.get("broker")):
        raise DeployError(
            "give the broker's CA with --ca (`make site` prints where it is). Without it whoever is in the"
            " network reads and sends what the pile does; --unencrypted allows that"
        )
    if options.no_wifi:
        values.pop("wifi", None)
    elif options.ssid or "wifi" not in values:
        ssid = options.ssid or input("Wi-Fi name: ")
        password = os.environ.get(PASSWORD_VARIABLE)
        values["wifi"] = {
            "ssid": ssid,
            "password": ask(f"password of {ssid}: ") if password is None else password,
        }
    if options.ntp:
        values["ntp"] = options.ntp
    return values


def key_for(options: argparse.Namespace, values: dict[str, Any], ask: Ask) -> str:
    """The device key without a cloud: from environment, file, board, or person."""
    return os.environ.get(KEY_VARIABLE) or values.get("key") or ask("device key (64 hex digits): ").strip()


def check_journal(line: Line, present: dict[str, Any], device_id: str, key: str | None) -> None:
    """Raises DeployError if the pile has open orders or unsent settlements under its present id or key.

    key: None for one that the cloud has yet to make.
    """
    known = present.get("device_id")
    if known in (None, device_id) and present.get("key") in (None, key):
        return
    if left := waiting(line):
        other = "another key" if known == device_id else "another id"
        raise DeployError(
            f"this was {known}, with {other}, and its journal holds what is not settled yet "
            f"({', '.join(left)}): let it reach its cloud first, or --force"
        )


class BoardStore:
    """The board's journal, for reading: as much of the store contract as an outbox needs to be loaded."""

    def __init__(self, line: Line):
        self._line = line

    def names(self) -> list[str]:
        return self._line.listdir(JOURNAL)

    def read(self, name: str) -> bytes | None:
        return self._line.read(f"{JOURNAL}/{name}")

    def lines(self, name: str) -> Iterator[bytes]:
        yield from (self.read(name) or b"").splitlines(keepends=True)


def waiting(line: Line) -> list[str]:
    """The open orders and unacknowledged settlements in the board's journal, under its present id and key.

    The newest segment of the outbox stays in flash when all in it is acknowledged, so the file must be read.
    """
    store = BoardStore(line)
    found = [name for name in store.names() if name.startswith("order-")]
    outbox = Outbox(store)
    outbox.load([])
    if outbox.depth:
        found.append(f"{outbox.depth} of {outbox.last_seq} settlements")
    return found


def provision(options: argparse.Namespace, ask: Ask = getpass.getpass) -> None:
    """The whole job. Raises DeployError."""
    ca = options.ca.read_bytes() if options.ca else None
    if ca is not None and b"-----BEGIN CERTIFICATE-----" not in ca:
        raise DeployError(f"{options.ca} is no certificate in PEM")
    with Line(options.port) as line:
        present = present_config(line)
        values = gather(options, present, ask)
        device_id = values["device_id"]
        at_cloud = None
        key = present.get("key")
        if options.cloud:
            token = os.environ.get(TOKEN_VARIABLE) or ask("operator token: ")
            at_cloud = CloudPile(cloud_client(options, token), device_id, present, options.force)
            if not at_cloud.has_key_of_board():
                key = None
        if not options.force:
            check_journal(line, present, device_id, key)
        # All checks come before the cloud makes a key, because the old one ends with that.
        judge({**values, "key": "0" * 64})
        if not options.force:
            fit.refuse_tls(line, values)
        if at_cloud is None:
            values["key"] = key_for(options, values, ask)
            if not options.force:
                check_journal(line, present, device_id, values["key"])
        else:
            values["key"] = key or at_cloud.new_key(options.connectors, options.name)
        judge(values)
        if ca is not None and "ca" in values["broker"]:
            line.write(CA, ca)
        line.write(CONFIG, json.dumps(values, ensure_ascii=False).encode())
        confirm(line)
        print(
            f"{values['device_id']} is provisioned for {values['broker']['host']}:{values['broker']['port']}"
        )
        if not options.no_restart:
            line.restart()
            print("  restarted; its first lines:")
            for text in line.lines(options.quiet_s, MOST_S):
                print(f"    {text}")
    if options.cloud:
        for text in next_steps.lines(cloud_client(options), values["device_id"]):
            print(f"  {text}")


def judge(values: dict[str, Any]) -> None:
    """The pile's own checks, before anything is written. Raises DeployError."""
    try:
        pile_config.check(values)
    except ProtocolError as error:
        raise DeployError(f"the pile would refuse this configuration: {error}") from None


def confirm(line: Line) -> None:
    """Lets the firmware on the board, if there is one, read the new config.json. Raises DeployError."""
    line.use_firmware()
    answer = line.exec(_READ_CONFIG).strip()
    if answer == "no firmware":
        print("there is no firmware on the board yet: `make deploy`")
    elif answer.startswith(_BROKEN):
        print(f"the firmware on the board does not run ({answer.removeprefix(_BROKEN)}): `make deploy`")
    elif answer != "ok":
        raise DeployError(f"the pile does not take what was written: {answer}")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m tools.board.provision",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("port", help="the serial port, such as /dev/ttyUSB0")
    made.add_argument("--from", dest="file", type=Path, metavar="FILE", help="a config.json to start from")
    made.add_argument("--device-id")
    made.add_argument("--broker", metavar="HOST:PORT")
    made.add_argument(
        "--ca", type=Path, metavar="FILE", help="CA of broker and cloud; makes it MQTT over TLS"
    )
    made.add_argument(
        "--unencrypted",
        action="store_true",
        help="MQTT without TLS, in a network of your own; --ca is then for the cloud only",
    )
    made.add_argument("--ssid", metavar="NAME", help=f"its password is asked for, or {PASSWORD_VARIABLE}")
    made.add_argument("--no-wifi", action="store_true")
    made.add_argument("--ntp", metavar="HOST")
    made.add_argument("--cloud", metavar="URL", help="register the pile there, and take its key")
    made.add_argument("--connectors", type=int, default=1, help="of the new pile at the cloud")
    made.add_argument("--name", default="", help="of the new pile at the cloud")
    made.add_argument(
        "--force",
        action="store_true",
        help="another id or key, unsettled orders notwithstanding; TLS on a chip too small for it",
    )
    made.add_argument("--no-restart", action="store_true")
    made.add_argument("--quiet-s", type=float, default=QUIET_S, help=argparse.SUPPRESS)
    return made


def main() -> int:
    options = parser().parse_args()
    try:
        provision(options)
    except (DeployError, OSError, EOFError) as error:
        print(f"provision: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
