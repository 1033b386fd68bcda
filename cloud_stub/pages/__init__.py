"""The pages people open: `/p/{device_id}` is what a pile's QR code says, `/console` is the operator's."""

from fastapi import FastAPI

from ..api.phone import rate_route
from . import assets, console, phone


def install(app: FastAPI) -> None:
    """Add the pages and what they load to `app`."""
    app.include_router(assets.router)
    app.include_router(console.router)
    # What a phone asks for first comes before all others: to look through those takes longer than the answer.
    app.router.routes[:0] = [rate_route, *phone.routes]
    app.router.default = phone.for_people(app.router.default)
