"""An HTTP load: prepared requests over connections that stay open. Answers are counted, not parsed."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tools.harness.processes import HOST

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    took_s: float


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n".encode()


def post(path: str, body: bytes, **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{lines}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """One connection that stays open. Raises OSError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection(HOST, port))

    async def ask(self, request: bytes) -> Answer:
        began = time.monotonic()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await self._reader.readexactly(int(length[1])) if length else b""
        return Answer(int(head[9:12]), body, time.monotonic() - began)

    def close(self) -> None:
        self._writer.close()


async def _client(port: int, requests: Iterator[bytes], answers: list[Answer]) -> None:
    connection = await Connection.open(port)
    try:
        for request in requests:
            answers.append(await connection.ask(request))
    finally:
        connection.close()


async def _load(port: int, requests: Iterable[bytes], clients: int) -> list[Answer]:
    shared = iter(requests)
    answers: list[Answer] = []
    await asyncio.gather(*(_client(port, shared, answers) for _ in range(clients)))
    return answers


def load(port: int, requests: Iterable[bytes], clients: int) -> tuple[list[Answer], float]:
    """(the answers, seconds in all): `clients` connections take the requests in turn."""
    began = time.monotonic()
    answers = asyncio.run(_load(port, requests, clients))
    return answers, time.monotonic() - began
