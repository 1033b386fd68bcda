"""A capture keeps what came byte for byte, and a damaged one tells what it still holds."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pile_protocol import topics
from tests.console import kit
from tools.console.capture import (
    KEPT_BYTES,
    Event,
    LinkChange,
    Message,
    Reader,
    Recorder,
    from_line,
    to_line,
)
from tools.console.errors import CaptureError
from tools.console.event_queue import EventQueue
from tools.console.replay import Replay

EVENTS: list[Event] = [
    LinkChange(kit.AT_MS, True, "connected"),
    kit.message(topics.STATUS),
    Message.arrived(kit.AT_MS + 5, "pile/v1/PILE-1/status", b"\xff\x00 no text", True),
]


def written(path: Path, events: list[Event]) -> Path:
    with Recorder(path) as recorder:
        recorder.write(events)
    return path


@given(
    at_ms=st.integers(0, 2**53),
    topic=st.text(),
    payload=st.binary(max_size=200),
    retained=st.booleans(),
)
def test_a_message_comes_back_as_it_was(at_ms: int, topic: str, payload: bytes, retained: bool) -> None:
    message = Message.arrived(at_ms, topic, payload, retained)
    line = to_line(message)
    assert line.count("\n") == 1
    assert from_line(line) == message


def test_everything_comes_back_in_order(tmp_path: Path) -> None:
    reader = Reader(written(tmp_path / "a capture.jsonl", EVENTS))
    assert list(reader.events()) == EVENTS
    assert reader.damaged == 0


def test_a_payload_beyond_all_bounds_is_cut_and_its_size_kept() -> None:
    message = Message.arrived(0, "t", b"x" * 100_000, False)
    assert (len(message.payload), message.size_bytes) == (KEPT_BYTES, 100_000)
    assert from_line(to_line(message)) == message


def test_a_recorder_that_is_killed_has_kept_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    recorder = Recorder(path)
    recorder.write(EVENTS)  # and never closed
    assert list(Reader(path).events()) == EVENTS
    recorder.close()


def test_half_a_line_and_junk_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "capture", EVENTS[:1])
    junk = [
        "[]",
        "null",
        "{}",
        '{"at_ms":true,"topic":"t","text":""}',
        '{"at_ms":1,"topic":"t","base64":"?"}',
        '{"at_ms":1,"topic":"t","text":5}',
        "[" * 5_000,
        '{"at_ms":1,"top',
    ]
    with open(path, "ab") as file:
        file.write(("\n".join(junk[:-1]) + "\n").encode() + b"\xff\xfe\n" + to_line(EVENTS[1]).encode())
        file.write(junk[-1].encode())
    reader = Reader(path)
    assert list(reader.events()) == EVENTS[:2]
    assert reader.damaged == len(junk) + 1


def test_a_capture_never_overwrites_a_file(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("precious")
    with pytest.raises(CaptureError, match="exists already"):
        Recorder(path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("content", [b"", b"hello\n", b"[1]\n", b'{"at_ms":1}\n', b"\xff\xff\xff"])
def test_a_file_that_is_no_capture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match="is not a capture"):
        Reader(path)


def test_a_capture_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"capture":"ratelock","version":99}\n')
    with pytest.raises(CaptureError, match="another version"):
        Reader(path)


def test_files_that_cannot_be_opened_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cannot be read"):
        Reader(tmp_path / "missing")
    with pytest.raises(CaptureError, match="cannot be written"):
        Recorder(tmp_path / "no folder" / "file")


def replayed(path: Path, fast: bool) -> tuple[list[Event], Replay]:
    event_queue = EventQueue()
    replay = Replay(path, fast, event_queue)
    replay.start()
    taken: list[Event] = []
    while not event_queue.exhausted:
        taken += event_queue.take(100, timeout_s=10)
    replay.stop()
    return taken, replay


def test_a_replay_gives_everything_and_its_clock_is_the_capture_s(tmp_path: Path) -> None:
    taken, replay = replayed(written(tmp_path / "capture", EVENTS), fast=True)
    assert taken == EVENTS
    assert replay.now_ms() == kit.AT_MS + 5
    assert not replay.publish("topic", b"")


def test_a_replay_at_its_own_pace_waits_as_long_as_the_capture_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waits are recorded instead of waited for."""
    later = [Message.arrived(kit.AT_MS + ms, "t", b"", False) for ms in (0, 40_000, 100_000)]
    path = written(tmp_path / "capture", list(later))
    event_queue = EventQueue()
    replay = Replay(path, fast=False, event_queue=event_queue)
    waits: list[float] = []

    class Ending:
        def wait(self, seconds: float) -> None:
            waits.append(seconds)

        def is_set(self) -> bool:
            return False

    monkeypatch.setattr(replay, "_ending", Ending())
    replay._run()
    assert event_queue.take(10) == later
    assert [round(seconds, -1) for seconds in waits] == [0, 40, 100]


def test_a_replay_can_be_stopped_in_the_middle_of_a_pause(tmp_path: Path) -> None:
    hours_apart = [Message.arrived(kit.AT_MS + ms, "t", b"", False) for ms in (0, 36_000_000)]
    event_queue = EventQueue()
    replay = Replay(written(tmp_path / "capture", list(hours_apart)), fast=False, event_queue=event_queue)
    replay.start()
    assert event_queue.take(1, timeout_s=10) == hours_apart[:1]
    replay.stop()
    assert event_queue.exhausted
