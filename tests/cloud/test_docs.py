"""`/docs` describes the API to people, and loads nothing from elsewhere."""

import argparse
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from cloud_stub.cli import parser
from tools import ROOT


def test_the_page_and_what_it_loads_are_our_own(client: TestClient):
    page = client.get("/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(loaded) >= 5
    for address in loaded:
        assert re.match(r"/(?!/)", address), f"{address} is another host's"
        assert client.get(address).status_code == 200, address
    assert "//" not in client.get("/docs/start.js").text


def test_the_browser_would_not_let_it_load_anything_else(client: TestClient):
    policy = client.get("/docs").headers["content-security-policy"]
    sources = {source for rule in policy.split("; ") for source in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "data:"}
    assert "img-src 'self' data:" in policy  # the arrows in the style sheet


@pytest.mark.parametrize("name", ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"])
def test_a_file_is_sent_again_only_where_it_has_changed(client: TestClient, name: str):
    first = client.get(f"/docs/assets/{name}")
    assert first.headers["x-content-type-options"] == "nosniff"
    again = client.get(f"/docs/assets/{name}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/docs/assets/", "/docs/assets/..%2f__init__.py", "/docs/assets/none", "/redoc"]
)
def test_what_is_not_there_is_a_problem(client: TestClient, path: str):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound")


def commands(of: argparse.ArgumentParser, name: str = "") -> Iterator[str]:
    """The names of all commands that a parser takes."""
    below = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield name
    for action in below:
        for word, each in action.choices.items():
            yield from commands(each, f"{name} {word}".strip())


def test_the_page_on_operation_names_each_command_and_no_other():
    text = (ROOT / "docs" / "operation.md").read_text(encoding="utf-8")
    block = text.partition("\n## Commands\n")[2].partition("```\n")[2].partition("```")[0]
    named = []
    for line in block.splitlines():
        subject, *words = line.split()
        named += [f"{subject} {word}" for word in words] or [subject]
    assert sorted(named) == sorted(commands(parser()))
