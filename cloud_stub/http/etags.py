"""ETags: an answer that a client polls is sent again only where it has changed."""

import hashlib
import json
from typing import Any

from fastapi import Request, Response

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing has changed"}}


def if_changed(request: Request, content: object) -> Response:
    """`content` as JSON, or 304 where the request's If-None-Match names exactly that content."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    tag = '"' + hashlib.sha256(body).hexdigest()[:32] + '"'
    headers = {"ETag": tag, "Cache-Control": "no-cache, private"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
