"""The pages people open: `/p/{device_id}` is what a pile's QR code says, `/console` is the operator's, and
`/console/flash` makes a pile of a board.
"""

from fastapi import FastAPI

from . import assets, board, console, phone


def install(app: FastAPI) -> None:
    """Add the pages and what they load to `app`."""
    app.include_router(assets.router)
    app.include_router(console.router)
    app.include_router(board.router)
    app.router.routes[:0] = phone.routes  # first: a match costs less than the search through all others
    app.router.default = phone.for_people(app.router.default)
