"""Packages of Debian and Ubuntu, unpacked into a folder: needs no root, starts no service, installs nothing.

Standard library only: the set-up uses it before anything is installed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

APT_TIMEOUT_S = 240


class FetchError(Exception):
    """The package cannot be fetched here; the text says why, in one sentence."""


def available() -> bool:
    return shutil.which("apt-get") is not None and shutil.which("dpkg-deb") is not None


def fetch(package: str, into: Path, archive: dict[str, str] | None = None) -> None:
    """Unpacks `package`, with those of its dependencies that the system lacks, into the new folder `into`.

    Where `into` exists, nothing is done; of several processes one fetches, and the folder appears complete.
    archive: settings of apt for another archive than this system's.
    Raises FetchError.
    """
    if into.exists():
        return
    if not available():
        raise FetchError("there is no apt-get on this system")
    into.parent.mkdir(parents=True, exist_ok=True)
    part = into.with_name(into.name + ".part")
    with (
        open(into.with_name(into.name + ".lock"), "w") as lock,
        tempfile.TemporaryDirectory(prefix="ratelock-apt-") as scratch,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if into.exists():
            return
        _download(package, scratch, archive)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for name in sorted(Path(scratch).glob("*.deb")):
            if run(["dpkg-deb", "-x", str(name), str(part)]).returncode:
                raise FetchError(f"dpkg-deb could not unpack {name.name}")
        part.rename(into)


def library_path(folder: Path) -> dict[str, str]:
    """The environment in which programs unpacked into `folder` find their libraries."""
    found = sorted({str(library.parent) for library in folder.rglob("lib*.so*")})
    return {"LD_LIBRARY_PATH": os.pathsep.join(found)} if found else {}


def run(argv: list[str], folder: str | None = None) -> subprocess.CompletedProcess[str]:
    """A finished command, its output in plain English. Raises FetchError where it cannot run."""
    env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(
            argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=APT_TIMEOUT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(f"{argv[0]}: {error}") from error


def _download(package: str, scratch: str, archive: dict[str, str] | None) -> None:
    """The package's and its dependencies' .deb files into `scratch`. Raises FetchError."""
    settings = {"Debug::NoLocking": "true"}
    if os.getuid() == 0:
        settings["APT::Sandbox::User"] = "root"  # apt's own user could not write into our folder

    def apt(*words: str) -> subprocess.CompletedProcess[str]:
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return run(["apt-get", *options, *words], scratch)

    def download() -> str | None:
        """None, or why it failed."""
        planned = apt("-s", "--no-install-recommends", "install", package)
        if planned.returncode:
            return f"apt-get knows no package {package}, or its archive is out of reach"
        names = [line.split()[1] for line in planned.stdout.splitlines() if line.startswith("Inst ")]
        done = apt("download", *names)
        return (
            f"apt-get could not download {package}: {done.stderr.strip()[-200:]}" if done.returncode else None
        )

    # First with the system's package lists. If it has none, or old ones, with lists fetched for this purpose.
    if archive is None and download() is None:
        return
    for folder in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(scratch, folder))
    settings |= {"Dir::State::Lists": f"{scratch}/lists", "Dir::Cache": f"{scratch}/cache", **(archive or {})}
    apt("update")
    if why := download():
        raise FetchError(why)
