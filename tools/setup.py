"""Makes .venv from the pinned requirements, and again when they have changed.

    python3 -m tools.setup run     what the programs need
    python3 -m tools.setup flash   and what writes an image onto a board
    python3 -m tools.setup dev     and what tests and checks need

With npm it also installs the packages that the pages load; all else works without them. Runs on a bare
Python, standard library only. One run at a time: others wait for the lock.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cloud_stub.base.os_errors import in_words
from tools import ROOT
from tools.harness import debian

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LEVELS = {
    "run": ("requirements.txt",),
    "flash": ("requirements.txt", "requirements-flash.txt"),
    "dev": ("requirements.txt", "requirements-dev.txt", "requirements-typings.txt"),
}
# Packages of npm, by their hashes in package-lock.json, and what there is not without them: what browsers
# load from this cloud, and the central system that the OCPP gateway is tested with.
PAGES = ROOT / "cloud_stub" / "pages" / "npm"
NPM = {PAGES: "the page /console/flash will not write MicroPython images (`make flash` does)"}
NPM_DEV = {
    ROOT / "tests" / "cloud" / "ocpp_peer": "no test of the OCPP gateway with another's central system"
}
WHEELS = "usr/share/python-wheels/pip-*.whl"


class SetupError(Exception):
    """Set-up cannot go on; the text is for the person at the terminal."""


def say(text: str) -> None:
    print("setup: " + text, file=sys.stderr, flush=True)


def fingerprint() -> str:
    """A value that changes with the requirements, the Python, and the folder, because a .venv cannot be
    moved.
    """
    digest = hashlib.sha256(os.fsencode(f"{sys.version_info[:2]} {ROOT}"))
    for path in sorted(ROOT.glob("requirements*.txt")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def stamp(level: str) -> Path:
    return VENV / f"stamp-{level}"


def is_current(level: str) -> bool:
    return PYTHON.exists() and stamp(level).exists() and stamp(level).read_text() == fingerprint()


def call(argv: list[str], why: str) -> None:
    """Runs a command quietly; its output appears only where it fails.

    The command inherits the lock: if this process is killed, the next set-up waits for the command's end.
    """
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        close_fds=False,
    )  # fmt: skip
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise SetupError(why)


def is_usable() -> bool:
    """Whether .venv can be added to: it was made from these requirements, and its pip starts."""
    stamps = [stamp(level) for level in LEVELS if stamp(level).exists()]
    if not PYTHON.exists() or any(each.read_text() != fingerprint() for each in stamps):
        return False
    probe = f"import sys, pip; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    try:
        return subprocess.run([str(PYTHON), "-c", probe], capture_output=True).returncode == 0
    except OSError:  # of another kind of machine
        return False


def pip_wheel() -> str:
    """Path of a pip wheel of the system's, fetched as a Debian package where it is not installed."""
    if not (found := glob.glob("/" + WHEELS)):
        say("no ensurepip in this Python; fetching Debian's pip into .venv (the system stays as it is)")
        debian.fetch("python3-pip-whl", VENV / "debian")
        found = glob.glob(str(VENV / "debian" / WHEELS))
    if not found:
        raise debian.FetchError("python3-pip-whl holds no pip wheel")
    return found[0]


def make_venv() -> None:
    """A fresh .venv with pip in it, also where the system split ensurepip off (Debian's python3-venv)."""
    say(f"making .venv with Python {sys.version.split()[0]}")
    shutil.rmtree(VENV, ignore_errors=True)
    advice = "install it (Debian, Ubuntu: apt-get install python3-venv), then run this again"
    if importlib.util.find_spec("venv") is None:
        raise SetupError(f"this Python has no venv module; {advice}")
    if importlib.util.find_spec("ensurepip") is not None:
        call([sys.executable, "-m", "venv", str(VENV)], "python3 -m venv failed")
        return
    call([sys.executable, "-m", "venv", "--without-pip", str(VENV)], "python3 -m venv --without-pip failed")
    try:
        wheel = pip_wheel()
    except debian.FetchError as error:
        raise SetupError(f"this Python has no ensurepip ({error}); {advice}") from error
    pip = [str(PYTHON), wheel + "/pip", "install", "--no-index", "-q", wheel]
    call(pip, "pip could not be installed into .venv")


def install(level: str) -> None:
    if not is_usable():
        make_venv()
    say(f"installing {', '.join(LEVELS[level])} into .venv (once; about a minute)")
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    for name in LEVELS[level]:
        # The type stubs for MicroPython would shadow Python's own modules: a folder of their own.
        apart = ["--no-deps", "--upgrade", "--target", str(VENV / "typings")] if "typings" in name else []
        why = f"pip could not install {name} (its output is above); is a package index in reach?"
        call([*pip, *apart, "-r", str(ROOT / name)], why)
    for done in ("run", level):
        stamp(done).write_text(fingerprint())


def has_npm_packages(folder: Path) -> bool:
    """Whether they are those of the folder's lock file. Also True if there is no npm to install them."""
    try:
        wanted = (folder / "package-lock.json").read_text()
        return shutil.which("npm") is None or (folder / "node_modules" / "stamp").read_text() == wanted
    except FileNotFoundError:
        return False


def install_npm_packages(folder: Path, without: str) -> None:
    """without: what there is not where they cannot be installed."""
    if shutil.which("npm") is None:
        say(f"no npm: {without}")
        return
    say(f"installing the npm packages of {folder.relative_to(ROOT)}")
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0"]
    try:
        call([*npm, "--prefix", str(folder)], "npm ci failed")
        shutil.copyfile(folder / "package-lock.json", folder / "node_modules" / "stamp")
    except SetupError:
        say(f"{without}, until `make setup` reaches a registry")


def main(argv: list[str]) -> int:
    level = argv[0] if argv else "dev"
    if level not in LEVELS:
        say(f"unknown level {level}: one of {' '.join(LEVELS)}")
        return 2
    try:
        npm = {
            folder: why
            for folder, why in (NPM | NPM_DEV if level == "dev" else NPM).items()
            if folder.is_dir()
        }
        if is_current(level) and (level != "dev" or all(map(has_npm_packages, npm))):
            return 0
        with open(ROOT / ".setup.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another set-up of this folder")
                fcntl.flock(lock, fcntl.LOCK_EX)
            os.set_inheritable(lock.fileno(), True)
            if not is_current(level):
                install(level)
            for folder, without in npm.items():
                if not has_npm_packages(folder):
                    install_npm_packages(folder, without)
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        where = f"what is needed is kept in {ROOT}, which must be yours to write, with room on its disk"
        say(f"{in_words(error)}; {where}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run begins again")
        return 130
    return 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
