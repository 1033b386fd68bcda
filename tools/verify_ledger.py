"""Proves that an export of settlements is complete and unaltered, or names the first wrong record.

    python -m cloud_stub ledger export PILE-1 > ledger.jsonl
    RATELOCK_DEVICE_KEY=<64 hex digits> python -m tools.verify_ledger ledger.jsonl

It needs nothing from the cloud: each record must carry the seal of the pile's key, number and mac must follow
the record before it, and the sealed last line must count them all. A settlement number 1 that follows none
begins another chain (the pile's flash was erased); the last line tells where each chain ends. Whoever has the
key could still make another ledger; `--last-seq`, the number of the newest settlement as the pile itself
reports it, finds a ledger that was made shorter with the key.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloud_stub.base.os_errors import in_words
from pile_protocol import messages, seal, wire
from pile_protocol.errors import ProtocolError
from tools.harness.sim_pile import KEY_VARIABLE


class Broken(Exception):
    """The text names the first record that is wrong, and why."""


@dataclass
class Chain:
    """How far one pile's settlements have been proven.

    epochs: [last number, its mac] of each chain that ended.
    """

    settlements: int = 0
    last_seq: int = 0
    last_mac: str | None = None
    epochs: list[list[Any]] = field(default_factory=list)
    total_minor: int = 0
    energy_mwh: int = 0
    ended: bool = False


def verify(lines: Iterable[bytes], keys: Mapping[str, bytes]) -> dict[str, Chain]:
    """The proven chains by device id. Raises Broken."""
    chains: dict[str, Chain] = {}
    for number, line in enumerate(lines, 1):
        try:
            _take(chains, keys, line.removesuffix(b"\n"))
        except ProtocolError as error:
            raise Broken(f"record {number}: {error}") from error
        except Broken as error:
            raise Broken(f"record {number}: {error}") from None
    for device_id, chain in chains.items():
        if not chain.ended:
            raise Broken(f"{device_id}: the last line is missing after settlement {chain.last_seq}")
    if not chains:
        raise Broken("there is no record")
    return chains


def _take(chains: dict[str, Chain], keys: Mapping[str, bytes], line: bytes) -> None:
    """Proves one record against the chain so far. Raises Broken, ProtocolError."""
    value = messages.parse_json(line)
    device_id = value.get("device_id")
    if not isinstance(device_id, str) or device_id not in keys:
        raise Broken(f"there is no key for {device_id!r}")
    mac = seal.check(line, keys[device_id])
    chain = chains.setdefault(device_id, Chain())
    if chain.ended:
        raise Broken(f"{device_id} has a record after its last line")
    if value.get("kind") == "ledger end":
        _end(chain, value)
        return
    messages.validate(wire.SETTLEMENT, value)
    if chain.last_seq and value["seq"] == 1 and value["prev_mac"] is None:
        chain.epochs.append([chain.last_seq, chain.last_mac])
        chain.last_seq, chain.last_mac = 0, None
    if value["seq"] != chain.last_seq + 1:
        raise Broken(f"settlement {value['seq']} follows settlement {chain.last_seq} of {device_id}")
    if value["prev_mac"] != chain.last_mac:
        raise Broken(f"settlement {value['seq']} was made after another one than settlement {chain.last_seq}")
    lines_minor = sum(row[5] + row[6] for row in value["periods"]) + value["session_fee_minor"]
    if lines_minor != value["total_minor"]:
        raise Broken(f"the lines of settlement {value['seq']} do not add up to its total")
    chain.settlements += 1
    chain.last_seq = value["seq"]
    chain.last_mac = mac
    chain.total_minor += value["total_minor"]
    chain.energy_mwh += value["energy_mwh"]


def _end(chain: Chain, value: Mapping[str, Any]) -> None:
    if chain.settlements:
        chain.epochs.append([chain.last_seq, chain.last_mac])
    counted = (value.get("settlements"), value.get("last_seq"), value.get("last_mac"))
    # Exports of earlier clouds have no member `epochs`: there was one chain.
    epochs = value.get("epochs", [list(counted[1:])] if chain.settlements else [])
    if counted != (chain.settlements, chain.last_seq, chain.last_mac) or epochs != chain.epochs:
        raise Broken(
            f"the last line counts {counted[0]} settlements up to {counted[1]} in {len(epochs)} chains,"
            f" here are {chain.settlements} in {len(chain.epochs)}"
        )
    chain.ended = True


def read_keys(path: Path | None) -> dict[str, bytes]:
    """{device_id: key} of a JSON file {device_id: 64 hex digits}. Raises OSError, ValueError."""
    if path is None:
        return {}
    keys = json.loads(path.read_bytes())
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        raise ValueError(f'{path} must hold one JSON object, {{"<device id>": "<64 hex digits>", ...}}')
    return {device_id: seal.parse_key(key) for device_id, key in keys.items()}


def only_key(lines: list[bytes], key: str) -> dict[str, bytes]:
    """One key, for the one pile that the first record names."""
    first = messages.parse_json(lines[0]).get("device_id") if lines else None
    return {str(first): seal.parse_key(key)}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ledger", type=Path, help="the export: JSON lines")
    parser.add_argument("--keys", type=Path, help=f"JSON file of device keys; else one key in {KEY_VARIABLE}")
    parser.add_argument("--last-seq", type=int, help="of the newest settlement, as the pile itself tells it")
    options = parser.parse_args(argv)
    try:
        lines = options.ledger.read_bytes().splitlines()
        keys = read_keys(options.keys) or only_key(lines, os.environ.get(KEY_VARIABLE, ""))
    except (OSError, ValueError) as error:
        print(f"verify_ledger: {in_words(error)}", file=sys.stderr)
        return 2
    try:
        chains = verify(lines, keys)
        for device_id, chain in chains.items():
            if options.last_seq is not None and chain.last_seq != options.last_seq:
                raise Broken(
                    f"{device_id} has made settlement {options.last_seq}; the ledger ends at {chain.last_seq}"
                )
    except Broken as error:
        print(f"LEDGER BROKEN: {error}")
        return 1
    for device_id, chain in chains.items():
        print(
            f"{device_id}: {chain.settlements} settlements in {len(chain.epochs)} chains,"
            f" {chain.energy_mwh} mWh, {chain.total_minor} minor units: complete and unaltered"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
