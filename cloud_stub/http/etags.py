"""Answers that are polled: the same one is not sent twice."""

import hashlib
import json

from fastapi import Request, Response


def if_changed(request: Request, content: object) -> Response:
    """`content` as JSON, or 304 where the asker has exactly that already (its If-None-Match says so)."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    tag = '"' + hashlib.sha256(body).hexdigest()[:32] + '"'
    headers = {"ETag": tag, "Cache-Control": "no-cache, private"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
