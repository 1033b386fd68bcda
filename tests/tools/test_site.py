"""`make site`: from a machine with nothing to a broker and a cloud that only speak TLS to the network."""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.processes import wait_until_gone
from tools import ROOT
from tools.harness import certs
from tools.harness.api_client import ApiError, Client
from tools.harness.ports import free_port
from tools.site import SiteError, certificate

NAMES = ("127.0.0.2", "pile.example.org")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a second loopback address by itself")
@pytest.mark.system
@pytest.mark.parametrize("asked", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_site_speaks_tls_only_to_the_network_unless_asked(tmp_path: Path, asked: bool) -> None:
    https, mqtts, plain = free_port(), free_port(), free_port()
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RATELOCK_")},
        "RATELOCK_DATA": str(tmp_path / "a site"),
        "RATELOCK_LISTEN": "127.0.0.2",
        "RATELOCK_HTTP_PORT": str(https),
        "RATELOCK_MQTTS_PORT": str(mqtts),
        "PYTHONUNBUFFERED": "1",
    }
    argv = [sys.executable, "-m", "tools.site", *NAMES, *(["--plain-mqtt", str(plain)] if asked else [])]
    site = subprocess.Popen(
        argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert site.stdout is not None
        lines = []
        for line in site.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        text = "".join(lines)
        ca = tmp_path / "a site" / "certs" / "ca.pem"
        password = re.search(r"first operator  owner, password (\S+)", text)
        assert password, text
        for part in (f"https://127.0.0.2:{https}/console", f"mqtts://127.0.0.2:{mqtts}", "ca.pem", "--cloud"):
            assert part in text, text
        assert (f"--broker 127.0.0.2:{plain} --unencrypted --ca " in text) == asked, text
        client = Client(f"https://127.0.0.2:{https}", trust=ca)
        assert client.get("/healthz").status == 200
        signed_in = client.post(
            "/api/session", {"name": "owner", "password": password[1]}, {"X-RateLock-Console": "1"}
        )
        assert signed_in.status in (200, 201), signed_in.body
        with pytest.raises(ApiError, match="certificate"):
            Client(f"https://127.0.0.2:{https}").get("/healthz")
        with pytest.raises(ApiError):
            Client(f"http://127.0.0.2:{https}").get("/healthz")
        trusting = ssl.create_default_context(cafile=str(ca))
        with socket.create_connection(("127.0.0.2", mqtts), timeout=60) as raw:
            trusting.wrap_socket(raw, server_hostname="pile.example.org").close()
        children = psutil.Process(site.pid).children(recursive=True)
        listening = {
            connection.laddr
            for process in [psutil.Process(site.pid), *children]
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        on_network = {address.port for address in listening if address.ip != "127.0.0.1"}
        assert on_network == ({https, mqtts, plain} if asked else {https, mqtts})
        site.send_signal(signal.SIGINT)
        assert site.wait() == 0
        wait_until_gone(children)
    finally:
        site.kill()
        site.communicate()


def test_the_names_are_asked_for_once(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="NAMES="):
        certificate(tmp_path, [])
    assert certificate(tmp_path, list(NAMES)) == list(NAMES)
    made = (tmp_path / "server.pem").read_bytes()
    assert certificate(tmp_path, []) == list(NAMES)
    assert certificate(tmp_path, list(NAMES)) == list(NAMES)
    assert (tmp_path / "server.pem").read_bytes() == made


def test_the_first_name_stays_the_first_at_later_starts(tmp_path: Path) -> None:
    # Addresses, and the codes of printed labels, have it.
    for names in (["pile.example.org", "192.0.2.7"], ["192.0.2.7", "pile.example.org"]):
        certificate(tmp_path, names)
        assert certificate(tmp_path, []) == names


@pytest.mark.parametrize("name", ["fd00::1", "*.example.org"])
def test_a_first_name_that_is_in_no_address_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SiteError, match="begin with a host name"):
        certificate(tmp_path, [name, "pile.example.org"])
    assert certificate(tmp_path, ["pile.example.org", name]) == ["pile.example.org", name]


def test_other_names_get_another_certificate_of_the_same_ca(tmp_path: Path) -> None:
    certificate(tmp_path, list(NAMES))
    ca = (tmp_path / "ca.pem").read_bytes()
    certificate(tmp_path, ["192.0.2.7"])
    assert certs.names_of(tmp_path / "server.pem") == ["192.0.2.7", *certs.LOCAL_NAMES]
    assert (tmp_path / "ca.pem").read_bytes() == ca


@pytest.mark.parametrize("arguments", [["--cert", "there.pem"], ["a b"], []])
def test_what_cannot_be_is_one_sentence(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.site", *arguments],
        cwd=ROOT,
        env={**os.environ, "RATELOCK_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "Traceback" not in done.stderr and done.stderr.startswith("site: ")
