"""A Chromium to look at the pages with: found on the system, else installed where that needs no question.

python -m tools.harness.browser     prints its path
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tools.harness import debian

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_PATH = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoBrowser(Exception):
    """There is none, and none could be installed; the text says what to do."""


def find() -> str | None:
    """The path of a Chromium; RATELOCK_CHROMIUM names another one."""
    given = os.environ.get("RATELOCK_CHROMIUM")
    if given:
        return shutil.which(given)
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or shutil.which(MAC_PATH)


def find_or_install() -> str:
    """The path of a Chromium, installed with apt-get where there is none and no password is asked for.

    Raises NoBrowser.
    """
    path = find()
    if path is None:
        try:
            debian.install("chromium", lambda text: print(text, file=sys.stderr, flush=True))
        except debian.FetchError as error:
            raise NoBrowser(
                f"no Chromium ({', '.join(NAMES)}): {error}. Install one, or name one in RATELOCK_CHROMIUM"
            ) from error
        path = find()
    if path is None:
        raise NoBrowser("chromium was installed, but is not on the PATH")
    return path


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser. Raises NoBrowser."""
    path = find_or_install()
    flags = [*FLAGS, "--no-sandbox"] if os.getuid() == 0 else [*FLAGS]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    try:
        print(find_or_install())
    except NoBrowser as error:
        sys.exit(f"browser: {error}")
