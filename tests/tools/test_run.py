"""`make run`: everything up, one clear sentence where it cannot be, and nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.processes import wait_until_gone
from tools import ROOT
from tools.harness.api_client import Client
from tools.harness.ports import free_port


def environment(data: Path, **changes: str) -> dict[str, str]:
    ports = {"RATELOCK_HTTP_PORT": str(free_port()), "RATELOCK_MQTT_PORT": str(free_port())}
    return {**os.environ, "RATELOCK_DATA": str(data), "PYTHONUNBUFFERED": "1", **ports, **changes}


@contextmanager
def running(env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`make run` once it has printed its addresses, and the lines it printed."""
    run = subprocess.Popen(
        [sys.executable, "-m", "tools.run"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        lines: list[str] = []
        assert run.stdout is not None
        for line in run.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        yield run, lines
    finally:
        run.terminate()
        run.communicate()


def once(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.run"], cwd=ROOT, env=env, capture_output=True, text=True
    )


@pytest.mark.system
def test_it_runs_until_ctrl_c_and_starts_again_with_the_same_pile(tmp_path: Path) -> None:
    env = environment(tmp_path / "a folder", RATELOCK_OPERATOR_TOKEN="operator of the test")
    base_url = f"http://127.0.0.1:{env['RATELOCK_HTTP_PORT']}"
    rate_ids = set()
    for _ in range(2):
        with running(env) as (run, lines):
            assert f"{base_url}/p/PILE-1" in "".join(lines), "".join(lines)
            children = psutil.Process(run.pid).children(recursive=True)
            assert len(children) >= 4  # broker, cloud, pile, watchdog
            rate_ids.add(Client(base_url).get("/api/piles/PILE-1/rate").json()["rate_id"])
            assert Client(base_url, "operator of the test").get("/api/orders").status == 200
            run.send_signal(signal.SIGINT)
            assert run.wait() == 0
            wait_until_gone(children)
    assert len(rate_ids) == 1


@pytest.mark.system
def test_a_pile_that_was_removed_for_ever_is_not_run_again(tmp_path: Path) -> None:
    """It would knock at the broker without end, beside the address of a page that says it is gone."""
    token = "operator of the test"
    env = environment(tmp_path, RATELOCK_OPERATOR_TOKEN=token)
    with running(env):
        operator = Client(f"http://127.0.0.1:{env['RATELOCK_HTTP_PORT']}", token)
        assert operator.request("DELETE", "/api/piles/PILE-1?force=true").status < 300
    with running(env) as (run, lines):
        assert run.wait(timeout=60) == 1
    assert "PILE-1 was removed" in lines[-1], "".join(lines)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a second loopback address by itself")
@pytest.mark.system
def test_the_network_reaches_http_and_mqtts_and_never_plain_mqtt(tmp_path: Path) -> None:
    tls_port = free_port()
    env = environment(tmp_path, RATELOCK_LISTEN="127.0.0.2", RATELOCK_MQTTS_PORT=str(tls_port))
    with running(env) as (_, lines):
        base_url = f"http://127.0.0.2:{env['RATELOCK_HTTP_PORT']}"
        assert f"mqtts://127.0.0.2:{tls_port}" in "".join(lines), "".join(lines)
        assert Client(base_url).get("/healthz").status == 200
        socket.create_connection(("127.0.0.2", tls_port), timeout=60).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", int(env["RATELOCK_MQTT_PORT"])), timeout=60)


@pytest.mark.parametrize("name", ["RATELOCK_HTTP_PORT", "RATELOCK_MQTT_PORT"])
def test_a_taken_port_is_one_sentence(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = str(server.getsockname()[1])
        done = once(environment(tmp_path, **{name: taken}))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"run: port {taken} is taken; {name}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "²", "9" * 5000])
def test_a_port_that_is_none_is_one_sentence(tmp_path: Path, port: str) -> None:
    done = once(environment(tmp_path, RATELOCK_HTTP_PORT=port))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "RATELOCK_HTTP_PORT must be a port" in done.stderr


@pytest.mark.parametrize("place", ["/dev/null", "a file", "a file/under it"])
def test_a_data_folder_that_cannot_be_is_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").write_text("")
    done = once(environment(tmp_path / place))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "cannot be the data folder" in done.stderr
    assert "RATELOCK_DATA" in done.stderr
