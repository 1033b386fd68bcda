"""The firmware that the cloud has for boards, and the page that writes it."""

import base64
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloud_stub.pages import assets
from tools.image import files, packages, slot

pytestmark = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)

ABOUT = {
    "board": "my-board",
    "product": "My board",
    "chip": "esp32",
    "image": "ESP32_GENERIC",
    "firmware": "0.1.0",
    "micropython": [1, 26, 0],
    "mpy": [6, 3],
}


def put(data: Path, name: str, about: Any, **content: bytes) -> None:
    (data / "boards").mkdir(exist_ok=True)
    with zipfile.ZipFile(data / "boards" / name, "w") as package:
        package.writestr("ratelock.json", json.dumps(about))
        for file, text in content.items():
            package.writestr(file, text)


def test_a_board_s_firmware_is_listed_and_given_out(operator: Callable[..., Any], cloud):
    put(cloud.settings.data, "my-board.zip", ABOUT, **{"boot.py": b"\x00\xff", "pile/a.mpy": b"M"})
    answer = operator("GET", "/api/boards").json()
    assert answer == {"items": [ABOUT], "broker": None, "ca": None}
    given = operator("GET", "/api/boards/my-board").json()
    assert given["mpy"] == [6, 3]
    content = {each["name"]: base64.b64decode(each["content"]) for each in given["files"]}
    assert content == {"boot.py": b"\x00\xff", "pile/a.mpy": b"M"}


def test_a_package_that_cannot_be_used_hides_no_other(operator: Callable[..., Any], cloud):
    data = cloud.settings.data
    put(data, "my-board.zip", ABOUT)
    put(data, "renamed.zip", ABOUT)
    put(data, "incomplete.zip", {"board": "incomplete"})
    put(data, "list.zip", [])
    (data / "boards" / "damaged.zip").write_bytes(b"PK\x03\x04 and no more")
    assert [each["board"] for each in operator("GET", "/api/boards").json()["items"]] == ["my-board"]
    for name in ("renamed", "incomplete", "list", "damaged", "nosuch"):
        answer = operator("GET", f"/api/boards/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "UnknownBoard"), name


def test_only_operators_get_firmware(client: TestClient):
    for path in ("/api/boards", "/api/boards/my-board"):
        assert client.get(path).json()["code"] == "Unauthorized"


@pytest.mark.parametrize("name", ["..", "%2e%2e%2fx", "a.b", "x" * 65])
def test_a_board_s_name_is_no_path(operator: Callable[..., Any], name: str):
    assert operator("GET", f"/api/boards/{name}").status_code in (404, 422)


def test_the_tools_make_what_the_cloud_reads(operator: Callable[..., Any], cloud):
    sim = files.board_folder("sim")
    made = packages.write(sim, cloud.settings.boards_folder, 12)
    given = operator("GET", "/api/boards/sim").json()
    content = {each["name"]: base64.b64decode(each["content"]) for each in given["files"]}
    assert content == slot.pile(sim, files.build(sim), 12)
    assert given["chip"] == "unix"
    first = made.stat().st_mtime_ns
    assert packages.write(sim, cloud.settings.boards_folder, 12).stat().st_mtime_ns == first
    assert packages.package(sim, 12) == made.read_bytes()


def test_only_this_page_may_use_serial_ports(client: TestClient):
    answer = client.get("/console/flash", headers={"accept-language": "zh-CN"})
    assert '<html lang="zh-CN"' in answer.text
    assert "serial=(self)" in answer.headers["permissions-policy"]
    for path in ("/", "/console"):
        assert "serial=()" in client.get(path).headers["permissions-policy"]


def test_the_licences_of_what_browsers_load_stand_beside_it(client: TestClient):
    if not assets.ESPTOOL.is_file():
        pytest.skip("npm has installed nothing")
    folder = f"/static/{assets.version()}"
    assert client.get(f"{folder}/esptool.js").content == assets.ESPTOOL.read_bytes()
    notices = client.get(f"{folder}/esptool-licences.txt").text
    assert "Apache License" in notices
    assert "Vitaly Puzrin" in notices  # pako
