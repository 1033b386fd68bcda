"""For what is asked most: a route documented like all others, and answered without FastAPI's own way."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.routing import request_response


class QuickRoute(APIRoute):
    """Calls `endpoint(request, **path parameters)`, which makes the Response itself.

    FastAPI would check parameters, solve dependencies and keep two exit stacks, which takes longer than
    the endpoint; so all parameters are texts out of the path, and there are no dependencies.
    """

    def __init__(self, path: str, endpoint: Callable[..., Coroutine[Any, Any, Response]], **options: Any):
        super().__init__(path, endpoint, **options)
        self.app = request_response(self._answer)

    async def _answer(self, request: Request) -> Response:
        return await self.endpoint(request, **request.path_params)


def json_response(content: object) -> Response:
    return Response(to_json(content), media_type="application/json")
