"""The CA of an installation is made once, and never replaced behind its owner's back."""

from __future__ import annotations

import pytest

from tools.certs import Ca, CertsError, ensure


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_missing_is_made_and_then_left_alone(tmp_path) -> None:
    ensure(tmp_path)
    made = contents(tmp_path)
    assert made.keys() == {"ca.pem", "ca.key", "server.pem", "server.key"}
    ensure(tmp_path)
    assert contents(tmp_path) == made


def test_a_start_needs_no_ca_key_that_is_offline(tmp_path) -> None:
    ensure(tmp_path)
    (tmp_path / "ca.key").unlink()
    before = contents(tmp_path)
    ensure(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("gone", "says"), [("ca.key", "bring it back"), ("ca.pem", "put it back")])
def test_half_a_ca_is_not_replaced_by_another_one(tmp_path, gone: str, says: str) -> None:
    ensure(tmp_path)
    (tmp_path / gone).unlink()
    (tmp_path / "server.pem").unlink()
    before = contents(tmp_path)
    with pytest.raises(CertsError, match=says):
        ensure(tmp_path)
    with pytest.raises(CertsError, match=says):
        Ca(tmp_path)
    assert contents(tmp_path) == before
