"""The pages as HTTP gives them out: their language, their headers, and what a browser may keep of them."""

import gzip
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.pages import assets
from tests.cloud.fakes import FakePile

IN_BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def language(client: TestClient, **headers: str) -> str:
    found = re.search(r'<html lang="([^"]+)"', client.get("/", headers=headers).text)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("de", "en"),
        ("zh", "zh-CN"),
        ("zh-TW,en;q=0.5", "zh-CN"),
        ("de-DE, zh-CN;q=0.8, en;q=0.9", "en"),
        ("zh;q=0, en", "en"),
        ("ZH-hans-CN", "zh-CN"),
        ("zh;q=x,,;q=1,*", "en"),
        ("en," * 1_000 + "zh", "en"),
    ],
)
def test_the_page_speaks_the_language_that_the_browser_prefers(
    client: TestClient, accepted: str, expected: str
):
    assert language(client, **{"accept-language": accepted}) == expected


def test_a_language_chosen_before_comes_first_and_nothing_else_gets_into_the_page(client: TestClient):
    assert language(client, **{"accept-language": "en", "cookie": "language=zh-CN"}) == "zh-CN"
    assert language(client, cookie='language="><script>') == "en"


def test_a_pile_has_a_page_and_what_is_none_has_one_that_says_so(client: TestClient, pile: FakePile):
    assert client.get("/p/PILE-1").status_code == 200
    nowhere = ("/nosuch", "/console/x")
    none = ("PILE-2", "PILE-1/x", "%3Cscript%3E", "%00", "x%2F..%2F%3Cb%3E", "x" * 5000)
    for path in (*("/p/" + each for each in none), *nowhere):
        answer = client.get(path, headers=IN_BROWSER)
        assert answer.status_code == 404, path
        assert "text/html" in answer.headers["content-type"]
        assert answer.text == client.get("/").text  # a shell shows nothing of what it was asked for


@pytest.mark.parametrize("typed", ["PILE-1/", "pile-1", "Pile-1%20", "%20PILE-1//"])
def test_an_id_as_people_type_it_leads_to_its_pile(client: TestClient, pile: FakePile, typed: str):
    answer = client.get(f"/p/{typed}?order=x%2F%00", headers=IN_BROWSER, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/p/PILE-1?order=x%2F%00")
    assert client.get(f"/p/{typed}").url.path == "/p/PILE-1"


def test_programs_get_problems_where_there_is_nothing(client: TestClient):
    for path, headers in (("/nosuch", {}), ("/api/nosuch", IN_BROWSER), ("/api/piles/%2F", IN_BROWSER)):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "NotFound"), path
    assert client.post("/nosuch", headers=IN_BROWSER).json()["code"] == "NotFound"


def test_a_page_is_only_read(client: TestClient, pile: FakePile):
    for path in ("/", "/p", "/p/", "/p/PILE-1"):
        assert (client.head(path).status_code, client.head(path).content) == (200, b"")
        refused = client.post(path)
        assert (refused.status_code, refused.json()["code"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("path", ["/", "/p/NOPE", "/console", "/console/flash"])
def test_a_page_runs_nothing_but_our_files(client: TestClient, path: str):
    answer = client.get(path)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    for tag in re.findall(r"<(?:script|style|link)[^>]*>", answer.text):
        assert re.search(r'(?:src|href)="/static/', tag), tag
    assert not re.search(r"\son\w+=|style=", answer.text)


def test_a_file_is_kept_for_ever_under_its_version_and_under_no_other(client: TestClient):
    linked = re.findall(r'"(/static/[^"]+)"', client.get("/").text)
    assert len(linked) > 5
    for path in linked:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["cache-control"]
        old = client.get(path.replace(assets.version(), "01234567"))
        assert (old.content, old.headers["cache-control"]) == (answer.content, "no-cache")


def test_a_file_is_sent_packed_to_who_takes_that(client: TestClient):
    path = f"/static/{assets.version()}/phone.js"
    plain = client.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as packed:
        assert gzip.decompress(b"".join(packed.iter_raw())) == plain.content


@pytest.mark.parametrize(
    "name", ["", "nope.js", "phone.html", "..%2fphone.py", "%2e%2e/phone.py", "phone.js/"]
)
def test_only_the_files_of_the_folder_are_given_out(client: TestClient, name: str):
    assert client.get(f"/static/{assets.version()}/{name}").status_code == 404


def test_both_languages_have_the_same_words():
    """Compared by their keys, in order: a word that is missing in one would show as undefined."""

    def keys(name: str) -> list[Any]:
        text = (assets.FOLDER / name).read_text(encoding="utf-8")
        return re.findall(r"^( +\w+):", text, re.MULTILINE)

    subjects = {file.name.split(".")[0] for file in assets.FOLDER.glob("phone-*.en.js")}
    known = {"words", "reasons", "handover", "parts", "pay", "code", "mail"}
    assert subjects == {"phone-" + each for each in known}
    for subject in subjects:
        assert keys(f"{subject}.en.js") == keys(f"{subject}.zh-CN.js"), subject
    assert len(keys("phone-words.en.js")) > 150


@pytest.mark.parametrize("name", sorted(path.name for path in assets.FOLDER.glob("*.??*.js")))
def test_no_word_is_there_twice(name: str):
    """JavaScript takes the last value of a key that an object has twice, and reports nothing."""
    paths: list[str] = []
    above: list[str] = []
    for indent, key in re.findall(
        r"^( +)(\w+):", (assets.FOLDER / name).read_text(encoding="utf-8"), re.MULTILINE
    ):
        above = [*above[: len(indent) // 2 - 1], key]
        paths.append(".".join(above))
    assert paths
    assert len(paths) == len(set(paths)), sorted({each for each in paths if paths.count(each) > 1})
