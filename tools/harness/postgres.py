"""A PostgreSQL server for tests and measurements: a new cluster in a temporary folder, on 127.0.0.1.

    with Postgres() as postgres:
        url = postgres.new_database()

It needs PostgreSQL's server programs, not a running server: those of this machine, else Debian's package
unpacked into .venv. The server refuses to run as root, so root starts it as the user postgres or nobody.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

from tools import ROOT
from tools.harness import debian
from tools.harness.ports import on_a_free_port, wait_for_port
from tools.harness.processes import HOST, Children, ProcessError, Started

FETCHED = ROOT / ".venv" / "postgresql"
PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
USER = "ratelock"
START_TIMEOUT_S = 60
_ADVICE = (
    "Install PostgreSQL's server (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql)"
)

# Becomes another user, then the program; the folder it was started in may not be that user's to enter.
_AS_USER = """
import os, sys
uid, gid = int(sys.argv[1]), int(sys.argv[2])
os.chdir("/")
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
os.execv(sys.argv[3], sys.argv[3:])
"""


class NoPostgres(Exception):
    """There is no way to run PostgreSQL here; the text says why."""


class Postgres(Started):
    """One server. durable: commits reach the disk, which a measurement wants and a test does not need.

    Raises NoPostgres where it cannot be had, ProcessError where it does not start.
    """

    def __init__(self, *, durable: bool = False, connections: int = 200):
        self._durable = durable
        self._connections = connections
        self._bin, self._env = find()
        self._user = unprivileged()
        self._folder: Path | None = None
        self._children = Children()
        self._child = None
        self._password = secrets.token_urlsafe(24)
        self.port = 0

    def start(self) -> None:
        """Returns once the server answers."""
        folder = self._folder = Path(tempfile.mkdtemp(prefix="ratelock-postgres-"))
        if self._user:
            os.chown(folder, *self._user)
        self._make_cluster(folder)
        self.port = on_a_free_port(lambda port: self._start_on(folder, port))

    def stop(self) -> None:
        """End the server and remove its folder. Nothing where it does not run."""
        if self._child and self._child.returncode is None:
            self.thaw()
            self._child.signal(signal.SIGINT)  # "fast": it does not wait for those who are still connected
            try:
                self._child.wait(20)
            except ProcessError:
                pass
        self._children.stop()
        self._child = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def freeze(self) -> None:
        """Stop the server and all its sessions where they are: it takes connections and answers nothing."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        if self._child is None:
            return
        # Each session leads a process group of its own.
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
        pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
        self._child.signal(number)
        for pid, parent in pairs:
            if parent == self._child.pid:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:  # it has just ended
                    pass

    def url(self, database: str = "postgres") -> str:
        """A DATABASE_URL."""
        return f"postgresql+psycopg://{USER}:{self._password}@{HOST}:{self.port}/{database}"

    def new_database(self, template: str = "template1") -> str:
        """Make a database, a copy of `template`; returns its name."""
        name = "t" + secrets.token_hex(8)
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, even if clients are connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(
            host=HOST,
            port=self.port,
            user=USER,
            password=self._password,
            dbname="postgres",
            autocommit=True,
        ) as conn:
            conn.execute(statement)

    def _argv(self, *argv: str) -> list[str]:
        return as_user(self._user, *argv)

    def _make_cluster(self, folder: Path) -> None:
        password = folder / "password"
        password.write_text(self._password)
        password.chmod(0o600)
        if self._user:
            os.chown(password, *self._user)
        argv = ["--pgdata", str(folder / "data"), "--username", USER, "--pwfile", str(password)]
        argv += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
        done = subprocess.run(
            self._argv(str(self._bin / "initdb"), *argv, "--no-sync"),
            env={**os.environ, **self._env},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        password.unlink()
        if done.returncode:
            raise NoPostgres(f"initdb failed: {(done.stderr or done.stdout).strip()[-400:]}")

    def _start_on(self, folder: Path, port: int) -> None:
        settings = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": str(self._connections),
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        argv = [str(self._bin / "postgres"), "-D", str(folder / "data")]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        child = self._children.start("postgres", self._argv(*argv), env=self._env, cwd="/")
        try:
            wait_for_port(port, child, START_TIMEOUT_S)
            child.wait_for_line("ready to accept connections", START_TIMEOUT_S)
        except ProcessError:
            child.kill()
            raise
        self._child = child


def find() -> tuple[Path, dict[str, str]]:
    """(the folder of the server's programs, the environment they need). Raises NoPostgres."""
    folders = [Path(each) for each in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    for place in PLACES:
        folders += sorted(Path("/").glob(place[1:]), key=_version, reverse=True)
    if installed := next(filter(_is_server, folders), None):
        return installed, {}
    if debian.available() and not FETCHED.exists():
        print("postgres: fetching Debian's package into .venv (the system stays as it is)", file=sys.stderr)
        try:
            debian.fetch("postgresql", FETCHED)
        except (debian.FetchError, OSError) as error:
            raise NoPostgres(f"{error}. {_ADVICE}") from error
    if fetched := next(filter(_is_server, FETCHED.glob("usr/lib/postgresql/*/bin")), None):
        return fetched, debian.library_path(FETCHED)
    raise NoPostgres(f"There is no PostgreSQL server on this machine. {_ADVICE}")


def as_user(user: tuple[int, int] | None, *argv: str) -> list[str]:
    """The command that runs `argv` as `user`, a result of `unprivileged`."""
    if user is None:
        return list(argv)
    uid, gid = user
    return [sys.executable, "-I", "-S", "-c", _AS_USER, str(uid), str(gid), *argv]


def _is_server(folder: Path) -> bool:
    return os.access(folder / "initdb", os.X_OK) and os.access(folder / "postgres", os.X_OK)


def _version(folder: Path) -> int:
    numbers = re.findall(r"\d+", folder.parent.name)
    return int(numbers[0]) if numbers else 0


def unprivileged() -> tuple[int, int] | None:
    """(uid, gid) to run the server as; None: as who we are. Raises NoPostgres."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return user.pw_uid, user.pw_gid
    raise NoPostgres("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
