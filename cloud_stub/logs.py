"""Log lines as JSON objects on stderr, one a line, those of libraries too."""

import json
import logging
from typing import Any

import orjson
import structlog

from .base.log_lines import lines


def _as_json(_logger: object, _method: str, event: Any) -> str:
    """One line. Never raises: what JSON cannot hold is written as Python would show it."""
    try:
        return orjson.dumps(event, default=repr).decode()
    except (TypeError, ValueError):  # such as half a character, or a number beyond 64 bits
        return json.dumps({str(name): repr(value) for name, value in event.items()})


class _FromLibraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        event: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        structlog.get_logger().log(record.levelno, record.getMessage(), **event)


def configure() -> None:
    """Set structlog and logging up for this process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _as_json,
        ],
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING, force=True)
