"""Names and passwords that are refused, and how an answer says so."""

import pytest
from fastapi.testclient import TestClient

from cloud_stub.people import passwords
from tests.cloud.operators import FROM_CONSOLE, refusal, sign_in

only_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
PASSWORD = "correct horse battery"


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "Anna",
        "a\0",
        "a\n",
        "a\t",
        "\u0430nna",
        "a\u200b",
        "x" * 33,
        "-a",
        "a/b",
        "a" * 70_000,
    ],
)
def test_a_name_that_could_be_taken_for_another_is_refused(
    client: TestClient, as_operator: dict[str, str], name: str
):
    bodies = {
        "/api/users": {"name": name, "role": "viewer", "password": PASSWORD},
        "/api/tokens": {"name": name, "permissions": ["read"], "days": 1},
    }
    for path, body in bodies.items():
        answer = client.post(path, json=body, headers=as_operator)
        assert refusal(answer) in ((422, "InvalidRequest"), (413, "BodyTooLarge")), path
    assert sign_in(client, name, PASSWORD) in (401, 422, 413)
    if len(name) < 1_000:
        looked_for = client.get("/api/audit", params={"account": name}, headers=as_operator)
        assert looked_for.status_code == (400 if "\0" in name else 200)


def test_what_is_no_text_is_refused(client: TestClient, as_operator: dict[str, str]):
    for body in (
        '{"name": "\\ud800", "password": "x"}',
        '{"name": 1, "password": "x"}',
        '{"name": "a"}',
        "[]",
    ):
        headers = {"Content-Type": "application/json"} | FROM_CONSOLE
        assert client.post("/api/session", content=body, headers=headers).status_code == 422, body


@only_sqlite
@pytest.mark.parametrize(
    "password",
    ["short", "x" * 201, "aaaaaaaaaaaaaaa", "a very long name", "with a \0 in it", "two\nlines of it"],
)
def test_a_password_that_is_none_is_refused(client: TestClient, as_operator: dict[str, str], password: str):
    name = "a-very-long-name"
    body = {"name": name, "role": "viewer", "password": password.replace("a very long name", name)}
    answer = client.post("/api/users", json=body, headers=as_operator)
    assert refusal(answer) == (422, "InvalidRequest")
    assert answer.json()["errors"][0]["field"] == "password"
    assert body["password"] not in answer.text, "an answer never repeats it"


def test_one_password_is_typed_in_several_ways():
    """An e with an accent, as one character and as two."""
    made = passwords.hashed("caf\u00e9 correct horse")
    assert passwords.is_right(made, "cafe\u0301 correct horse")
    assert not passwords.is_right(made, "cafe correct horse")
