"""A 32-bit MicroPython, which on a PC is most like an ESP32's: small integers of 31 bits, ticks that wrap at
2^30 ms, words of 4 bytes.

Debian 13 has one for i386. Its package and libraries are unpacked into .venv/micropython32 and started
through their own loader.

    python -m tools.harness.micropython32        prints the command, or why there is none
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from tools import ROOT
from tools.harness import debian

FOLDER = ROOT / ".venv" / "micropython32"
SUITE = "trixie"
VARIABLE = "MICROPYTHON32"  # names another interpreter, or "none"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Unavailable(Exception):
    """No 32-bit interpreter can be had here; the text says why, in one sentence."""


def command() -> list[str]:
    """The command that starts the interpreter, fetched at first use. Raises Unavailable."""
    named = os.environ.get(VARIABLE)
    if named == "none":
        raise Unavailable(f"{VARIABLE} says so")
    if named:
        return [named]
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "i686"):
        raise Unavailable("i386 programs run on Linux on a PC only")
    libraries = FOLDER / "usr" / "lib" / "i386-linux-gnu"
    argv = [str(libraries / "ld-linux.so.2"), "--library-path", str(libraries)]
    argv.append(str(FOLDER / "usr" / "bin" / "micropython"))
    try:
        if not FOLDER.exists():
            _fetch()
        done = debian.run([*argv, "-c", "import sys; print(sys.maxsize)"])
    except debian.FetchError as error:
        raise Unavailable(str(error)) from error
    if done.stdout.strip() != str(2**31 - 1):
        raise Unavailable(f"the interpreter does not start: {(done.stdout + done.stderr).strip()[-200:]}")
    return argv


def _fetch() -> None:
    """With an apt that knows one suite, one architecture and no installed package."""
    if not debian.available():
        raise Unavailable("there is no apt-get on this system")
    signed = f" signed-by={KEYRING}" if KEYRING.exists() else ""
    with tempfile.NamedTemporaryFile("w", prefix="ratelock-sources-", suffix=".list") as sources:
        sources.write(f"deb [arch=i386{signed}] {_mirror()} {SUITE} main\n")
        sources.flush()
        archive = {
            "APT::Architecture": "i386",
            "APT::Architectures": "i386",
            "Dir::Etc::sourcelist": sources.name,
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::status": "/dev/null",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
        }
        debian.fetch("micropython", FOLDER, archive)


def _mirror() -> str:
    """The Debian archive that this system's own apt is configured with. Raises Unavailable."""
    # Read from apt's sources, because a fresh container has no package lists.
    done = debian.run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"])
    for site in done.stdout.split():
        if site.rstrip("/").endswith("/debian"):
            return site
    raise Unavailable("apt is configured with no Debian archive")


def main() -> int:
    try:
        print(" ".join(command()))
    except Unavailable as why:
        print(f"micropython32: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
