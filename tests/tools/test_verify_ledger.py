"""tools/verify_ledger.py: what it says of its own input (the ledgers themselves: tests/security)."""

from __future__ import annotations

import json

import pytest

from tools import verify_ledger


@pytest.mark.parametrize("keys", [[1], {"PILE-1": 1}, "text", {"PILE-1": "short"}])
def test_a_key_file_of_another_form_is_refused_in_a_sentence(tmp_path, capsys, keys: object) -> None:
    (tmp_path / "ledger").touch()
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    assert verify_ledger.main([str(tmp_path / "ledger"), "--keys", str(tmp_path / "keys.json")]) == 2
    assert capsys.readouterr().err.startswith("verify_ledger: ")
