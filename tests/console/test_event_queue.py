"""What is between the threads stays bounded, in order, and tells what it lost."""

import threading

from tools.console.capture import LinkChange, Message
from tools.console.event_queue import EVENT_BYTES, EventQueue

WEIGHT = EVENT_BYTES + 100


def message(number: int) -> Message:
    return Message.arrived(number, "t", b"x" * 100, False)


def test_a_full_queue_drops_the_newest_and_counts_them() -> None:
    event_queue = EventQueue(limit_bytes=10 * WEIGHT)
    for number in range(25):
        event_queue.put(message(number))
    assert event_queue.lost == 15
    assert event_queue.take(100) == [message(number) for number in range(10)]
    event_queue.put(message(99))  # there is room again
    assert event_queue.take(100) == [message(99)]


def test_news_of_the_link_is_taken_even_when_full() -> None:
    event_queue = EventQueue(limit_bytes=WEIGHT)
    event_queue.put(message(1))
    event_queue.put(LinkChange(2, False, "gone"))
    assert event_queue.take(10) == [message(1), LinkChange(2, False, "gone")]


def test_one_message_larger_than_all_of_it_still_passes() -> None:
    event_queue = EventQueue(limit_bytes=1)
    event_queue.put(message(1))
    assert event_queue.take(10) == [message(1)]


def test_a_writer_that_waits_loses_nothing() -> None:
    event_queue = EventQueue(limit_bytes=3 * WEIGHT)
    writer = threading.Thread(target=lambda: [event_queue.put(message(n), wait=True) for n in range(500)])
    writer.start()
    taken: list[object] = []
    while len(taken) < 500:
        got = event_queue.take(2, timeout_s=10)
        assert got
        taken += got
    writer.join()
    assert taken == [message(number) for number in range(500)]
    assert event_queue.lost == 0


def test_the_end_wakes_who_waits_and_leaves_what_is_there() -> None:
    event_queue = EventQueue(limit_bytes=WEIGHT)
    event_queue.put(message(1))
    writer = threading.Thread(target=event_queue.put, args=(message(2), True))
    writer.start()
    event_queue.end()
    writer.join(timeout=10)
    assert not writer.is_alive()
    assert not event_queue.exhausted
    assert event_queue.take(10) == [message(1)]
    assert event_queue.exhausted
    assert event_queue.take(10, timeout_s=60) == []


def test_nothing_there_is_an_empty_list_at_once() -> None:
    assert EventQueue().take(10) == []
