"""For monitoring: whether this process is alive, whether it is ready, and its metrics."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ..base.log_lines import lines
from ..base.problems import Problem
from ..base.tokens import bearer_token, secrets_equal
from ..cloud import Cloud
from .access import TheCloud, identify, require
from .reads import bounded

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz(cloud: TheCloud) -> dict[str, Any]:
    """200 while this process answers; restart it if it does not. Asks neither database nor broker."""
    return {"status": "ok", "mqtt": cloud.link.connected}


@router.get("/readyz", responses={503: {"description": "Not ready", "model": dict[str, Any]}})
async def readyz(cloud: TheCloud, response: Response) -> dict[str, Any]:
    """Whether to send requests to this process: 200 while it reaches database and broker and all its threads
    work, else 503; also for a minute after a write that the database refused for a full or broken disk.
    """
    database = cloud.writer.can_write and await _database_answers(cloud)
    mqtt, threads = cloud.link.connected, cloud.working()
    ready = database and mqtt and all(threads.values())
    if not ready:
        response.status_code = 503
    status = "ready" if ready else "not ready"
    return {"status": status, "database": database, "mqtt": mqtt, "threads": threads}


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, cloud: TheCloud) -> Response:
    """In Prometheus' text format. For RATELOCK_METRICS_TOKEN's, and for who has the permission `read`."""
    presented = bearer_token(request.headers.get("authorization")) or ""
    if not secrets_equal(presented, cloud.settings.metrics_token or cloud.operator_token):
        require(request, cloud, await identify(request, cloud), "read")
    cloud.metrics.mqtt_connected.set(cloud.link.connected)
    cloud.metrics.writer_waiting.set(cloud.writer.waiting)
    cloud.metrics.broker_dropped.set(cloud.link.broker_dropped or 0)
    cloud.metrics.log_lines_dropped.set(lines.dropped)
    for thread, works in cloud.working().items():
        cloud.metrics.thread_working.labels(thread).set(works)
    return Response(await asyncio.to_thread(cloud.metrics.text), media_type=CONTENT_TYPE_LATEST)


async def _database_answers(cloud: Cloud) -> bool:
    try:
        await bounded(cloud, lambda conn: conn.execute(text("SELECT 1")).scalar_one())
    except (SQLAlchemyError, Problem):
        return False
    return True
