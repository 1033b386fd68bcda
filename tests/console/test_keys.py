"""Keys come from a file or from the cloud's database, and never appear in an error."""

import json
from pathlib import Path

import pytest

from cloud_stub.cli import main as cloud
from tools.console import commands, keys
from tools.console.errors import CommandError, KeysError

HEX = "ab" * 32


def keys_file(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_a_file_of_keys_is_read(tmp_path: Path) -> None:
    read = keys.from_file(keys_file(tmp_path / "keys.json", {"PILE-1": HEX}))
    assert len(read) == 1
    assert read.get("PILE-1") == bytes.fromhex(HEX)
    assert read.get("PILE-2") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "one JSON object"),
        ({"PILE-1": HEX[:-1]}, "the key of PILE-1"),
        ({"PILE-1": None}, "the key of PILE-1"),
    ],
)
def test_what_is_wrong_with_a_file_of_keys_is_told_without_the_key(
    tmp_path: Path, value: object, words: str
) -> None:
    with pytest.raises(KeysError, match=words) as told:
        keys.from_file(keys_file(tmp_path / "keys.json", value))
    assert HEX[:-1] not in str(told.value)


def test_a_missing_or_broken_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="cannot be read"):
        keys.from_file(tmp_path / "missing.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(KeysError, match="is not JSON"):
        keys.from_file(tmp_path / "broken.json")


def test_a_pile_added_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = keys_file(tmp_path / "keys.json", {})
    read = keys.from_file(path)
    keys_file(path, {"PILE-1": HEX})
    assert read.get("PILE-1") is None  # not at every miss: an open broker could name a pile a message
    monkeypatch.setattr(keys, "RELOAD_S", 0)
    path.write_text("{")
    assert read.get("PILE-1") is None  # in the middle of an edit
    keys_file(path, {"PILE-1": HEX})
    assert read.get("PILE-1") == bytes.fromhex(HEX)


def test_the_cloud_s_database_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RATELOCK_DATA", str(tmp_path / "the data"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert len(keys.from_database()) == 0
    assert not (tmp_path / "the data" / "cloud.db").exists()  # looking makes none
    assert cloud(["pile", "add", "PILE-7"]) == 0
    added = json.loads(capsys.readouterr().out)
    assert keys.from_database().get("PILE-7") == bytes.fromhex(added["key"])


def test_a_database_that_is_none_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATELOCK_DATA", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "cloud.db").write_text("this is no database, but long enough to be looked at" * 100)
    with pytest.raises(KeysError, match="cannot be read"):
        keys.from_database()


def test_a_command_that_no_pile_would_understand_is_not_made() -> None:
    with pytest.raises(CommandError, match="order_id"):
        commands.stop("PILE-1", "o 1", bytes(32))
