"""The whole system as processes: broker, cloud, simulated piles. `make run`, the demo and the tests use it.

with System(data) as system:
    pile = system.add_pile("PILE-1")
    system.set_rate(pile.device_id, DEMO_RATE)
    car = system.start_pile(pile, speed=600)
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tools import ROOT
from tools.harness.api_client import ApiError, Client
from tools.harness.broker import Broker
from tools.harness.ports import is_port_taken, on_a_free_port
from tools.harness.processes import HOST, Child, Children, ProcessError, Started, alone_in
from tools.image import BuildError, packages

CLOUD_SETTINGS = ("RATELOCK_", "DATABASE_URL")  # prefixes of the cloud's settings

# The register of a simulated pile may run thousands of times faster than the clock.
SIMULATED_POWER_W = 1_000_000_000

# 0.80 electricity and 0.40 service a kWh by day, half of it by night.
DEMO_RATE: dict[str, Any] = {
    "currency": "CNY",
    "time_zone": "Asia/Shanghai",
    "session_fee_minor": 50,
    "periods": [
        {"start": "00:00", "label": "valley", "electricity_price": 400_000, "service_price": 200_000},
        {"start": "07:00", "label": "flat", "electricity_price": 800_000, "service_price": 400_000},
        {"start": "18:00", "label": "peak", "electricity_price": 1_200_000, "service_price": 400_000},
        {"start": "22:00", "label": "flat", "electricity_price": 800_000, "service_price": 400_000},
    ],
}


def neutral_environment() -> dict[str, str]:
    """This process's environment without settings of a cloud, which would be those of another system."""
    return {name: value for name, value in os.environ.items() if not name.startswith(CLOUD_SETTINGS)}


@dataclass(frozen=True)
class PileIdentity:
    device_id: str
    key: str  # 64 hex digits
    connectors: int


