"""The HTTP application around a Cloud."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI
from sqlalchemy import text

from . import pages, problems
from .api import labels, operator, phone, reports
from .api.access import TheCloud
from .cloud import Cloud
from .guard import Guard

log = structlog.get_logger()


def create_app(cloud: Cloud) -> FastAPI:
    """The application; its lifespan starts and stops the cloud."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        cloud.start()
        log.info("cloud_started", database=cloud.store.writing.url.render_as_string(hide_password=True))
        try:
            yield
        finally:
            cloud.stop()
            log.info("cloud_stopped")

    app = FastAPI(
        title="RateLock",
        summary="The price you confirm is the price you pay.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.cloud = cloud
    problems.install(app)
    app.include_router(reports.router)  # before phone's: /orders.csv is no order
    app.include_router(phone.router)
    app.include_router(operator.router)
    app.include_router(labels.router)
    pages.install(app)
    app.add_api_route("/healthz", healthz, tags=["operation"])
    app.add_middleware(Guard, body_max_bytes=cloud.settings.body_max_bytes)
    return app


async def healthz(cloud: TheCloud) -> dict[str, Any]:
    """Whether this process works, and whether it reaches the broker."""
    cloud.reader.execute(text("SELECT 1"))
    return {"status": "ok", "mqtt": cloud.link.connected}
