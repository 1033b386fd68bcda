"""For operators: what the set-up page needs to make a pile of a board."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path

from ..piles import board_packages
from .access import READ, TheCloud
from .api_schema import raises

router = APIRouter(prefix="/api", tags=["operator"], dependencies=READ)

Board = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["esp32-devkitc"])]


@router.get("/boards")
async def list_boards(cloud: TheCloud) -> dict[str, Any]:
    """The boards that this cloud has firmware for, and where their piles find the broker.

    `broker` is HOST:PORT, without HOST the cloud's own, and `ca` the certificate of its CA in PEM; null where
    no setting names them.
    """
    folder = cloud.settings.boards_folder
    ca = cloud.settings.piles_ca
    return {
        "items": await asyncio.to_thread(board_packages.list_packages, folder),
        "broker": cloud.settings.piles_broker,
        "ca": await asyncio.to_thread(ca.read_text) if ca and ca.is_file() else None,
    }


@router.get("/boards/{board}", openapi_extra=raises("UnknownBoard"))
async def get_board(cloud: TheCloud, board: Board) -> dict[str, Any]:
    """The firmware of one board: each file by its path on the board, its content in base64."""
    folder = cloud.settings.boards_folder
    return await asyncio.to_thread(board_packages.read_package, folder, board)
