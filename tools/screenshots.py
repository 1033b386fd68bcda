"""Pictures of every page of a running system: light and dark, phone and desktop.

    python -m tools.screenshots              all of them into build/screenshots
    python -m tools.screenshots --pictures   and the README's few into docs/pictures

A broker, a cloud and simulated piles are started for it; their charges run SPEED times faster than the clock.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

from tools import ROOT
from tools.harness import browser
from tools.harness.phone import Phone
from tools.harness.system import DEMO_RATE, System

OUT = ROOT / "build" / "screenshots"
PICTURES = ROOT / "docs" / "pictures"
IN_README = {  # name: width in pixels
    "phone-price": 390,
    "phone-changed": 390,
    "phone-charging": 390,
    "phone-receipt": 390,
    "phone-price-dark-zh": 390,
    "label": 390,
    "console-piles": 1100,
    "console-rate-dark": 1100,
}
COLOURS = 192  # enough for flat design, a fraction of the size

PHONE: ViewportSize = {"width": 390, "height": 844}
SMALL: ViewportSize = {"width": 320, "height": 568}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
TIMEOUT_MS = 30_000

POWER = re.compile(r"[1-9]\.\d+ kW(?!h)")
ENOUGH = re.compile(r"\D[1-4]\.\d\d .*5\.00")  # of the 5 kWh
SPEED = 80  # times the clock's


def dearer(rate: dict[str, Any], by: int) -> dict[str, Any]:
    """`rate` with each price per kWh higher by `by` millionths."""
    periods = [{**each, "electricity_price": each["electricity_price"] + by} for each in rate["periods"]]
    return {**rate, "periods": periods}


class Studio:
    """Opens pages and takes pictures of them."""

    def __init__(self, chromium: Browser, out: Path):
        self._chromium = chromium
        self._out = out

    @contextmanager
    def page(
        self, url: str, viewport: ViewportSize, dark: bool = False, locale: str = "en-GB"
    ) -> Iterator[Page]:
        context = self._chromium.new_context(
            viewport=viewport, color_scheme="dark" if dark else "light", locale=locale, device_scale_factor=2
        )
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.goto(url)
        yield page
        context.close()

    def take(self, page: Page, name: str) -> None:
        page.evaluate("document.fonts.ready")
        page.mouse.move(0, 0)
        page.screenshot(path=str(self._out / f"{name}.png"), animations="disabled")
        print(name, flush=True)


def wait_for(page: Page, selector: str) -> None:
    page.locator(selector).first.wait_for()


def phone_story(studio: Studio, system: System, suffix: str, **look: Any) -> None:
    """One charge on a pile of its own, a picture at each turn."""
    name = "滨江 2 号桩" if look.get("locale") == "zh-CN" else "Riverside 2"
    pile = system.add_pile(connectors=2, name=name)
    system.set_rate(pile.device_id, DEMO_RATE)
    child = system.start_pile(pile, speed=SPEED)
    with studio.page(f"{system.base_url}/p/{pile.device_id}", **look) as page:

        def take(name: str) -> None:
            studio.take(page, f"phone-{name}{suffix}")

        wait_for(page, "#confirm:enabled")
        take("price")
        page.locator("[name=amount]").nth(2).check()
        page.locator("summary").click()
        page.locator("#limit-cost").fill("12,50")
        page.locator("summary").scroll_into_view_if_needed()
        take("limits")
        system.set_rate(pile.device_id, dearer(DEMO_RATE, 200_000))
        wait_for(page, "#accept:enabled")
        take("changed")
        page.locator("#accept").click()
        page.locator(".limit-bar").filter(has_text=ENOUGH).wait_for()
        take("charging")
        page.context.set_offline(True)
        wait_for(page, ".banner:not([hidden])")
        take("lost")
        page.context.set_offline(False)
        page.locator(".banner").wait_for(state="hidden")
        page.locator("#stop").click()
        wait_for(page, "#pay")
        take("receipt")
        page.locator("#pay").click()
        wait_for(page, "#done")
        take("paid")
        system.kill_pile(child)
        page.locator("#done").click()
        wait_for(page, "#confirm:disabled")
        take("offline")
        page.goto(f"{system.base_url}/p/RIVERSIDE-9")
        wait_for(page, "#device")
        take("unknown")


def label(system: System, device_id: str, out: Path) -> None:
    answer = system.operator.get(f"/api/piles/{device_id}/label?kind=png")
    (out / "label.png").write_bytes(answer.body)
    print("label", flush=True)


def compress(source: Path, target: Path, width: int) -> None:
    """A picture for a README: `width` pixels wide, few colours."""
    with Image.open(source) as picture:
        height = picture.height * width // picture.width
        small = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        # Maximum coverage keeps the rare colours, which are those that mean something.
        few = small.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(target, "PNG", optimize=True)


@contextmanager
def fleet(system: System) -> Iterator[str]:
    """Piles with a few orders behind them, of which two charge now; gives the id of one of these."""
    phone = Phone(system.base_url)
    piles = [system.add_pile(f"RIVERSIDE-{n}", connectors=2, name=f"Riverside, bay {n}") for n in range(1, 7)]
    for pile in piles:
        system.set_rate(pile.device_id, DEMO_RATE)
    children = [system.start_pile(pile, speed=SPEED) for pile in piles[:-1]]
    for pile, child in zip(piles, children, strict=False):
        system.wait_until_online(pile.device_id, child)
    for n, pile in enumerate(piles[:4]):
        order = phone.order(pile.device_id, limits={"energy_mwh": 300_000 * (n + 1)})
        order.pay(order.wait_for_state("Settled")["total_minor"])
    for pile in piles[1:3]:
        phone.order(pile.device_id, connector=2).wait_for_state("Charging")
    yield piles[1].device_id
    for child in children:
        system.stop_pile(child)


def console_story(studio: Studio, system: System, device_id: str, suffix: str, **look: Any) -> None:
    """The operator's console, view by view."""
    own = f"#/piles/{device_id}"
    with studio.page(f"{system.base_url}/console", **look) as page:
        studio.take(page, f"console-login{suffix}")
        page.locator("#login-other").click()
        page.locator("#login-token").fill(system.operator_token)
        page.locator("#login-token").press("Enter")
        page.locator("#view tbody tr").filter(has_text=POWER).nth(1).wait_for()  # of both that charge
        studio.take(page, f"console-piles{suffix}")
        for name, view in (
            ("pile", own),
            ("rate", own + "/rate"),
            ("orders", "#/orders"),
            ("flagged", "#/flagged"),
            ("reports", "#/reports"),
        ):
            page.goto(f"{system.base_url}/console{view}")
            wait_for(page, "#view h1")
            page.locator("#view [aria-busy=true]").first.wait_for(state="detached")
            page.wait_for_load_state("networkidle")
            studio.take(page, f"console-{name}{suffix}")


def take_all(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="ratelock-") as data,
        System(data) as system,
        browser.launched() as chromium,
    ):
        studio = Studio(chromium, out)
        with fleet(system) as device_id:
            console_story(studio, system, device_id, "", viewport=DESKTOP)
            console_story(studio, system, device_id, "-dark", viewport=DESKTOP, dark=True)
        label(system, "RIVERSIDE-2", out)
        phone_story(studio, system, "", viewport=PHONE)
        phone_story(studio, system, "-dark-zh", viewport=PHONE, dark=True, locale="zh-CN")
        phone_story(studio, system, "-320", viewport=SMALL)
        phone_story(studio, system, "-320-dark", viewport=SMALL, dark=True)
        phone_story(studio, system, "-desktop", viewport=DESKTOP)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--pictures", action="store_true", help="renew docs/pictures from them")
    options = parser.parse_args(argv)
    try:
        take_all(options.out)
    except browser.NoBrowser as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    if options.pictures:
        PICTURES.mkdir(parents=True, exist_ok=True)
        for name, width in IN_README.items():
            compress(options.out / f"{name}.png", PICTURES / f"{name}.png", width)
    return 0


if __name__ == "__main__":
    sys.exit(main())
