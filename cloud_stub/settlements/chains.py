"""The place of a settlement in its pile's chain of numbers and macs, and on its connector's register.

A pile has one chain for each life of its flash: an epoch. A new epoch begins if the pile sent a hello with
last_seq 0, then a well sealed settlement number 1 with prev_mac null that is not stored yet, and the epoch
so far has another number 1. A hello is not sealed, so it begins nothing by itself. An old settlement that is
sent again is known by its mac.

A connector's register only grows. A settlement whose first register is below the last one of the settlement
before it on its connector overlaps that settlement; a first register above it leaves unbilled energy between
them. A settlement that arrives late changes the flags and the unbilled energy of the one after it. Registers
of two epochs are not compared, because the meter of a new board may count from 0.
"""

import json
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnElement, Connection, and_, bindparam, func, select, update

from ..db import json_lists
from ..db.engine import to_json
from ..db.rows import PileRow, Query
from ..db.tables import piles, settlements

# Flag, held against, flagged when: as rules.OTHER_FLAGS.
SEQ_REUSED, SEQ_GAP, CHAIN_BROKEN = "SeqReused", "SeqGap", "ChainBroken"
REGISTER_OVERLAP = "RegisterOverlap"
CHAIN_FLAGS = (
    (SEQ_REUSED, "its chain", "another settlement has the number"),
    (SEQ_GAP, "its chain", "the settlement before it is missing; no longer flagged when that one comes"),
    (CHAIN_BROKEN, "its chain", "`prev_mac` is not the mac of the settlement before it"),
    (
        REGISTER_OVERLAP,
        "its connector's settlements",
        "`start_register_mwh` is below `end_register_mwh` of the settlement before it on its connector",
    ),
)
EPOCHS_SEARCHED = 8  # the newest; a pile whose flash does not last begins epochs without end
_EVENT_MIN_MWH = 1_000  # less than 1 Wh of unbilled energy is counted, and no event

_WHERE_DEVICE, _WHERE_EPOCH, _WHERE_CONNECTOR, _WHERE_SEQ = json_lists.rows("wanted", str, int, int, int)


