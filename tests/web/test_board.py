"""The page that makes a pile of a board: real Chromium, scripted serial port, real MicroPython behind it."""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from cloud_stub.http.languages import LANGUAGES
from cloud_stub.pages import assets
from tests.deploy.board import PtyBoard
from tests.web.conftest import DESKTOP, PHONE, SMALL_PHONE, Watch, axe_problems, log_in, overflow
from tests.web.fleet import TOKEN, Fleet
from tests.web.scripted_port import Bench, MicroPython, Prints, Program, Rom
from tools import ROOT
from tools.harness.system import DEMO_RATE, System
from tools.image import files, packages

BOOT_LOOP = b"rst:0x10 (RTCWDT_RTC_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\ninvalid header: 0xffffffff\r\n"
STEP = {"port": "Connect", "image": "MicroPython", "firmware": "Firmware", "pile": "Pile", "ready": "Ready"}
WRITING_MS = 240_000  # every file of the firmware goes over the line and is read back


@pytest.fixture(scope="session")
def sim_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated pile's package: its chip is a PC's MicroPython."""
    return packages.write(files.board_folder("sim"), tmp_path_factory.mktemp("boards"), 12)


def put(package: Path, data: Path, **changes: Any) -> None:
    """A package into a cloud's data folder; `changes` to what it says about itself."""
    folder = data / "boards"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(package) as source, zipfile.ZipFile(folder / package.name, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == packages.ABOUT:
                content = json.dumps(json.loads(content) | changes).encode()
            copy.writestr(name, content)


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[PtyBoard]:
    with PtyBoard(tmp_path / "flash memory") as running:
        yield running


@pytest.fixture
def micropython(chip: PtyBoard) -> Iterator[MicroPython]:
    program = MicroPython(chip)
    yield program
    program.close()


@pytest.fixture
def open_board(
    new_context: Callable[..., BrowserContext], open_page: Callable[..., Page]
) -> Callable[..., Page]:
    """Opens the page, logged in, with a board at its port."""

    def open_one(url: str, bench: Bench, token: str = TOKEN, **options: Any) -> Page:
        context = new_context(**{"viewport": DESKTOP, **options})
        bench.install(context)
        page = open_page(url + "/console", context)
        log_in(page, token)
        page.goto(url + "/console/flash")
        return page

    return open_one


@dataclass
class Cable:
    """The page before a board with MicroPython."""

    fleet: Fleet
    chip: PtyBoard
    bench: Bench
    page: Page

    @property
    def config(self) -> dict[str, Any]:
        return json.loads((self.chip.flash / "config.json").read_text())


@pytest.fixture
def cable(
    fleet: Fleet, chip: PtyBoard, micropython: MicroPython, sim_package: Path, open_board: Callable[..., Page]
) -> Cable:
    put(sim_package, fleet.cloud.settings.data)
    bench = Bench(lambda: micropython)
    return Cable(fleet, chip, bench, open_board(fleet.url, bench))


@pytest.fixture
def installed(cable: Cable, sim_package: Path) -> Cable:
    """The board has the firmware already."""
    with zipfile.ZipFile(sim_package) as source:
        source.extractall(cable.chip.flash)
    return cable


def step(page: Page, name: str) -> Any:
    return page.locator(f"#{name}")


def image_of(chip_id: int = 0, app: bool = False) -> bytes:
    """A MicroPython image as its head goes, and noise."""
    head = bytearray(64)
    head[0] = 0xE9
    head[12] = chip_id
    if app:
        head[32:36] = bytes.fromhex("3254cdab")
    return bytes(head) + random.Random(7).randbytes(30_000)


def choose_image(page: Page, content: bytes) -> None:
    page.locator("#image-file").set_input_files({"name": "x.bin", "mimeType": "", "buffer": content})
    page.get_by_role("button", name="Write MicroPython").click()


def fill_in(page: Page, device_id: str, **more: str) -> None:
    values = {
        "device-id": device_id,
        "ssid": "Courtyard",
        "password": "correct horse",
        "broker": "127.0.0.1:1883",
    }
    for field, value in {**values, **more}.items():
        page.locator(f"#{field}").fill(value)
    page.locator("#unencrypted").check()


def choose_port(page: Page) -> None:
    page.locator("#choose").click()


def write_firmware(page: Page) -> None:
    page.get_by_role("button", name="Write firmware").click()
    done = step(page, "firmware").get_by_text("all compared on the board")
    expect(done).to_be_visible(timeout=WRITING_MS)


@pytest.mark.system
def test_a_board_from_the_box_becomes_a_pile_that_is_online(
    system: System,
    chip: PtyBoard,
    micropython: MicroPython,
    sim_package: Path,
    open_board: Callable[..., Page],
    watch: Watch,
):
    watch.allow("409")  # NoRate
    (chip.flash / "a").mkdir()  # on a chip it is a part of MicroPython
    (chip.flash / "a" / "network.py").write_bytes((ROOT / "tests/boards/fakes/network.py").read_bytes())
    (chip.flash / "air.json").write_text(json.dumps({"ssid": "Courtyard", "password": "correct horse"}))
    put(sim_package, system.data)
    rom = Rom()
    runs: list[Program] = [Prints(BOOT_LOOP)]
    bench = Bench(lambda: micropython if rom.written else runs[0], rom)
    page = open_board(system.base_url, bench, system.operator_token)
    choose_port(page)
    expect(step(page, "port").get_by_role("alert")).to_contain_text("finds no program")
    choose_image(page, image_of())
    expect(step(page, "port").get_by_text("MicroPython 1.")).to_be_visible()
    assert rom.written == {0x1000: image_of()}
    assert not rom.has_erased
    write_firmware(page)
    fill_in(page, "BOXED-1", broker=f"127.0.0.1:{system.broker.port}")
    page.get_by_role("button", name="Register and write").click()
    expect(page.get_by_text("BOXED-1 is online.")).to_be_visible(timeout=WRITING_MS)
    expect(page.get_by_text("no rate yet")).to_be_visible()
    expect(page.get_by_role("link", name="Set the rate")).to_have_attribute(
        "href", "/console#/piles/BOXED-1/rate"
    )
    expect(page.get_by_alt_text("QR code that opens the page of BOXED-1")).to_be_visible()
    config = json.loads((chip.flash / "config.json").read_text())
    assert config["wifi"] == {"ssid": "Courtyard", "password": "correct horse"}
    assert config["key"] not in page.content()
    assert page.evaluate("Object.keys(localStorage)") == []


def test_writing_again_keeps_id_and_key_and_shows_the_price(installed: Cable, watch: Watch):
    watch.allow("409")  # NoRate
    page = installed.page
    choose_port(page)
    expect(page.locator("#write-pile")).to_be_enabled()
    fill_in(page, "PILE-7")
    page.get_by_role("button", name="Register and write").click()
    expect(page.get_by_text("no rate yet")).to_be_visible()
    key = installed.config["key"]
    assert key == installed.fleet.row("PILE-7").key_hex
    installed.fleet.operator.put("/api/piles/PILE-7/rate", DEMO_RATE | {"periods": [DEMO_RATE["periods"][0]]})
    page.reload()
    choose_port(page)
    expect(step(page, "port").get_by_text("configured as PILE-7")).to_be_visible()
    expect(page.locator("#ssid")).to_have_value("Courtyard")
    fill_in(page, "PILE-7", ssid="Another")
    page.get_by_role("button", name="Register and write").click()
    expect(page.get_by_text("Its price now: ¥0.60 per kWh.")).to_be_visible()
    config = installed.config
    assert (config["key"], config["wifi"]["ssid"]) == (key, "Another")


@pytest.mark.long
def test_an_unplugged_board_is_mended_by_beginning_again(cable: Cable, sim_package: Path):
    page = cable.page
    choose_port(page)
    expect(page.locator("#write-firmware")).to_be_enabled()
    cable.bench.lives = 30_000
    page.get_by_role("button", name="Write firmware").click()
    expect(step(page, "firmware").get_by_role("alert")).to_contain_text("connection to the board is gone")
    assert not (cable.chip.flash / "main.py").exists()
    cable.bench.lives = None
    write_firmware(page)
    on_board = {
        str(path.relative_to(cable.chip.flash)): path.read_bytes()
        for path in cable.chip.flash.rglob("*")
        if path.is_file()
    }
    for name in ("ratelock.mpy.new", "config.mpy.new"):
        on_board.pop(name, None)
    with zipfile.ZipFile(sim_package) as package:
        assert on_board == {name: package.read(name) for name in package.namelist() if name != packages.ABOUT}


def test_a_key_that_the_board_did_not_get_is_written_when_it_is_back(installed: Cable, watch: Watch):
    watch.allow("409")  # NoRate
    page = installed.page
    choose_port(page)
    expect(page.locator("#write-pile")).to_be_enabled()

    def unplug(route: Any) -> None:
        installed.bench.lives = 0
        route.continue_()

    page.route("**/api/piles", unplug)
    fill_in(page, "PILE-7")
    page.get_by_role("button", name="Register and write").click()
    expect(step(page, "pile").get_by_role("alert")).to_contain_text("connection to the board is gone")
    key = installed.fleet.row("PILE-7").key_hex
    page.unroute("**/api/piles")
    installed.bench.lives = None
    page.reload()
    choose_port(page)
    expect(page.locator("#write-pile")).to_be_enabled()
    fill_in(page, "PILE-7")
    page.get_by_role("button", name="Register and write").click()
    expect(page.get_by_text("PILE-7 is registered and configured")).to_be_visible()
    assert installed.config["key"] == key
    assert page.evaluate("Object.keys(localStorage)") == []


def test_a_configuration_that_would_not_work_is_refused_before_the_cloud_makes_a_key(
    installed: Cable, watch: Watch
):
    watch.allow("409")
    installed.fleet.pile("TAKEN-1")
    page = installed.page
    alert = step(page, "pile").get_by_role("alert")
    choose_port(page)
    expect(page.locator("#write-pile")).to_be_enabled()
    write = page.get_by_role("button", name="Register and write")
    fill_in(page, "PILE-8", ssid="x" * 33)
    write.click()
    expect(alert).to_contain_text("would refuse this configuration")
    fill_in(page, "PILE-8")
    page.locator("#unencrypted").uncheck()
    write.click()
    expect(alert).to_contain_text("No certificate is chosen")
    page.locator("#ca").set_input_files({"name": "ca.pem", "mimeType": "", "buffer": b"no certificate"})
    write.click()
    expect(alert).to_contain_text("no certificate in PEM")
    fill_in(page, "TAKEN-1")
    write.click()
    expect(alert).to_contain_text("knows TAKEN-1 already")
    assert not (installed.chip.flash / "config.json").exists()
    assert [each["device_id"] for each in installed.fleet.operator.get("/api/piles").json()["items"]] == [
        "TAKEN-1"
    ]


def test_a_board_takes_the_place_of_a_registered_pile_with_a_new_key(installed: Cable, watch: Watch):
    watch.allow("409")
    lost = installed.fleet.pile("PILE-9").key.hex()
    page = installed.page
    choose_port(page)
    expect(page.locator("#write-pile")).to_be_enabled()
    fill_in(page, "PILE-9")
    page.get_by_role("button", name="Register and write").click()
    page.get_by_role("button", name="Give it a new key").click()
    expect(page.get_by_text("PILE-9 is registered and configured")).to_be_visible()
    key = installed.config["key"]
    assert key == installed.fleet.row("PILE-9").key_hex != lost


def test_a_board_with_orders_of_another_pile_is_asked_about(installed: Cable, watch: Watch):
    watch.allow("409")  # NoRate
    (installed.chip.flash / "flash").mkdir()
    (installed.chip.flash / "flash" / "order-1").write_bytes(b"an order that runs")
    (installed.chip.flash / "config.json").write_text(json.dumps({"device_id": "OLD-1", "key": "5a" * 32}))
    page = installed.page
    choose_port(page)
    expect(page.locator("#write-pile")).to_be_enabled()
    fill_in(page, "NEW-1")
    page.get_by_role("button", name="Register and write").click()
    expect(step(page, "pile").get_by_role("alert")).to_contain_text("This board was OLD-1")
    assert installed.fleet.operator.get("/api/piles").json()["items"] == []
    page.get_by_role("button", name="Continue anyway").click()
    expect(page.get_by_text("NEW-1 is registered")).to_be_visible()


PORTS = [
    (BOOT_LOOP, "finds no program"),
    (b"", "The port is silent"),
    (b"boot:0x3 (DOWNLOAD_BOOT(UART0))\r\nwaiting for download\r\n", "waits for an image"),
    (b"Guru Meditation Error: Core 0 panic'ed (LoadProhibited)\r\n", "The board crashes: Guru"),
    (b"temperature 21.5\r\n", "Another program runs"),
]


@pytest.mark.long
def test_a_port_without_micropython_is_told_apart(
    fleet: Fleet, sim_package: Path, open_board: Callable[..., Page]
):
    put(sim_package, fleet.cloud.settings.data)
    bench = Bench(lambda: Prints(b""))
    page = open_board(fleet.url, bench)
    alert = step(page, "port").get_by_role("alert")
    for text, sentence in PORTS:
        bench.program = Prints(text)
        choose_port(page)
        expect(alert).to_contain_text(sentence)
        expect(page.locator("#write-firmware")).to_be_disabled()
    bench.refusal = "Failed to open serial port."
    choose_port(page)
    expect(alert).to_contain_text("dialout")


def test_an_image_that_cannot_start_the_board_is_refused(
    fleet: Fleet, sim_package: Path, open_board: Callable[..., Page]
):
    put(sim_package, fleet.cloud.settings.data)
    rom = Rom(chip_id=9)
    page = open_board(fleet.url, Bench(lambda: Prints(BOOT_LOOP), rom))
    alert = step(page, "image").get_by_role("alert")
    choose_port(page)
    expect(page.locator("#write-image")).to_be_enabled()
    for content, sentence in [
        (b"#!/bin/sh" * 100, "no ESP32 image"),
        (image_of(app=True), "update without a bootloader"),
        (image_of(chip_id=13), "a chip that no board here has"),
        (image_of(chip_id=0), "for ESP32, but this board has an ESP32-S3"),
    ]:
        choose_image(page, content)
        expect(alert).to_contain_text(sentence)
    assert rom.written == {}


@pytest.mark.long
def test_an_image_that_was_cut_off_is_written_again(
    fleet: Fleet, sim_package: Path, open_board: Callable[..., Page]
):
    put(sim_package, fleet.cloud.settings.data)
    rom = Rom()
    bench = Bench(lambda: Prints(BOOT_LOOP), rom)
    page = open_board(fleet.url, bench)
    choose_port(page)
    expect(page.locator("#write-image")).to_be_enabled()
    bench.lives = 12_000  # the stub has 8,000
    page.locator("#erase").check()
    choose_image(page, image_of())
    expect(step(page, "image").get_by_role("alert")).to_contain_text("connection to the board is gone")
    assert rom.has_erased
    assert rom.written == {}
    bench.lives = None
    page.get_by_role("button", name="Write MicroPython").click()
    expect(step(page, "image").get_by_text("MicroPython is written")).to_be_visible()
    assert rom.written == {0x1000: image_of()}


@pytest.mark.long
def test_a_chip_that_does_not_answer_its_bootloader_is_told_so(
    fleet: Fleet, sim_package: Path, open_board: Callable[..., Page]
):
    put(sim_package, fleet.cloud.settings.data)
    bench = Bench(lambda: Prints(BOOT_LOOP))
    bench.rom.write = lambda _: None  # type: ignore[method-assign]
    page = open_board(fleet.url, bench)
    choose_port(page)
    expect(page.locator("#write-image")).to_be_enabled()
    choose_image(page, image_of())
    expect(step(page, "image").get_by_role("alert")).to_contain_text("Hold the board's BOOT button")


def test_a_board_that_cannot_run_the_firmware_is_told_so(
    fleet: Fleet, micropython: MicroPython, sim_package: Path, open_board: Callable[..., Page]
):
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"micropython": [9, 0, 0]}, "port", "9.0.0 or newer is needed"),
        ({"chip": "esp32s3"}, "firmware", "no firmware for unix"),
        ({"mpy": [5, 2]}, "firmware", "compiled for .mpy 5.2"),
    ]
    page = open_board(fleet.url, Bench(lambda: micropython))
    expect(step(page, "firmware")).to_contain_text("This cloud has no firmware for boards")
    for changes, place, sentence in cases:
        put(sim_package, fleet.cloud.settings.data, **changes)
        page.reload()
        choose_port(page)
        if "mpy" in changes:
            page.get_by_role("button", name="Write firmware").click()
        expect(step(page, place)).to_contain_text(sentence)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("delete Navigator.prototype.serial", "Only Chrome, Edge, Opera"),
        ("Object.defineProperty(window, 'isSecureContext', {value: false})", "Open this page over https"),
    ],
)
def test_a_browser_without_serial_ports_is_told_so(
    fleet: Fleet,
    new_context: Callable[..., BrowserContext],
    open_page: Callable[..., Page],
    script: str,
    sentence: str,
):
    context = new_context(viewport=PHONE)
    context.add_init_script(script)
    page = open_page(fleet.url + "/console/flash", context)
    expect(page.get_by_role("alert")).to_contain_text(sentence)


