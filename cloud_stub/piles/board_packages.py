"""The firmware that the set-up page writes onto boards: one zip for each kind of board, in the data folder.

tools/image/packages.py makes them. A package has the files as they lie on the board's file system, and
ratelock.json, which says what board they are for and what MicroPython they need.
"""

import base64
import json
import zipfile
from pathlib import Path
from typing import Annotated, Any

import structlog
from pydantic import BaseModel, Field, ValidationError

from ..base.problems import Problem

log = structlog.get_logger()

ABOUT = "ratelock.json"
PACKAGE_MAX_BYTES = 4_000_000  # unpacked; a board's whole flash has about as much

_Number = Annotated[int, Field(ge=0, le=1000)]


class About(BaseModel):
    """What ratelock.json says: the board, its chip, and the MicroPython that runs the files."""

    board: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    product: str = Field(max_length=100)
    chip: str = Field(pattern=r"^[a-z0-9]{1,32}$", description="As esptool calls it, without hyphens")
    image: str | None = Field(max_length=100, description="The name of MicroPython's image for this board")
    firmware: str = Field(max_length=32)
    micropython: Annotated[list[_Number], Field(min_length=3, max_length=3, description="The oldest")]
    mpy: Annotated[list[_Number], Field(min_length=2, max_length=2, description="Version and sub-version")]


def list_packages(folder: Path) -> list[dict[str, Any]]:
    """What each package says about itself, by the board's name. One that cannot be read is left out."""
    found = []
    for path in sorted(folder.glob("*.zip")):
        try:
            with zipfile.ZipFile(path) as package:
                found.append(_about(package, path).model_dump())
        except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
            log.warning("board_package_unreadable", path=str(path), reason=str(error))
    return found


def read_package(folder: Path, board: str) -> dict[str, Any]:
    """A package with its files, their content in base64. Raises Problem (UnknownBoard)."""
    path = folder / f"{board}.zip"
    try:
        with zipfile.ZipFile(path) as package:
            about = _about(package, path)
            if sum(each.file_size for each in package.infolist()) > PACKAGE_MAX_BYTES:
                raise ValueError(f"more than {PACKAGE_MAX_BYTES} bytes")
            files = [
                {"name": name, "content": base64.b64encode(package.read(name)).decode()}
                for name in package.namelist()
                if name != ABOUT
            ]
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        log.warning("board_package_unreadable", path=str(path), reason=str(error))
        raise Problem(404, "UnknownBoard", "This cloud has no firmware for that board", board=board) from None
    return about.model_dump() | {"files": files}


def _about(package: zipfile.ZipFile, path: Path) -> About:
    """Raises KeyError, ValueError."""
    try:
        about = About.model_validate(json.loads(package.read(ABOUT)))
    except ValidationError as error:
        raise ValueError(f"{ABOUT}: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}") from None
    if about.board != path.stem:
        raise ValueError(f"{ABOUT} names the board {about.board}")
    return about
