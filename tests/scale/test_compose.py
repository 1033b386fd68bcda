"""The compose files: sound to compose itself where it is installed, and in their structure everywhere."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud_stub.settings import Settings
from tools import ROOT, compose_broker

FILES = ("compose.yaml", "compose.scale.yaml")
SCALE = ROOT / "docs" / "operation" / "scale"


def loaded(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text())


@pytest.mark.parametrize("name", FILES)
def test_compose_agrees(name: str):
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("there is no docker compose here")
    done = subprocess.run(
        ["docker", "compose", "-f", name, "--profile", "*", "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_without_a_name_only_the_broker_is_started():
    """`make run` says `up`, and means the broker."""
    services = loaded("compose.yaml")["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == ["broker"]


@pytest.mark.parametrize("name", FILES)
def test_what_a_service_needs_is_there(name: str):
    compose = loaded(name)
    services = compose["services"]
    for service in services.values():
        profiles = set(service.get("profiles", ()))
        for needed in service.get("depends_on", ()):
            assert profiles >= set(services[needed].get("profiles", ()))
        for volume in service.get("volumes", ()):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).is_file(), source
            elif not source.startswith("$"):
                assert source in compose["volumes"], source
        assert "image" in service or service["build"] == "."


@pytest.mark.parametrize("name", FILES)
def test_no_secret_has_a_value_that_everybody_knows(name: str):
    text = (ROOT / name).read_text()
    for variable, default in re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN|COOKIE)\w*):-([^}]*)\}", text):
        assert default == "", variable


@pytest.mark.parametrize("name", FILES)
def test_each_setting_of_the_cloud_is_one(name: str):
    known = {"RATELOCK_" + field.upper() for field in Settings.model_fields} | {"DATABASE_URL"}
    services = loaded(name)["services"]
    asked = {key for each in ("cloud", "worker") if each in services for key in services[each]["environment"]}
    assert asked and asked <= known, asked - known


def test_what_the_image_takes_is_there():
    for source in re.findall(r"^COPY (?!--from)(\S+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        assert (ROOT / source).exists(), source


def test_the_balancer_names_services_that_there_are():
    services = loaded("compose.scale.yaml")["services"]
    config = (SCALE / "haproxy.cfg").read_text()
    hosts = set(re.findall(r"^\s+server(?:-template)? \S+(?: 1-\d+)? (\w+)[.\w]*:\d+", config, re.MULTILINE))
    assert hosts == {"emqx1", "emqx2", "emqx3", "worker"} <= services.keys()
    assert "balancer:8081/broker/auth" in (SCALE / "emqx.hocon").read_text()


def test_the_brokers_folder_is_written_before_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RATELOCK_DATA", str(tmp_path / "data"))
    assert compose_broker.main() == 0
    folder = tmp_path / "data" / "broker"
    written = {each.name for each in folder.iterdir()}
    assert {"mosquitto.conf", "acl", "passwd", "cloud.password"} <= written
    assert (folder / "passwd").read_text().startswith("cloud:$7$")
    assert "listener 1883\n" in (folder / "mosquitto.conf").read_text()
