"""Packages of Debian and its kin: unpacked into a folder of ours without root, or installed with apt-get.

Unpacking is preferred: it needs no root, starts no service and leaves the system as it was.
Standard library only; used by set-up before anything is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


class FetchError(Exception):
    """The package could not be had this way; the text says why, in one sentence."""


def available() -> bool:
    return shutil.which("apt-get") is not None and shutil.which("dpkg-deb") is not None


def _run(argv: list[str], cwd: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def _missing(package: str, options: list[str], cwd: str) -> list[str] | None:
    """Names of `package` and of what it needs that is not installed; None where apt does not know it."""
    done = _run(["apt-get", *options, "-s", "--no-install-recommends", "install", package], cwd)
    if done.returncode:
        return None
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ")]


def fetch(package: str, into: Path) -> None:
    """Unpacks `package`, with those of its dependencies that the system lacks, into the folder `into`.

    Works without root: with package lists of its own where the system has none. Raises FetchError.
    """
    if not available():
        raise FetchError("there is no apt-get on this system")
    with tempfile.TemporaryDirectory(prefix="ratelock-apt-") as scratch:
        options = ["-o", "Debug::NoLocking=true"]
        if os.getuid() == 0:
            options += ["-o", "APT::Sandbox::User=root"]  # apt's own user could not write into our folder
        names = _missing(package, options, scratch)
        if names is None or _run(["apt-get", *options, "download", *names], scratch).returncode:
            for folder in ("lists/partial", "cache/archives/partial"):
                os.makedirs(os.path.join(scratch, folder))
            options += ["-o", f"Dir::State::Lists={scratch}/lists", "-o", f"Dir::Cache={scratch}/cache"]
            _run(["apt-get", *options, "update"], scratch)
            names = _missing(package, options, scratch)
            if names is None:
                raise FetchError(f"apt-get knows no package {package}, or its archive is out of reach")
            done = _run(["apt-get", *options, "download", *names], scratch)
            if done.returncode:
                raise FetchError(f"apt-get could not download {package}: {done.stderr.strip()[-200:]}")
        into.mkdir(parents=True, exist_ok=True)
        for name in sorted(os.listdir(scratch)):
            if name.endswith(".deb") and _run(["dpkg-deb", "-x", name, str(into)], scratch).returncode:
                raise FetchError(f"dpkg-deb could not unpack {name}")


def install(package: str, say: Callable[[str], None]) -> None:
    """Installs `package` on the system with apt-get, as root or through sudo. Raises FetchError."""
    if not available():
        raise FetchError("there is no apt-get on this system")
    prefix: list[str] = []
    if os.getuid() != 0:
        if shutil.which("sudo") is None:
            raise FetchError(f"installing {package} needs root, and there is no sudo")
        prefix = ["sudo"] if sys.stdin is not None and sys.stdin.isatty() else ["sudo", "-n"]
    say(f"installing {package} with {' '.join([*prefix, 'apt-get'])}")
    # RUNLEVEL=1: invoke-rc.d then starts no service.
    env = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    subprocess.run([*prefix, *env, "apt-get", "update", "-q"], stdout=sys.stderr)
    command = [*prefix, *env, "apt-get", "install", "-y", "-q", "--no-install-recommends", package]
    if subprocess.run(command, stdout=sys.stderr).returncode:
        raise FetchError(f"apt-get could not install {package}")
