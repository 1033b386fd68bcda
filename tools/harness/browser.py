"""A Chromium for the pages: RATELOCK_CHROMIUM, else one on the system, else Debian's package in .venv.

python -m tools.harness.browser     prints its path
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tools import ROOT
from tools.harness import debian

FETCHED = ROOT / ".venv" / "chromium"
FONTS = ROOT / ".venv" / "fonts"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_PATH = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
# Chromium draws each window's address bar by pages of its own, which take as much of the processor as the
# page of a test, headless or not. The other names are those that Playwright switches off: the last list
# counts.
DISABLED_FEATURES = (
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    *("AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync"),
    *("DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay"),
    *("MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding"),
    *("PreconnectToSearch", "ThirdPartyStoragePartitioning"),
)
FLAGS = (
    "--disable-features=" + ",".join(DISABLED_FEATURES),
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoBrowser(Exception):
    """There is none, and none could be fetched; the text says what to do."""


def find() -> tuple[str, dict[str, str]]:
    """(the path of a Chromium, the environment that it needs). Raises NoBrowser."""
    given = os.environ.get("RATELOCK_CHROMIUM")
    for name in (given,) if given else (*NAMES, MAC_PATH):
        if path := shutil.which(name):
            return path, {}
    if given:
        raise NoBrowser(f"RATELOCK_CHROMIUM names {given}, which is not a program")
    try:
        debian.fetch("chromium", FETCHED)
    except (debian.FetchError, OSError) as error:
        raise NoBrowser(
            f"no Chromium ({', '.join(NAMES)}): {error}. Install one, or name one in RATELOCK_CHROMIUM"
        ) from error
    env = debian.library_path(FETCHED)
    if not os.path.exists("/etc/fonts/fonts.conf"):  # those of the package, which look in XDG_DATA_HOME too
        env |= {"FONTCONFIG_PATH": str(FETCHED / "etc/fonts"), "XDG_DATA_HOME": str(FETCHED / "usr/share")}
    return str(FETCHED / "usr/lib/chromium/chromium"), env


def _chinese_font() -> dict[str, str]:
    """The environment in which a Chromium of the system finds a font for Chinese, one of Debian's where the
    system has none. Without one it draws boxes, which is no reason not to go on.
    """
    if not shutil.which("fc-list") or debian.run(["fc-list", ":lang=zh"]).stdout.strip():
        return {}
    try:
        debian.fetch("fonts-wqy-microhei", FONTS)
    except (debian.FetchError, OSError):
        return {}
    return {"XDG_DATA_HOME": str(FONTS / "usr/share")}


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser. Raises NoBrowser."""
    path, env = find()
    flags = [*FLAGS, "--no-sandbox"] if os.getuid() == 0 or env else [*FLAGS]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=flags, env={**os.environ, **_chinese_font(), **env}
        )
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    try:
        print(find()[0])
    except NoBrowser as error:
        sys.exit(f"browser: {error}")
