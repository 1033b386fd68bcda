"""The broker's password file: mosquitto's own format, replaced as a whole, private."""

import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from cloud_stub.cloud import Cloud
from cloud_stub.piles import broker_passwords
from cloud_stub.piles.credentials import sync_credentials


def users(path: Path) -> list[str]:
    return [line.split(":")[0] for line in path.read_text().splitlines()]


def test_the_hash_is_the_one_mosquitto_passwd_makes():
    # Made with `mosquitto_passwd -b` 2.0.11 for the user cloud and the password secret.
    line = (
        "cloud:$7$101$MjaKpHWz9OtC27ub$VQ3jyY1RQcPpSdMJ2gleRhoDFRVTYfcT"
        "+3oxqYglhQ4lWBt+j/tZ+Xj8TBOh/TWo4zfvxMzeIctWhQOUjD4IJQ=="
    )
    assert broker_passwords.matches(line, "cloud", "secret")
    assert not broker_passwords.matches(line, "cloud", "Secret")
    assert not broker_passwords.matches(line, "cload", "secret")


def test_a_line_lets_its_user_in_and_nobody_else():
    line = broker_passwords.password_line("PILE-1", "secret")
    assert broker_passwords.matches(line, "PILE-1", "secret")
    assert not broker_passwords.matches(line, "PILE-1", "other")
    for damaged in (
        "PILE-1:",
        "PILE-1",
        "PILE-1:$7$x$y$z",
        "PILE-1:$6$101$AAAA$AAAA",
        "PILE-1:$7$101$*$AAAA",
    ):
        assert not broker_passwords.matches(damaged, "PILE-1", "secret")


def test_write_lets_exactly_these_in(tmp_path: Path):
    path = tmp_path / "broker" / "passwd"
    broker_passwords.write(path, {"cloud": "a", "PILE-1": "b"})
    broker_passwords.write(path, {"cloud": "a", "PILE-2": "c"})
    assert users(path) == ["cloud", "PILE-2"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "a" not in [line.split("$")[-1] for line in path.read_text().splitlines()]


def test_what_is_right_already_is_left_alone(tmp_path: Path):
    path = tmp_path / "passwd"
    broker_passwords.write(path, {"cloud": "a", "PILE-1": "b"})
    before = (path.read_text(), path.stat().st_ino)
    broker_passwords.write(path, {"cloud": "a", "PILE-1": "b"})
    assert (path.read_text(), path.stat().st_ino) == before
    broker_passwords.write(path, {"PILE-1": "changed"}, keep_others=True)
    cloud, pile = path.read_text().splitlines()
    assert cloud == before[0].splitlines()[0]
    assert broker_passwords.matches(pile, "PILE-1", "changed")


def test_writers_at_the_same_time_lose_nobody(tmp_path: Path):
    path = tmp_path / "passwd"

    def add(n: int) -> None:
        broker_passwords.write(path, {f"PILE-{n}": str(n)}, keep_others=True)

    threads = [threading.Thread(target=add, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(users(path)) == sorted(f"PILE-{n}" for n in range(20))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["passwd", "passwd.lock"]


@pytest.mark.parametrize(
    "call, allowed",
    [
        (("POST", "/api/piles", {"device_id": "PILE-2"}), ["cloud", "PILE-1", "PILE-2"]),
        (("DELETE", "/api/piles/PILE-1"), ["cloud"]),
    ],
)
def test_a_cloud_that_starts_undoes_nothing_done_meanwhile(
    operator: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, call: tuple[Any, ...], allowed: list[str]
):
    """A pile added while another worker started was kept out; one removed meanwhile was let in again."""
    path = cloud.settings.broker_folder / "passwd"
    assert operator("POST", "/api/piles", {"device_id": "PILE-1"}).status_code == 201
    take_turn = broker_passwords._locked

    def after_another(path: Path) -> Any:
        monkeypatch.undo()
        assert operator(*call).is_success
        return take_turn(path)

    monkeypatch.setattr(broker_passwords, "_locked", after_another)
    sync_credentials(cloud.store, cloud.settings)
    assert users(path) == allowed
