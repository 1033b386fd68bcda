"""The HTTP application around a Cloud."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from . import pages, problems
from .api import broker, docs, labels, operation, operator, phone, reports
from .cloud import Cloud
from .guard import Guard
from .timing import Timing

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
        docs_url=None,
        redoc_url=None,
    )
    app.state.cloud = cloud
    problems.install(app)
    app.include_router(reports.router)  # before phone's: /orders.csv is no order
    app.include_router(phone.router)
    app.include_router(operator.router)
    app.include_router(labels.router)
    app.router.routes.insert(0, phone.rate_route)
    pages.install(app)
    app.include_router(operation.router)
    app.include_router(broker.router)
    docs.install(app)
    app.add_middleware(Timing, metrics=cloud.metrics)
    app.add_middleware(Guard, body_max_bytes=cloud.settings.body_max_bytes)
    return app