@pytest.mark.parametrize(
    ("viewport", "scheme", "locale"),
    [(SMALL_PHONE, "light", "en-GB"), (DESKTOP, "dark", "zh-CN")],
    ids=["320 px", "desktop dark Chinese"],
)
def test_the_page_is_accessible_and_fits(
    fleet: Fleet, sim_package: Path, open_board: Callable[..., Page], viewport: Any, scheme: Any, locale: str
):
    put(sim_package, fleet.cloud.settings.data)
    page = open_board(
        fleet.url, Bench(lambda: Prints(BOOT_LOOP)), viewport=viewport, color_scheme=scheme, locale=locale
    )
    choose_port(page)
    expect(step(page, "port").get_by_role("alert")).to_be_visible()
    assert overflow(page) <= 0
    assert axe_problems(page) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_a_sentence_for_all_that_goes_wrong(language: str):
    text = (assets.FOLDER / f"board-words.{language}.js").read_text(encoding="utf-8")
    thrown = {
        code
        for file in assets.FOLDER.glob("board*.js")
        for code in re.findall(r'new Trouble\("(\w+)"', file.read_text(encoding="utf-8"))
    }
    assert len(thrown) > 20
    assert thrown <= set(re.findall(r"^ +(\w+):", text, re.MULTILINE))
