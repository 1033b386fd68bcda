"""TLS is refused where a chip has no memory for it beside the firmware's files, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tools.board.deploy import DeployError, fit
from tools.board.deploy.line import About

TLS = {"broker": {"host": "a.example", "port": 8883, "ca": "ca.pem"}}
PLAIN = {"broker": {"host": "a.example", "port": 1883}}


class Board:
    """What the serial line would say of a chip."""

    def __init__(self, machine: str, free_bytes: int, in_files: bool, config: bytes | None = None):
        self._about = About((1, 27, 0), machine, 6, 3, "esp32")
        self._values: dict[str, Any] = {"gc.mem_free()": free_bytes, fit._IN_FILES: in_files}
        self._config = config

    def about(self) -> About:
        return self._about

    def exec(self, code: str) -> str:
        return ""

    def eval(self, expression: str) -> Any:
        return self._values[expression]

    def read(self, name: str) -> bytes | None:
        return self._config


ESP32, S3 = "Generic ESP32 module with ESP32", "Generic ESP32S3 module with ESP32S3"
C3 = "ESP32C3 module with ESP32C3"


@pytest.mark.parametrize("deploys", [False, True])
def test_tls_on_a_classic_esp32_is_refused(deploys: bool) -> None:
    with pytest.raises(DeployError, match="frozen in"):
        fit.refuse_tls(Board(ESP32, 165_000, not deploys), TLS, deploys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("board", "config"),
    [
        (Board(ESP32, 165_000, True), PLAIN),
        (Board(ESP32, 165_000, True), {}),
        (Board(ESP32, 165_000, False), TLS),  # frozen, or in ROMFS
        (Board(ESP32, 4_000_000, True), TLS),  # with PSRAM
        (Board(S3, 200_000, True), TLS),
        (Board(C3, 165_000, True), TLS),
    ],
)
def test_what_may_work_is_not_refused(board: Board, config: dict[str, Any]) -> None:
    fit.refuse_tls(board, config)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [None, b"no json", b"[]"])
def test_a_board_without_a_configuration_is_not_refused(content: bytes | None) -> None:
    board = Board(ESP32, 165_000, False, content)
    assert fit.configuration(board) == {}  # type: ignore[arg-type]
