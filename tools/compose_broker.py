"""Writes configuration and passwords of the broker in compose.yaml into the data folder, before it starts.

python -m tools.compose_broker
"""

from __future__ import annotations

from cloud_stub.piles import broker_acl, broker_passwords
from cloud_stub.settings import Settings
from tools.harness import broker_config


def main() -> int:
    settings = Settings()
    settings.prepare()
    folder = settings.broker_folder
    passwords = {broker_acl.CLOUD_USER: settings.read_mqtt_password()}
    broker_passwords.write(folder / "passwd", passwords, keep_others=True)
    broker_config.write(folder, "listener 1883")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
