"""The HTTP application around a Cloud."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from . import pages
from .cloud import Cloud
from .http import (
    api_docs,
    broker_hook,
    driver,
    label_downloads,
    monitoring,
    ocpi,
    operator_audit,
    operator_boards,
    operator_credits,
    operator_events,
    operator_import,
    operator_names,
    operator_ocpp,
    operator_orders,
    operator_payments,
    operator_people,
    operator_pile_care,
    operator_piles,
    operator_rates,
    operator_releases,
    operator_reports,
    operator_settlements,
    operator_sites,
    operator_tariffs,
    operator_webhooks,
    payment_events,
    problem_details,
    sign_in,
)
from .http.guard import Guard
from .http.rate_limits import Limit
from .http.request_metrics import RequestMetrics
from .releases import archive

log = structlog.get_logger()

ROUTERS = (
    operator_orders,  # before the driver's: /orders.csv is no order
    driver,
    label_downloads,
    operator_audit,
    operator_boards,
    operator_credits,
    operator_events,
    operator_import,
    operator_names,
    operator_payments,
    operator_ocpp,
    operator_people,
    operator_pile_care,
    operator_piles,
    operator_rates,
    operator_releases,
    operator_reports,
    operator_settlements,
    operator_sites,
    operator_tariffs,
    operator_webhooks,
    payment_events,
    sign_in,
)


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
        # As they are, because include_router would build each route anew for each application.
        routes=[driver.rate_route, *(route for each in ROUTERS for route in each.router.routes)],
        title="RateLock",
        summary="The price you confirm is the price you pay.",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.cloud = cloud
    app.state.order_limit = Limit(cloud.settings.orders_per_minute)
    app.state.quote_limit = Limit(cloud.settings.quotes_per_minute)
    app.state.sign_in_limit = Limit(cloud.settings.sign_ins_per_minute)
    problem_details.install(app)
    pages.install(app)
    app.include_router(monitoring.router)
    ocpi.install(app, cloud)
    app.include_router(broker_hook.router)
    api_docs.install(app)
    app.add_middleware(RequestMetrics, metrics=cloud.metrics)
    app.add_middleware(
        Guard,
        body_max_bytes=cloud.settings.body_max_bytes,
        larger={"/api/releases": archive.ARCHIVE_MAX_BYTES},  # read only after the caller was checked
    )
    return app
