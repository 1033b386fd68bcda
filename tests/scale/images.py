"""compose.scale.yaml's primary and replica without containers: its scripts and environment, on own clusters.

The primary's cluster is made as the postgres image's entrypoint makes it: by a server that gets the service's
arguments, listens on a socket alone, and runs the scripts of docker-entrypoint-initdb.d.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import psycopg
import yaml

from tools import ROOT
from tools.harness.ports import free_port
from tools.harness.postgres import as_user, find, unprivileged
from tools.harness.processes import HOST, Child, Children

BOUND_S = 60
_SECRETS = {"POSTGRES_PASSWORD": "of the tests", "REPLICATION_PASSWORD": "of the replica's"}


class Cluster:
    """The services `postgres` and `replica`. Raises NoPostgres; ProcessError where a step fails."""

    def __init__(self) -> None:
        self._bin, self._env = find()
        self._user = unprivileged()
        self._children = Children()
        self._services = yaml.safe_load((ROOT / "compose.scale.yaml").read_text())["services"]
        self._folder = Path(tempfile.mkdtemp(prefix="ratelock-replica-"))
        for name in ("primary.sh", "replica.sh"):  # the server's user may not enter our folder
            shutil.copy(ROOT / "docs" / "operation" / "scale" / name, self._folder / name)
        if self._user:
            os.chown(self._folder, *self._user)
        self.ports = {"postgres": free_port(), "replica": free_port()}
        self.primary: Child | None = None
        self.replica: Child | None = None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        # A server that pg_ctl started left our process group: it ends by its own file, if it is still there.
        for service in ("replica", "postgres"):
            script = 'test ! -e "$PGDATA/postmaster.pid" || pg_ctl -m immediate stop'
            self._start(service, script).wait(BOUND_S)
        self._children.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def make_primary(self) -> None:
        """What the image's entrypoint does before it becomes the server."""
        user, database = (self._environment("postgres")[key] for key in ("POSTGRES_USER", "POSTGRES_DB"))
        password = shlex.quote(self._environment("postgres")["POSTGRES_PASSWORD"])
        arguments = shlex.join([*self._arguments("postgres"), "-c", "listen_addresses="])
        psql = f"psql --set=ON_ERROR_STOP=1 --username {user} --no-password --no-psqlrc --dbname"
        self._bash(
            "postgres",
            f"""
            initdb --username={user} --pwfile=<(printf '%s\\n' {password}) \\
                --auth-host=scram-sha-256 --encoding=UTF8 --no-sync
            echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
            echo "unix_socket_directories = '$PGHOST'" >> "$PGDATA/postgresql.conf"
            echo "listen_addresses = '{HOST}'" >> "$PGDATA/postgresql.conf" # the image's is '*'
            pg_ctl -o {shlex.quote(arguments)} -w start
            {psql} postgres --command 'CREATE DATABASE {database}'
            . ./primary.sh
            pg_ctl -m fast -w stop
            """,
        )

    def start_primary(self) -> None:
        self.primary = self._start("postgres", "exec postgres " + shlex.join(self._arguments("postgres")))
        self.primary.wait_for_line("ready to accept connections", BOUND_S)

    def start_replica(self) -> None:
        """Returns once it may be read."""
        command = self._services["replica"]["command"]
        assert command == ["bash", "/replica.sh"]
        self.replica = self._start("replica", "exec bash ./replica.sh")
        self.replica.wait_for_line("ready to accept read-only connections", BOUND_S)

    def stop_replica(self) -> None:
        assert self.replica is not None
        self.replica.signal(signal.SIGINT)
        self.replica.wait(BOUND_S)

    def leave_half_a_copy(self) -> None:
        """What a replica that was killed while it copied leaves."""
        self._bash("replica", 'mkdir -m 700 "$PGDATA.part"; echo 15 > "$PGDATA.part/PG_VERSION"')

    def promote(self) -> None:
        """As the documents say: pg_ctl promote, in the replica's container."""
        self._bash("replica", "pg_ctl -w promote")

    def connect(self, service: str) -> psycopg.Connection[Any]:
        """Over TCP, as a worker does; in autocommit."""
        environment = self._environment("postgres")
        return psycopg.connect(
            host=HOST,
            port=self.ports[service],
            user=environment["POSTGRES_USER"],
            password=environment["POSTGRES_PASSWORD"],
            dbname=environment["POSTGRES_DB"],
            autocommit=True,
            connect_timeout=BOUND_S,
        )

    def _arguments(self, service: str) -> list[str]:
        """What compose gives to the server."""
        command = self._services[service].get("command", "postgres")
        return (shlex.split(command) if isinstance(command, str) else command)[1:]

    def _environment(self, service: str) -> dict[str, str]:
        """The service's own, with secrets, on this machine's ports."""
        found = dict(self._services[service]["environment"])
        for key, value in found.items():
            for name, secret in _SECRETS.items():
                value = value.replace("${" + name + ":-}", secret)
            found[key] = value
        if "PRIMARY" in found:
            found["PRIMARY"] = found["PRIMARY"].replace(
                "host=postgres", f"host={HOST} port={self.ports['postgres']}"
            )
        return found | {
            **self._env,
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            "PGDATA": str(self._folder / service),
            "PGHOST": str(self._folder),
            "PGPORT": str(self.ports[service]),
            "LC_ALL": "C",
        }

    def _start(self, service: str, script: str) -> Child:
        script = f"cd {shlex.quote(str(self._folder))}; {script}"
        argv = as_user(self._user, shutil.which("bash") or "/bin/bash", "-Eeo", "pipefail", "-c", script)
        return self._children.start(service, argv, env=self._environment(service), cwd="/")

    def _bash(self, service: str, script: str) -> None:
        done = self._start(service, script)
        code = done.wait(BOUND_S)
        assert code == 0, done.tail()