def _seq_on_connector(best: Any, condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return (
        select(best(settlements.c.chain_seq))
        .where(
            settlements.c.device_id == _WHERE_DEVICE,
            settlements.c.epoch == _WHERE_EPOCH,
            settlements.c.connector == _WHERE_CONNECTOR,
            condition,
        )
        .scalar_subquery()
    )


class _OnConnector(NamedTuple):
    device_id: str
    epoch: int
    before: int | None
    after: int | None


class _Stored(NamedTuple):
    device_id: str
    epoch: int
    chain_seq: int
    mac: str
    connector: int | None
    start_register_mwh: int | None
    end_register_mwh: int | None
    unbilled_mwh: int | None
    payload: str
    flags_json: str
    total_minor: int
    settles_order_id: str | None


_ON_CONNECTOR = Query(
    select(
        _WHERE_DEVICE.label("device_id"),
        _WHERE_EPOCH.label("epoch"),
        _seq_on_connector(func.max, settlements.c.chain_seq < _WHERE_SEQ).label("before"),
        _seq_on_connector(func.min, settlements.c.chain_seq > _WHERE_SEQ).label("after"),
    ),
    _OnConnector,
)
_AT_DEVICE, _AT_EPOCH, _AT_SEQ = json_lists.rows("places", str, int, int)
_STORED = Query(
    select(
        settlements.c.device_id,
        settlements.c.epoch,
        func.coalesce(settlements.c.chain_seq, 0).label("chain_seq"),
        *(settlements.c[name] for name in _Stored._fields[3:]),
    ).where(
        settlements.c.device_id == _AT_DEVICE,
        settlements.c.epoch == _AT_EPOCH,
        settlements.c.chain_seq == _AT_SEQ,
    ),
    _Stored,
)
_CHANGE = (
    update(settlements)
    .where(
        settlements.c.device_id == bindparam("of"),
        settlements.c.epoch == bindparam("in_epoch"),
        settlements.c.chain_seq == bindparam("number"),
    )
    .values(
        flags_json=bindparam("flags"),
        # An operator's decision stays, even one made a moment ago through another worker.
        flagged=and_(bindparam("any", type_=Boolean), settlements.c.reviewed_at.is_(None)),
        unbilled_mwh=bindparam("unbilled"),
    )
)
_SET_EPOCH = (
    update(piles)
    .where(piles.c.device_id == bindparam("of"))
    .values(epoch=bindparam("to"), empty_hello_at=None)
)

_UNREAD = object()

Key = tuple[str, int, int]  # device id, epoch, number


@dataclass(eq=False, slots=True)
class Place:
    """Where a settlement stands; in_chain: not where its number was taken.

    connector, registers: None if it has none. own_flags: those that do not depend on its neighbours.
    """

    device_id: str
    seq: int
    mac: str
    connector: int | None
    start_mwh: int | None
    end_mwh: int | None
    payload: str
    total_minor: int
    settles_order_id: str | None = None
    own_flags: list[str] = field(default_factory=list)
    chain_flag: str | None = None
    overlaps: bool = False
    unbilled_mwh: int | None = None
    epoch: int = 1
    in_chain: bool = False
    stored: _Stored | None = None  # as the database has it
    known_prev_mac: Any = _UNREAD  # most settlements are never asked for it

    @property
    def prev_mac(self) -> Any:
        """As it was sealed, whatever its type; "" where it is missing."""
        if self.known_prev_mac is _UNREAD:
            self.known_prev_mac = json.loads(self.payload).get("prev_mac", "")
        return self.known_prev_mac

    @property
    def lacks_last_reading(self) -> bool:
        return json.loads(self.payload).get("last_reading") == "Missing"

    @property
    def flags(self) -> list[str]:
        chain = [self.chain_flag] if self.chain_flag else []
        return self.own_flags + chain + ([REGISTER_OVERLAP] if self.overlaps else [])

    def differs(self, stored: _Stored) -> bool:
        return to_json(self.flags) != stored.flags_json or self.unbilled_mwh != stored.unbilled_mwh


def _place(row: _Stored) -> Place:
    flags: list[str] = json.loads(row.flags_json)
    of_chain = [flag for flag in flags if flag in (SEQ_GAP, CHAIN_BROKEN)]
    return Place(
        device_id=row.device_id,
        seq=row.chain_seq,
        mac=row.mac,
        connector=row.connector,
        start_mwh=row.start_register_mwh,
        end_mwh=row.end_register_mwh,
        payload=row.payload,
        total_minor=row.total_minor,
        settles_order_id=row.settles_order_id,
        own_flags=[flag for flag in flags if flag not in (SEQ_GAP, CHAIN_BROKEN, REGISTER_OVERLAP)],
        chain_flag=of_chain[0] if of_chain else None,
        overlaps=REGISTER_OVERLAP in flags,
        unbilled_mwh=row.unbilled_mwh,
        epoch=row.epoch,
        stored=row,
    )


def _searched(newest: int) -> range:
    """The epochs in which a settlement may have its place, where `newest` is the pile's."""
    return range(max(1, newest - EPOCHS_SEARCHED + 1), newest + 1)


class Chains:
    """The chains of some piles around the settlements that are about to be stored.

    wanted: (device id, number, connector or None) of each. pile_rows: theirs, as of `now`.
    """

    def __init__(
        self,
        conn: Connection,
        pile_rows: Mapping[str, PileRow],
        wanted: Collection[tuple[str, int, int | None]],
        now: int,
    ):
        self._epoch = {device_id: row.epoch for device_id, row in pile_rows.items()}
        self._greeted_empty = {
            device_id: row.empty_hello_at
            for device_id, row in pile_rows.items()
            if row.empty_hello_at is not None
        }
        self._now = now
        self._places: dict[Key, Place] = {}
        self._numbers: defaultdict[tuple[str, int, int], list[int]] = defaultdict(list)
        self._piles: dict[str, int] = {}  # whose row changes: the epoch by then
        self.changed_orders: list[str] = []  # whose settlement has other flags than when it was stored
        self.free_orders: list[str] = []  # of these, those whose settlement has no flag and a total of zero
        # (kind, device id, order id, detail) of what is to be noted.
        self.events: list[tuple[str, str, str | None, str]] = []
        self._load(conn, wanted)

    def _load(self, conn: Connection, wanted: Collection[tuple[str, int, int | None]]) -> None:
        keys: set[Key] = set()
        on_connector: list[tuple[str, int, int, int]] = []
        for device_id, seq, connector in wanted:
            for epoch in _searched(self._epoch[device_id]):
                keys.update((device_id, epoch, seq + step) for step in (-1, 0, 1))
                if connector is not None:
                    on_connector.append((device_id, epoch, connector, seq))
        for row in _ON_CONNECTOR.all(conn, {"wanted": to_json(on_connector)}):
            beside = (row.before, row.after)
            keys.update((row.device_id, row.epoch, seq) for seq in beside if seq is not None)
        for row in _STORED.all(conn, {"places": to_json(list(keys))}):
            self._put(_place(row))

    def _put(self, place: Place) -> None:
        place.in_chain = True
        self._places[place.device_id, place.epoch, place.seq] = place
        if place.connector is not None:
            insort(self._numbers[place.device_id, place.epoch, place.connector], place.seq)

    def _at(self, device_id: str, epoch: int, seq: int) -> Place | None:
        return self._places.get((device_id, epoch, seq))

    def join(self, place: Place) -> None:
        """Give a new settlement its epoch, its place, and the flags of that place."""
        device_id, seq = place.device_id, place.seq
        place.epoch = self._epoch_of(place)
        if self._at(device_id, place.epoch, seq) is not None:
            place.own_flags.append(SEQ_REUSED)
            return
        # A greeting of this moment may have come after this settlement: greetings are handled first.
        if seq == 1 and self._greeted_empty.get(device_id, self._now) < self._now:
            self._consume_greeting(device_id)
        self._put(place)
        self._judge_chain(place)
        self._judge_register(place)
        in_chain, on_connector = self._at(device_id, place.epoch, seq + 1), self._beside(place, 1)
        flags_before = [(each, each.flags) for each in {in_chain, on_connector} if each is not None]
        if in_chain is not None:
            self._judge_chain(in_chain)
        if on_connector is not None:
            self._judge_register(on_connector)
        for each, flags in flags_before:
            if each.settles_order_id is not None and each.flags != flags:
                self.changed_orders.append(each.settles_order_id)
                if not each.flags and not each.total_minor:
                    self.free_orders.append(each.settles_order_id)

    def _epoch_of(self, place: Place) -> int:
        """The epoch whose settlements it stands between; else the pile's, or a new one."""
        device_id, seq = place.device_id, place.seq
        epoch = self._epoch[device_id]
        prev_mac = place.prev_mac
        for earlier in reversed(_searched(epoch)):
            before = self._at(device_id, earlier, seq - 1)
            after = self._at(device_id, earlier, seq + 1)
            if before is not None and before.mac == prev_mac:
                return earlier
            if after is not None and after.prev_mac == place.mac:
                return earlier
        is_first = seq == 1 and prev_mac is None and self._at(device_id, epoch, 1) is not None
        if is_first and device_id in self._greeted_empty:
            epoch += 1
            self._epoch[device_id] = epoch
            self._consume_greeting(device_id)
            detail = f"epoch {epoch} begins: the flash was erased, or the board replaced"
            self.events.append(("ChainRestarted", device_id, None, detail))
        return epoch

    def _consume_greeting(self, device_id: str) -> None:
        del self._greeted_empty[device_id]
        self._piles[device_id] = self._epoch[device_id]

    def _judge_chain(self, place: Place) -> None:
        before = self._at(place.device_id, place.epoch, place.seq - 1)
        place.chain_flag = None
        if place.seq > 1 and before is None:
            place.chain_flag = SEQ_GAP
        elif place.prev_mac != (before.mac if before is not None else None):
            place.chain_flag = CHAIN_BROKEN

    def _judge_register(self, place: Place) -> None:
        before = self._beside(place, -1)
        if before is None or before.end_mwh is None or place.start_mwh is None:
            return
        was_mwh, unbilled_mwh = place.unbilled_mwh or 0, max(0, place.start_mwh - before.end_mwh)
        place.unbilled_mwh = unbilled_mwh
        place.overlaps = place.start_mwh < before.end_mwh
        if unbilled_mwh != was_mwh and max(unbilled_mwh, was_mwh) >= _EVENT_MIN_MWH:
            detail = f"connector {place.connector}, before settlement {place.seq}: {unbilled_mwh} mWh"
            if before.lacks_last_reading:
                detail += f" (settlement {before.seq} has no last reading)"
            self.events.append(("EnergyUnbilled", place.device_id, place.settles_order_id, detail))

    def _beside(self, place: Place, step: int) -> Place | None:
        """The settlement before (-1) or after (1) it on its connector."""
        if place.connector is None:
            return None
        numbers = self._numbers[place.device_id, place.epoch, place.connector]
        at = bisect_left(numbers, place.seq) + step
        return self._at(place.device_id, place.epoch, numbers[at]) if 0 <= at < len(numbers) else None

    def write(self, conn: Connection) -> None:
        """Write what has changed of piles and of settlements stored before."""
        changed = [
            {
                "of": place.device_id,
                "in_epoch": place.epoch,
                "number": place.seq,
                "flags": to_json(place.flags),
                "any": bool(place.flags),
                "unbilled": place.unbilled_mwh,
            }
            for place in self._places.values()
            if place.stored and place.differs(place.stored)
        ]
        if changed:
            conn.execute(_CHANGE, changed)
        if self._piles:
            conn.execute(_SET_EPOCH, [{"of": of, "to": to} for of, to in self._piles.items()])
