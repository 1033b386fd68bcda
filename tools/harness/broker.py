"""The MQTT broker, mosquitto 2, with the configuration of broker_config.py.

    python -m tools.broker --data .ratelock --port 1883

Its folder, $RATELOCK_DATA/broker, holds mosquitto.conf, acl, passwd and the broker's own state. The cloud
rewrites passwd whenever a pile is added; `Broker` watches the file and makes mosquitto read it again.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import IO

from cloud_stub.base.os_errors import in_words
from cloud_stub.piles import broker_acl, broker_passwords
from tools.harness import broker_config, certs, mosquitto
from tools.harness.ports import free_port, is_port_taken, on_a_free_port, wait_for_port
from tools.harness.processes import HOST, Child, Children, ProcessError, Started, alone_in, exit_on_signals

_TLS = "certfile server.pem\nkeyfile server.key\ntls_version tlsv1.2"

WATCH_INTERVAL_S = 0.05


def say(text: str) -> None:
    print("broker: " + text, file=sys.stderr, flush=True)


class Broker(Started):
    """One mosquitto on 127.0.0.1, which runs during the `with` block, or from `start` to `stop`.

    data: the project's data folder (RATELOCK_DATA). port: None takes a free one and keeps it over restarts.
    tls_port: the port of a second listener for MQTT over TLS; 0 takes a free one, None has no such listener.
    Its certificate is in the data folder's certs/, and is created if it is missing. listen: its address.
    plain_port: of a listener for MQTT without TLS on the same address, for chips that TLS does not fit.
    """

    def __init__(
        self,
        data: str | os.PathLike[str],
        port: int | None = None,
        tls_port: int | None = None,
        listen: str = HOST,
        plain_port: int | None = None,
    ):
        self.folder = Path(data).resolve() / "broker"
        self.certs = Path(data).resolve() / "certs"
        self.port = port or 0
        self.tls_port = tls_port
        self.listen = listen
        self.plain_port = plain_port
        self._way: mosquitto.Native | None = None
        self._children = Children()
        self._child: Child | None = None
        self._ending = threading.Event()
        self._watcher: threading.Thread | None = None
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    @property
    def tls_url(self) -> str:
        """The address for piles that connect over TLS and trust certs/ca.pem."""
        return f"mqtts://{self.listen}:{self.tls_port}"

    @property
    def pid(self) -> int:
        """Of the broker's process. Raises ProcessError if it does not run."""
        if self._child is None:
            raise ProcessError("the broker does not run")
        return self._child.pid

    @property
    def cloud_password(self) -> str:
        """The password of the user `cloud`."""
        return (self.folder / "cloud.password").read_text().strip()

    def start(self) -> None:
        """Returns once the broker accepts connections. Raises ProcessError, or mosquitto.NoBroker."""
        self._way = self._way or mosquitto.find(say)
        self._write_secrets()
        # A second broker over this folder would overwrite configuration and state, or end the container.
        self._lock = self._lock or alone_in(self.folder, "broker")
        if self.port:
            self._start_on(self.port)
        else:
            self.port = on_a_free_port(self._start_on)
        self._ending.clear()
        self._watcher = threading.Thread(
            target=self._watch, args=(self._passwd_mark(),), name="passwd watcher", daemon=True
        )
        self._watcher.start()

    def stop(self) -> None:
        """Ends the broker, which saves its state first. Does nothing if it does not run."""
        self._end_watcher()
        self._children.stop()
        if self._child and self._way:
            self._way.clean_up(self.folder)
        self._child = None
        self._unlock_folder()

    def kill(self) -> None:
        """Ends the broker with SIGKILL; `start` starts it again on the same port."""
        self._end_watcher()
        if self._child and self._way:
            self._way.signal(self.folder, self._child, signal.SIGKILL)
            self._child.kill()
        self._child = None
        self._unlock_folder()

    def restart(self) -> None:
        self.stop()
        self.start()

    def check_alive(self) -> None:
        """Raises ProcessError if the broker has ended by itself."""
        if self._child:
            self._child.check_alive()

    def _write_secrets(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProcessError(
                f"{self.folder.parent} cannot be the data folder ({error.strerror});"
                " RATELOCK_DATA names another"
            ) from error
        password_file = self.folder / "cloud.password"
        try:
            with open(password_file, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(secrets.token_hex(32) + "\n")
        except FileExistsError:
            pass
        passwd = self.folder / "passwd"
        if not passwd.exists():
            broker_passwords.write(passwd, {broker_acl.CLOUD_USER: self.cloud_password})

    def _unlock_folder(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def _start_on(self, port: int) -> None:
        if self._way is None:
            raise ProcessError("start() has not yet looked for mosquitto")
        if is_port_taken(port):
            raise ProcessError(f"port {port} is taken; RATELOCK_MQTT_PORT names another one for MQTT")
        broker_config.write(self.folder, self._listeners(self._way, port))
        argv, env = self._way.command(self.folder, port, self.tls_port or 8883, self.listen)
        log = self.folder / "mosquitto.log"
        child = self._children.start("broker", argv, env=env, cwd=self.folder, log=log)
        try:
            # Wait for the broker's own line: another program could answer on the port.
            child.wait_for_line(
                lambda line: "mosquitto version" in line and "running" in line, self._way.start_timeout_s
            )
            wait_for_port(port, child, self._way.start_timeout_s)
        except BaseException:
            child.stop()
            raise
        self._child = child

    def _listeners(self, way: mosquitto.Native, port: int) -> str:
        if self.tls_port == 0:
            self.tls_port = free_port()
        plain, tls = way.listeners(port, self.tls_port or 0, self.listen)
        if self.plain_port is not None:
            plain += f"\n\n{way.plain_listener(self.plain_port, self.listen)}"
            plain += f"\n{broker_config.USERNAME_IS_CLIENT_ID}"
        if self.tls_port is None:
            return plain
        certs.ensure(self.certs)
        # Copies in the broker's folder, the only one that a container sees; its user must own them.
        for name in ("server.pem", "server.key"):
            (self.folder / name).unlink(missing_ok=True)
            shutil.copy(self.certs / name, self.folder / name)
        return f"{plain}\n\n{tls}\n{_TLS}\n{broker_config.USERNAME_IS_CLIENT_ID}"

    def _passwd_mark(self) -> tuple[int, int, int] | None:
        """A value that changes whenever passwd is written; None if there is none."""
        try:
            status = os.stat(self.folder / "passwd")
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _watch(self, mark: tuple[int, int, int] | None) -> None:
        while not self._ending.wait(WATCH_INTERVAL_S):
            now = self._passwd_mark()
            if now != mark and now is not None and self._child and self._way:
                mark = now
                self._way.signal(self.folder, self._child, signal.SIGHUP)

    def _end_watcher(self) -> None:
        self._ending.set()
        if self._watcher:
            self._watcher.join()
            self._watcher = None


def port_number(text: str) -> int:
    """A TCP port. Raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text}")
    return int(text)


def port_setting(name: str, default: int | None) -> int | None:
    """The port in the environment variable `name`, else `default`. Raises ProcessError if it is none."""
    text = os.environ.get(name)
    try:
        return port_number(text) if text else default
    except argparse.ArgumentTypeError:
        raise ProcessError(f"{name} must be a port from 1 to 65535, not {text}") from None


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.broker", description="RateLock's MQTT broker.")
    parser.add_argument("--data", default=os.environ.get("RATELOCK_DATA") or ".ratelock", help="data folder")
    parser.add_argument("--port", type=port_number, help="else RATELOCK_MQTT_PORT, or 1883")
    parser.add_argument("--tls-port", type=port_number, help="also listen with TLS (mqtts)")
    options = parser.parse_args(argv)
    exit_on_signals()
    try:
        port = options.port or port_setting("RATELOCK_MQTT_PORT", 1883)
        tls_port = options.tls_port or port_setting("RATELOCK_MQTTS_PORT", None)
        with Broker(options.data, port, tls_port, mosquitto.network_address()) as broker:
            say(f"{broker.url}, folder {broker.folder}")
            if broker._child:
                broker._child.wait()
                say("ended by itself; see mosquitto.log")
                return 1
    except (ProcessError, mosquitto.NoBroker, certs.CertsError, OSError) as error:
        say(in_words(error))
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
