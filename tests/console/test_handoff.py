"""What is between the threads stays bounded, in order, and tells what it lost."""

import threading

from tools.console.capture import LinkChange, Message
from tools.console.handoff import EVENT_BYTES, Handoff

WEIGHT = EVENT_BYTES + 100


def message(number: int) -> Message:
    return Message.arrived(number, "t", b"x" * 100, False)


def test_a_full_handoff_loses_the_newest_and_counts_them() -> None:
    handoff = Handoff(limit_bytes=10 * WEIGHT)
    for number in range(25):
        handoff.put(message(number))
    assert handoff.lost == 15
    assert handoff.take(100) == [message(number) for number in range(10)]
    handoff.put(message(99))  # there is room again
    assert handoff.take(100) == [message(99)]


def test_news_of_the_link_is_taken_even_when_full() -> None:
    handoff = Handoff(limit_bytes=WEIGHT)
    handoff.put(message(1))
    handoff.put(LinkChange(2, False, "gone"))
    assert handoff.take(10) == [message(1), LinkChange(2, False, "gone")]


def test_one_message_larger_than_all_of_it_still_passes() -> None:
    handoff = Handoff(limit_bytes=1)
    handoff.put(message(1))
    assert handoff.take(10) == [message(1)]


def test_a_writer_that_waits_loses_nothing() -> None:
    handoff = Handoff(limit_bytes=3 * WEIGHT)
    writer = threading.Thread(target=lambda: [handoff.put(message(n), wait=True) for n in range(500)])
    writer.start()
    taken: list[object] = []
    while len(taken) < 500:
        got = handoff.take(2, timeout_s=10)
        assert got
        taken += got
    writer.join()
    assert taken == [message(number) for number in range(500)]
    assert handoff.lost == 0


def test_the_end_wakes_who_waits_and_leaves_what_is_there() -> None:
    handoff = Handoff(limit_bytes=WEIGHT)
    handoff.put(message(1))
    writer = threading.Thread(target=handoff.put, args=(message(2), True))
    writer.start()
    handoff.end()
    writer.join(timeout=10)
    assert not writer.is_alive()
    assert not handoff.exhausted
    assert handoff.take(10) == [message(1)]
    assert handoff.exhausted
    assert handoff.take(10, timeout_s=60) == []


def test_nothing_there_is_an_empty_list_at_once() -> None:
    assert Handoff().take(10) == []
