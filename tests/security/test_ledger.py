"""An export of settlements proves itself; any change to it is found at the first record that is not true."""

from __future__ import annotations

import json

import pytest

from pile_protocol import messages, seal
from tests.portable.kit import DEVICE_ID, KEY, Pile
from tools import verify_ledger
from tools.verify_ledger import Broken, verify

KEYS = {DEVICE_ID: [KEY]}


def ending(records: list[bytes], **lies) -> bytes:
    last = json.loads(records[-1])
    end = {
        "kind": "ledger end",
        "device_id": DEVICE_ID,
        "settlements": len(records),
        "last_seq": last["seq"],
        "last_mac": last["mac"],
        "exported_at": 1_800_000_000,
    }
    return seal.seal(messages.encode(end | lies), KEY)


def settled(count: int, name: str) -> list[bytes]:
    """The first settlements of a board, as it sealed them."""
    pile = Pile()
    records = []
    for n in range(1, count + 1):
        pile.charge(f"{name}{n}", cycles=12)
        pile.stop(f"{name}{n}")
        head = pile.controller.outbox.head()
        assert head and head[0] == n
        sealed = bytes(head[1] or b"")
        records.append(sealed)
        pile.acknowledge(json.loads(sealed))
    return records


@pytest.fixture(scope="module")
def ledger() -> list[bytes]:
    """Five settlements as a pile sealed them, and the last line."""
    records = settled(5, "o")
    return [*records, ending(records)]


def first_wrong(lines: list[bytes]) -> str:
    with pytest.raises(Broken) as broken:
        verify(lines, KEYS)
    return str(broken.value)


def test_what_the_pile_sealed_is_proven(ledger):
    chain = verify(ledger, KEYS)[DEVICE_ID]
    assert (chain.settlements, chain.last_seq, chain.ended) == (5, 5, True)
    assert chain.energy_mwh == sum(json.loads(line)["energy_mwh"] for line in ledger[:-1]) > 0


def test_every_altered_byte_is_found_at_its_record(ledger):
    for number, line in enumerate(ledger, 1):
        for at in range(0, len(line), 1 if number == 2 else 29):
            changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
            found = first_wrong([*ledger[: number - 1], changed, *ledger[number:]])
            assert found.startswith(f"record {number}: "), (at, found)


@pytest.mark.parametrize("gone", range(5))
def test_a_dropped_record_is_found_at_the_one_after_it(ledger, gone):
    assert first_wrong(ledger[:gone] + ledger[gone + 1 :]).startswith(f"record {gone + 1}: ")


def test_records_in_another_order_are_found(ledger):
    a, b, c, *rest = ledger
    assert first_wrong([b, a, c, *rest]).startswith("record 1: settlement 2 follows settlement 0")
    assert first_wrong([a, c, b, *rest]).startswith("record 2: settlement 3 follows settlement 1")


def test_a_doubled_record_is_found(ledger):
    a, b, *rest = ledger
    assert first_wrong([a, b, b, *rest]).startswith("record 3: settlement 2 follows settlement 2")


@pytest.mark.parametrize("kept", range(1, 6))
def test_an_end_that_was_cut_off_is_found(ledger, kept):
    assert "the last line is missing" in first_wrong(ledger[:kept])
    assert "the last line counts 5 settlements" in first_wrong([*ledger[: kept - 1], ledger[-1]])


def test_a_record_cut_short_at_any_byte_is_found(ledger):
    line = ledger[1]
    for length in range(0, len(line), 13):
        assert first_wrong([ledger[0], line[:length], *ledger[2:]]).startswith("record 2: ")


def test_another_piles_record_or_another_keys_is_found(ledger):
    changed = json.loads(ledger[1])
    del changed["mac"]
    foreign = seal.seal(messages.encode(changed), bytes(32))
    assert first_wrong([ledger[0], foreign, *ledger[2:]]).startswith("record 2: the mac does not belong")
    other = seal.seal(messages.encode(changed | {"device_id": "SOMEONE-ELSE"}), KEY)
    assert first_wrong([ledger[0], other, *ledger[2:]]) == "record 2: there is no key for 'SOMEONE-ELSE'"