class System(Started):
    """Broker and cloud on 127.0.0.1, over one data folder, and any number of simulated piles.

    Ports: None takes free ones and keeps them over restarts; tls_port: as Broker's. env: added to the cloud's
    environment, which has no cloud's settings of our own one unless it is to inherit them. listen: where the
    TLS listener listens. A cloud with RATELOCK_HTTP_CERT in env answers over HTTPS.
    simulated: its piles are, so a connector may carry any power. plain_port: as Broker's.
    """

    def __init__(
        self,
        data: str | os.PathLike[str],
        *,
        http_port: int | None = None,
        mqtt_port: int | None = None,
        operator_token: str | None = None,
        env: dict[str, str] | None = None,
        echo: Callable[[str], None] | None = None,
        tls_port: int | None = None,
        listen: str = HOST,
        inherit: bool = False,
        simulated: bool = True,
        plain_port: int | None = None,
    ):
        self.data = Path(data).resolve()
        self.broker = Broker(self.data, mqtt_port, tls_port, listen, plain_port)
        self.http_port = http_port or 0
        self._given_token = operator_token
        self._env = env or {}
        self._inherit = inherit
        self._simulated = simulated
        self._echo = echo
        self._children = Children()
        self.cloud: Child | None = None
        self._lock: IO[str] | None = None

    def start(self) -> None:
        """Starts the broker, then the cloud. Raises ProcessError, mosquitto.NoBroker."""
        try:
            self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = alone_in(self.data, "run")  # two brokers and clouds would write over each other
        except OSError as error:
            raise ProcessError(
                f"{self.data} cannot be the data folder ({error.strerror}); RATELOCK_DATA names another"
            ) from error
        self.broker.start()
        self.start_cloud()

    def stop(self) -> None:
        """Ends the piles, the cloud and the broker, as far as they run."""
        self.cloud = None
        try:
            self._children.stop()
        finally:
            self.broker.stop()
            if self._lock:
                self._lock.close()
                self._lock = None

    # -- the cloud

    @property
    def base_url(self) -> str:
        return self._url(self.http_port)

    def _url(self, http_port: int) -> str:
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://{self._http_host}:{http_port}"

    @property
    def _certificate(self) -> Path | None:
        given = self._env.get("RATELOCK_HTTP_CERT")
        return Path(given) if given else None

    def _client(self, base_url: str, token: str | None = None) -> Client:
        return Client(base_url, token, trust=self._certificate, any_name=True)

    @property
    def _http_host(self) -> str:
        host = self._env.get("RATELOCK_HTTP_HOST", HOST)
        return HOST if host == "0.0.0.0" else host

    @property
    def operator_token(self) -> str:
        return self._given_token or (self.data / "operator.token").read_text().strip()

    @property
    def phone(self) -> Client:
        """A client without a token, as a phone has before it orders."""
        return self._client(self.base_url)

    @property
    def operator(self) -> Client:
        return self._client(self.base_url, self.operator_token)

    def start_cloud(self) -> None:
        """Returns once the cloud answers. Raises ProcessError."""
        if self.http_port:
            self._start_cloud_on(self.http_port)
        else:
            self.http_port = on_a_free_port(self._start_cloud_on)

    def stop_cloud(self) -> None:
        if self.cloud:
            self.cloud.stop()
            self.cloud = None

    def kill_cloud(self) -> None:
        """SIGKILL, which stands for a power cut."""
        if self.cloud:
            self.cloud.kill()
            self.cloud = None

    def cloud_environment(self) -> dict[str, str]:
        """What `python -m cloud_stub` needs to work on this system."""
        env = {
            "RATELOCK_DATA": str(self.data),
            "RATELOCK_HTTP_PORT": str(self.http_port),
            "RATELOCK_MQTT_HOST": HOST,
            "RATELOCK_MQTT_PORT": str(self.broker.port),
            **self._env,
        }
        if self.broker.tls_port:  # a pile of the network finds the broker where its operator finds the page
            env.setdefault("RATELOCK_PILES_BROKER", f":{self.broker.tls_port}")
            env.setdefault("RATELOCK_PILES_CA", str(self.broker.certs / "ca.pem"))
        if self._simulated:
            env.setdefault("RATELOCK_CONNECTOR_POWER_W", str(SIMULATED_POWER_W))
        if self._given_token:
            env["RATELOCK_OPERATOR_TOKEN"] = self._given_token
        return env

    def make_board_packages(self) -> None:
        """Firmware for the page that sets boards up; takes some seconds once. Raises ProcessError."""
        try:
            packages.write_all(self.data)
        except (BuildError, OSError) as error:
            raise ProcessError(f"firmware for boards: {error}") from error

    def _start_cloud_on(self, port: int) -> None:
        if is_port_taken(port):
            raise ProcessError(f"port {port} is taken; RATELOCK_HTTP_PORT names another one for HTTP")
        child = self._children.start(
            "cloud",
            [sys.executable, "-m", "cloud_stub", "serve"],
            base=None if self._inherit else neutral_environment(),
            env={**self.cloud_environment(), "RATELOCK_HTTP_PORT": str(port)},
            cwd=ROOT,
            log=self.data / "cloud.log",
            echo=self._echo,
        )
        try:
            self._client(self._url(port)).wait_until_up(child.check_alive)
        except BaseException as error:
            child.stop()
            if isinstance(error, ApiError):
                raise ProcessError(f"{error}\n{child.tail()}") from error
            raise
        self.cloud = child

    # -- piles

    def add_pile(
        self, device_id: str | None = None, connectors: int = 1, name: str | None = None
    ) -> PileIdentity:
        """Registers a pile with the cloud; without an id, one that is used nowhere else. Raises ApiError."""
        device_id = device_id or "P-" + secrets.token_hex(5)
        body: dict[str, Any] = {"device_id": device_id, "connectors": connectors}
        if name:
            body["name"] = name
        answer = self.operator.post("/api/piles", body).checked()
        return PileIdentity(device_id, answer.json()["key"], connectors)

    def set_rate(self, device_id: str, rate: dict[str, Any]) -> str:
        """Publishes a rate, whatever its prices; returns its rate_id. Raises ApiError."""
        answer = self.operator.put(f"/api/piles/{device_id}/rate?allow_unusual=true", rate).checked()
        return str(answer.json()["rate_id"])

    def flash_folder(self, device_id: str) -> Path:
        """Where a pile's flash is kept over its restarts."""
        return self.data / "piles" / device_id

    def start_pile(
        self,
        pile: PileIdentity,
        *,
        power_w: int = 7_000,
        imp_per_kwh: int = 1_000,
        speed: int = 1,
        mqtt_url: str | None = None,
        flash: Path | None = None,
        extra: tuple[str, ...] = (),
        echo: Callable[[str], None] | None = None,
    ) -> Child:
        """The real firmware on the simulated board; does not wait until it is online.

        JSON lines: in with `send_json`, out with `wait_for_json`. mqtt_url: where not straight to our broker.
        flash: where not in flash_folder.
        """
        flash = flash or self.flash_folder(pile.device_id)
        flash.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, str(ROOT / "tools" / "sim_pile.py"), "--device-id", pile.device_id]
        argv += ["--mqtt", mqtt_url or self.broker.url, "--data", str(flash)]
        argv += ["--power-w", str(power_w), "--imp-per-kwh", str(imp_per_kwh), "--speed", str(speed)]
        argv += ["--connectors", str(pile.connectors), *extra]
        return self._children.start(
            pile.device_id,
            argv,
            base=neutral_environment(),
            env={"RATELOCK_DEVICE_KEY": pile.key},  # not an argument: those are for everyone to read
            cwd=ROOT,
            log=self.data / f"{pile.device_id}.log",
            stdin=True,
            echo=echo,
        )

    def stop_pile(self, child: Child) -> int:
        return child.stop()

    def kill_pile(self, child: Child) -> int:
        """SIGKILL, which stands for a power cut."""
        return child.kill()

    def wait_until_online(self, device_id: str, child: Child, timeout_s: float = 30) -> None:
        """Returns once the cloud shows the pile online, with its clock set.

        Raises ProcessError, at once if `child` ended.
        """
        deadline = time.monotonic() + timeout_s
        while not self._is_ready(device_id):
            child.check_alive()
            if time.monotonic() > deadline:
                raise ProcessError(f"{device_id} is not online after {timeout_s:g} s\n{child.tail()}")
            time.sleep(0.02)

    def _is_ready(self, device_id: str) -> bool:
        view = self.phone.get(f"/api/piles/{device_id}").json()
        return view["online"] and view["clock_set"]

    def check_alive(self) -> None:
        """Raises ProcessError where the broker or the cloud has ended by itself."""
        self.broker.check_alive()
        if self.cloud:
            self.cloud.check_alive()
