"""The API's description is true: every problem, content type and token that it has, and no other."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.cloud import Cloud
from cloud_stub.http.problem_codes import STATUS_OF
from tests.cloud.conftest import OPERATOR, Phone
from tests.cloud.fakes import FakePile
from tests.servers import serving
from tools import ROOT

SECONDS_MAX = 30
EXAMPLES_MAX = 3

# positive_data_acceptance: 422 is also for what no schema can say (no such currency, time zone or day).
CHECKS_LEFT_OUT = "positive_data_acceptance"

# The identifiers of things that are there, so that more than their absence is tried. Whoever has no token of
# an order hears 404, not 401: test_http_limits.py tries that.
CONFIGURATION = """
[[operations]]
include-path-regex = "^/api/orders/.order_id."
checks.ignored_auth.enabled = false

[parameters]
"path.order_id" = "{order_id}"
"path.settlement_id" = {settlement_id}
"""


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_generated_requests_find_nothing_that_is_not_described(
    cloud: Cloud, client: TestClient, phone: Phone, pile: FakePile, tmp_path: Path
):
    """Schemathesis over real HTTP, with the same requests in each run."""
    phone.order()
    settlement = pile.settlement(phone.message(pile))
    pile.settle(phone.message(pile), total_minor=settlement["total_minor"] + 1)
    running = phone.order(connector=2)
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.format(order_id=running["order_id"], settlement_id=1))
    with serving(cloud, lifespan="off") as url:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "--no-color"),
            *("run", url + "/openapi.json", "--header", "Authorization: Bearer " + OPERATOR),
            *("--generation-deterministic", "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", str(EXAMPLES_MAX), "--max-time", str(SECONDS_MAX)),
            *("--exclude-checks", CHECKS_LEFT_OUT, "--exclude-path", "/api/orders/{order_id}/events"),
        ]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=4 * SECONDS_MAX)
    assert found.returncode == 0, found.stdout[-8_000:] + found.stderr[-2_000:]
    tried = re.search(r"(\d+) generated, (\d+) passed", found.stdout)
    assert tried and int(tried[1]) > 100, found.stdout[-2_000:]  # on a busy machine the time ends it


def test_each_code_that_is_raised_is_in_the_table_with_its_status():
    raised = {}
    for file in (ROOT / "cloud_stub").rglob("*.py"):
        for status, code in re.findall(r'Problem\(\s*(\d{3}),\s*"(\w+)"', file.read_text(encoding="utf-8")):
            raised[code] = int(status)
    before_routes = {"BadRequest", "NotFound", "MethodNotAllowed", "BodyTooLarge", "HeadersTooLarge"}
    assert raised == {code: status for code, status in STATUS_OF.items() if code not in before_routes}


def test_each_operation_says_who_may_call_it(document: dict[str, Any], client: TestClient):
    """As who has no token at all: 401, or 404 where an order's existence is not told either."""
    open_to_all = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            filled = re.sub(r"\{\w+\}", "1", path)
            status = client.request(method.upper(), filled).status_code
            needs_a_token = status == 401 or path.startswith("/api/orders/{order_id}")
            assert bool(operation.get("security")) == needs_a_token, (method, path, status)
            open_to_all += not needs_a_token
            schemes = {name for each in operation.get("security", ()) for name in each}
            assert schemes <= document["components"]["securitySchemes"].keys()
            # The order's token opens nothing that is the operator's alone.
            assert ("order" in schemes) == (needs_a_token and status != 401), (method, path, status)
    assert open_to_all == 8


def test_each_operation_names_its_permission(document: dict[str, Any]):
    texts = {
        path: {m: each["description"] for m, each in found.items()}
        for path, found in document["paths"].items()
    }
    assert texts["/api/piles"]["post"].endswith("Needs the permission `register`.")
    assert texts["/api/orders/{order_id}/stop"]["post"].endswith("Operators need the permission `operate`.")
    assert "permission" not in texts["/api/piles/{device_id}/rate"]["get"]


def test_errors_are_problem_details_with_their_codes(document: dict[str, Any]):
    responses = document["paths"]["/api/orders"]["post"]["responses"]
    assert {"400", "404", "409", "413", "422", "429", "503"} <= responses.keys()
    assert "`RateChanged`" in responses["409"]["description"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and "model" not in str(response.get("description")):
                    kinds = set(response["content"])
                    assert kinds == {"application/problem+json"} or operation["tags"] == ["operation"], (
                        response
                    )


def test_csv_and_labels_are_what_they_are(document: dict[str, Any]):
    kinds = {
        path: set(document["paths"][path]["get"]["responses"]["200"]["content"])
        for path in ("/api/orders.csv", "/api/piles/{device_id}/label", "/metrics")
    }
    assert kinds == {
        "/api/orders.csv": {"text/csv"},
        "/api/piles/{device_id}/label": {"image/svg+xml", "image/png", "application/pdf"},
        "/metrics": {"text/plain"},
    }


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/piles", "GET, POST"),
        ("/api/piles/PILE-1", "DELETE, GET, PATCH"),
        ("/api/piles/PILE-1/rate", "GET, PUT"),
        ("/api/orders", "GET, POST"),
        ("/p/PILE-1", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_taken_hears_which_are(client: TestClient, path: str, allowed: str):
    answer = client.request("TRACE", path)
    assert (answer.status_code, answer.json()["code"]) == (405, "MethodNotAllowed")
    assert answer.headers["allow"] == allowed


def test_every_request_body_has_an_example(document: dict[str, Any]):
    without = [
        name
        for name, schema in document["components"]["schemas"].items()
        if name.endswith("Body") and not _has_example(document, schema)
    ]
    assert without == []


def _has_example(document: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Of the whole, or of each required text: numbers and objects show by themselves what they are."""
    return "examples" in schema or all(
        "examples" in member or "enum" in member
        for name, member in schema["properties"].items()
        if name in schema.get("required", ()) and member.get("type") == "string"
    )
