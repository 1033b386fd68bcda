"""The pile's name lookup over real UDP, against a name server in the test's hands."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools import ROOT
from tools.harness.sim_pile import interpreter

ASK = """
import asyncio
from net import dns
dns._PORT = {port}
dns.TRY_MS = {try_ms}
try:
    print(asyncio.run(dns.resolve("broker.example", "127.0.0.1")))
except OSError as error:
    print(repr(error))
"""
UNREACHABLE = f"OSError({errno.EHOSTUNREACH},)"
ADDRESS = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x2a"


def answer(question: bytes, records: bytes = ADDRESS, query_id: bytes = b"") -> bytes:
    count = b"\x00\x01" if records else b"\x00\x00"
    return (query_id or question[:2]) + b"\x81\x80\x00\x01" + count + bytes(4) + question[12:] + records


@pytest.fixture
def lookup(tmp_path: Path) -> Iterator[Callable[..., tuple[str, int]]]:
    """`lookup(answers, try_ms)`: (what the pile says, questions asked); answers: question -> packets."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(60)
    threads = []

    def start(answers: Callable[[bytes], list[bytes]], try_ms: int = 2_000) -> tuple[str, int]:
        asked = []

        def serve() -> None:
            while (packet := server.recvfrom(512)) and packet[0]:
                asked.append(packet[0])
                for one in answers(packet[0]):
                    server.sendto(one, packet[1])

        threads.append(threading.Thread(target=serve))
        threads[0].start()
        done = subprocess.run(
            [*interpreter(), "-c", ASK.format(port=server.getsockname()[1], try_ms=try_ms)],
            env={**os.environ, "MICROPYPATH": f"{ROOT / 'firmware'}:.frozen"},
            cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip(), len(asked)

    yield start
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopper:
        stopper.sendto(b"", server.getsockname())
    for thread in threads:
        thread.join(10)
    server.close()


def test_an_address(lookup) -> None:
    assert lookup(lambda question: [answer(question)]) == ("192.0.2.42", 1)


def test_an_answer_to_another_question_is_passed_over(lookup) -> None:
    said, asked = lookup(lambda question: [answer(question, query_id=b"\x00\x00"), b"", answer(question)])
    assert (said, asked) == ("192.0.2.42", 1)


def test_silence_is_asked_again_and_then_given_up(lookup) -> None:
    assert lookup(lambda question: [], try_ms=100) == (UNREACHABLE, 3)


def test_a_name_without_an_address_is_not_waited_for(lookup) -> None:
    """Three answers of nothing come at once; a pile that waited each out would wait longer than the test."""
    assert lookup(lambda question: [answer(question, b"")], try_ms=60_000) == (UNREACHABLE, 3)