def test_a_record_in_the_middle_remade_with_the_key_breaks_the_chain(ledger):
    """The cloud has the keys: it can seal another settlement, but not without making all later ones anew."""
    changed = json.loads(ledger[1])
    del changed["mac"]
    changed["stop_reason"] = "Local"
    remade = seal.seal(messages.encode(changed), KEY)
    found = first_wrong([ledger[0], remade, *ledger[2:]])
    assert found == "record 3: settlement 3 was made after another one than settlement 2"


def test_a_total_that_its_lines_do_not_make_is_found(ledger):
    changed = json.loads(ledger[0])
    del changed["mac"]
    changed["total_minor"] += 1
    assert "do not add up" in first_wrong([seal.seal(messages.encode(changed), KEY), *ledger[1:]])


def test_nothing_is_no_ledger():
    assert first_wrong([]) == "there is no record"


def test_a_ledger_made_shorter_with_the_key_is_found_by_the_piles_own_count(
    ledger, tmp_path, capsys, monkeypatch
):
    short = [*ledger[:3], ending(ledger[:3])]
    path = tmp_path / "a ledger.jsonl"
    path.write_bytes(b"\n".join(short) + b"\n")
    monkeypatch.setenv("RATELOCK_DEVICE_KEY", KEY.hex())
    assert verify_ledger.main([str(path)]) == 0
    assert "3 settlements" in capsys.readouterr().out
    assert verify_ledger.main([str(path), "--last-seq", "5"]) == 1
    assert "the ledger ends at 3" in capsys.readouterr().out


def test_a_wrong_key_or_no_file_is_one_sentence(ledger, tmp_path, capsys, monkeypatch):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"\n".join(ledger) + b"\n")
    monkeypatch.setenv("RATELOCK_DEVICE_KEY", "00" * 32)
    assert verify_ledger.main([str(path)]) == 1
    assert capsys.readouterr().out.startswith("LEDGER BROKEN: record 1: the mac")
    monkeypatch.setenv("RATELOCK_DEVICE_KEY", "secret")
    assert verify_ledger.main([str(path)]) == 2
    error = capsys.readouterr().err
    assert "64 hex digits" in error and "secret" not in error
    assert verify_ledger.main([str(tmp_path / "none")]) == 2


def test_keys_of_several_piles_come_from_a_file(ledger, tmp_path, capsys):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"\n".join(ledger))
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({DEVICE_ID: KEY.hex(), "OTHER": "11" * 32}))
    assert verify_ledger.main([str(path), "--keys", str(keys)]) == 0
    assert "complete and unaltered" in capsys.readouterr().out


@pytest.fixture(scope="module")
def two_chains(ledger) -> list[bytes]:
    """As `ledger`, then three settlements of a board that replaced the first one."""
    records = [*ledger[:-1], *settled(3, "n")]
    return [*records, ending(records, epochs=[end_of(records[4]), end_of(records[7])])]


def end_of(record: bytes) -> list[object]:
    last = json.loads(record)
    return [last["seq"], last["mac"]]


def test_each_chain_of_a_pile_is_proven(two_chains):
    chain = verify(two_chains, KEYS)[DEVICE_ID]
    assert (chain.settlements, chain.last_seq) == (8, 3)
    assert chain.epochs == [end_of(two_chains[4]), end_of(two_chains[7])]


@pytest.mark.parametrize("gone", range(8))
def test_a_record_dropped_from_either_chain_is_found(two_chains, gone):
    """Also the last of the first chain, which no later record names."""
    first_wrong(two_chains[:gone] + two_chains[gone + 1 :])


def test_a_chain_that_is_left_out_as_a_whole_is_found(two_chains):
    first_wrong(two_chains[5:])
    first_wrong([*two_chains[:5], two_chains[-1]])
