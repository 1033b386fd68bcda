"""A 32-bit MicroPython, the nearest thing to an ESP32's interpreter that runs on a PC: 31-bit small integers,
ticks that wrap at 2^30 ms, single words of 4 bytes.

Debian 13 has one for i386. Its package and libraries are unpacked into .venv/micropython32 and started
through their own loader: no root, nothing installed.

    python -m tools.harness.micropython32        prints the command, or why there is none
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import ROOT

FOLDER = ROOT / ".venv" / "micropython32"
SUITE = "trixie"
VARIABLE = "MICROPYTHON32"  # names another interpreter, or "none"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_TIMEOUT_S = 240
_LIBRARIES = Path("usr") / "lib" / "i386-linux-gnu"


class Unavailable(Exception):
    """No 32-bit interpreter can be had here; the text says why, in one sentence."""


def command() -> list[str]:
    """The words that start the interpreter, fetched on first use. Raises Unavailable."""
    named = os.environ.get(VARIABLE)
    if named == "none":
        raise Unavailable(f"{VARIABLE} says so")
    if named:
        return [named]
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "i686"):
        raise Unavailable("i386 programs run on Linux on a PC only")
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with open(FOLDER.with_name("micropython32.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several test workers one fetches
        if not FOLDER.exists():
            _fetch(FOLDER)
    libraries = FOLDER / _LIBRARIES
    argv = [str(libraries / "ld-linux.so.2"), "--library-path", str(libraries)]
    argv.append(str(FOLDER / "usr" / "bin" / "micropython"))
    done = _call([*argv, "-c", "import sys; print(sys.maxsize)"])
    if done.stdout.strip() != str(2**31 - 1):
        raise Unavailable(f"the interpreter does not start: {(done.stdout + done.stderr).strip()[-200:]}")
    return argv


def _fetch(into: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable("there is no apt-get on this system")
    with tempfile.TemporaryDirectory(prefix="ratelock-apt-") as scratch:
        options = _own_apt(Path(scratch))
        _apt([*options, "update"], scratch, "Debian's package lists are out of reach")
        planned = _apt(
            [*options, "-s", "--no-install-recommends", "install", "micropython"],
            scratch,
            "the archive has no micropython for i386",
        )
        names = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
        _apt([*options, "download", *names], scratch, "the packages could not be downloaded")
        part = into.with_name(f"{into.name}.{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        for package in sorted(Path(scratch).glob("*.deb")):
            done = _call(["dpkg-deb", "-x", str(package), str(part)])
            if done.returncode:
                raise Unavailable(f"dpkg-deb could not unpack {package.name}")
        part.rename(into)


def _own_apt(scratch: Path) -> list[str]:
    """Options of an apt that knows one suite, one architecture and no installed package."""
    for folder in ("lists/partial", "cache/archives/partial", "parts"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "status").touch()
    signed = f" signed-by={KEYRING}" if KEYRING.exists() else ""
    (scratch / "sources.list").write_text(f"deb [arch=i386{signed}] {_mirror()} {SUITE} main\n")
    settings = {
        "APT::Architecture": "i386",
        "APT::Architectures": "i386",
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": scratch / "parts",
        "Dir::State::Lists": scratch / "lists",
        "Dir::State::status": scratch / "status",
        "Dir::Cache": scratch / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Debug::NoLocking": "true",
    }
    if os.getuid() == 0:
        settings["APT::Sandbox::User"] = "root"  # apt's own user could not write into our folder
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _mirror() -> str:
    """The Debian archive that this system's own apt is configured with. Raises Unavailable."""
    # Told by the sources alone: a fresh container has not fetched its lists.
    done = _call(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"])
    for site in done.stdout.split():
        if site.rstrip("/").endswith("/debian"):
            return site
    raise Unavailable("apt is configured with no Debian archive")


def _apt(words: list[str], folder: str, why: str) -> str:
    done = _call(["apt-get", *words], folder)
    if done.returncode:
        raise Unavailable(f"{why}: {done.stderr.strip()[-200:]}")
    return done.stdout


def _call(argv: list[str], folder: str | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(
            argv,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=APT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{argv[0]}: {error}") from error


def main() -> int:
    try:
        print(" ".join(command()))
    except Unavailable as why:
        print(f"micropython32: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
