"""`/docs`: Swagger UI, from a Python package, so that a browser loads nothing from another host."""

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from . import api_schema

router = APIRouter(include_in_schema=False)

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>RateLock: the API</title>
<link rel="icon" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="stylesheet" href="/docs/contrast.css">
<script src="/docs/assets/swagger-ui-bundle.js" defer></script>
<script src="/docs/start.js" defer></script>
</head>
<body>
<main id="api"><p>The API is described in <a href="/openapi.json">openapi.json</a>.</p></main>
</body>
</html>
"""

# validatorUrl null: Swagger UI would send this address to a service of its makers.
_START = """\
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
});
"""

# Swagger UI's own colours for these have a contrast below 4.5, the least that WCAG AA asks for.
_CONTRAST = """\
.swagger-ui .info .title small pre.version { background: #4b5263; }
.swagger-ui .info .title small.version-stamp pre.version { background: #3d6b00; }
.swagger-ui .info .title small.version-stamp { background: #3d6b00; }
.swagger-ui a.link, .swagger-ui .info a { color: #1c5fae; }
.swagger-ui .authorization__btn, .swagger-ui .btn.authorize, .swagger-ui .btn.authorize span {
  color: #14713f;
}
.swagger-ui .btn.authorize { border-color: #14713f; }
.swagger-ui .opblock.opblock-get .opblock-summary-method { background: #1769aa; }
.swagger-ui .opblock.opblock-post .opblock-summary-method { background: #14713f; }
.swagger-ui .opblock.opblock-put .opblock-summary-method { background: #8f5200; }
.swagger-ui .opblock.opblock-patch .opblock-summary-method { background: #6b3fa0; }
.swagger-ui .opblock.opblock-delete .opblock-summary-method { background: #b71c1c; }
.swagger-ui .parameter__in, .swagger-ui .prop-format { color: #545454; }
.swagger-ui .btn.cancel { border-color: #b71c1c; color: #b71c1c; }
.swagger-ui .btn.execute { background: #1c5fae; border-color: #1c5fae; }
.swagger-ui .download-contents { background: #4b5263; }
.swagger-ui .json-schema-2020-12-expand-deep-button { color: #545454; }
.swagger-ui .highlight-code .microlight span { color: #fff !important; }
"""

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response


@router.get("/docs")
async def docs() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers=_HEADERS | {"Content-Security-Policy": _POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    return Response(_START, media_type="text/javascript", headers=_HEADERS)


@router.get("/docs/contrast.css")
async def contrast() -> Response:
    return Response(_CONTRAST, media_type="text/css", headers=_HEADERS)


def install(app: FastAPI) -> None:
    """Add the document, the page and what the page loads to `app`, which has no page of FastAPI's own."""
    api_schema.install(app)
    app.include_router(router)
    app.mount("/docs/assets", _Assets(packages=[("fastapi_swagger", "resources")]))
