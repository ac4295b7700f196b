"""What deploys Headrace says the same everywhere: compose, image, Prometheus, Grafana, settings, workers."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.settings import load_settings
from workers.cli.worker import Name

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("headrace:")}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def run(tool: str, *arguments: str) -> None:
    program = str(Path(sys.executable).parent / tool)
    done = subprocess.run(
        [program, *arguments], cwd=DEPLOY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def stages() -> dict[str, tuple[str, str]]:
    """Return stage -> (what it begins from, its text)."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)[1:]
    return {parts[n + 1]: (parts[n], parts[n + 2]) for n in range(0, len(parts), 3)}


def test_compose_keeps_to_its_schema() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


def test_the_dockerfile_passes_hadolint() -> None:
    run("hadolint", "--failure-threshold", "style", "Dockerfile")


def test_every_worker_is_a_service_and_is_scraped() -> None:
    commands = {name: service["command"] for name, service in OURS.items() if "command" in service}
    workers = {name.value: ["worker", name.value] for name in Name}
    assert {name: command for name, command in commands.items() if command[0] == "worker"} == workers
    assert all(SERVICES[name]["hostname"] == name for name in workers), "the host name is a worker's identity"
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    entries = scraped["scrape_configs"][0]["static_configs"]
    port = load_settings().http.port
    assert {entry["labels"]["worker"]: entry["targets"] for entry in entries} == {
        name: [f"{name}:{port}"] for name in workers
    }
    assert f"EXPOSE {port}" in DOCKERFILE
    assert all(f":{port}/livez" in str(SERVICES[name]["healthcheck"]) for name in workers)
    (alertmanager,) = scraped["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert alertmanager.split(":")[0] in SERVICES


def test_workers_start_when_a_job_has_made_the_topics_on_a_broker_that_answers() -> None:
    assert SERVICES["topics"]["command"] == ["topics", "create"]
    assert SERVICES["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    for name in Name:
        assert SERVICES[name.value]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_little_and_is_one_version(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":(v?\d+\.\d+\.\d+|cpu)$", service["image"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    if name != "kafka":  # its start script writes its configuration
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_an_image_runs_as_nobody_in_particular(target: str) -> None:
    parent, text = stages()[target]
    assert parent == "runtime"
    assert "USER" not in text
    assert re.findall(r"^USER (.*)$", stages()["runtime"][1], flags=re.MULTILINE) == ["10001:10001"]
    assert f"COPY --from=build-{target} " in text


@pytest.mark.parametrize("stage", ["build-cpu", "build-cuda"])
def test_an_image_holds_every_package_with_the_pinned_versions(stage: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = re.findall(r"^COPY (\w+) \1$", stages()[stage][1], flags=re.MULTILINE)
    assert set(copied) == packages
    assert "--constraint deploy/constraints.txt" in stages()[stage][1]
    assert re.search(r"'\.\[(\w+),rocksdb\]'", stages()[stage][1])
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line for line in ignored if line.startswith("!")} == {
        *(f"!{package}/**" for package in packages),
        *("!" + name for name in ("pyproject.toml", "README.md", "LICENSE", "deploy/constraints.txt")),
    }


def test_every_variable_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {**COMPOSE["x-headrace"]["environment"]}
    said |= dict(re.findall(r"^(?:ENV|   ) (HEADRACE_\w+)=(\S+?)(?: \\)?$", DOCKERFILE, flags=re.MULTILINE))
    assert len(said) == 3
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()  # refuses names that it does not know
    assert settings.http.host == "0.0.0.0"
    service, port = settings.kafka.bootstrap_servers.split(":")
    assert f"INSIDE://:{port}" in SERVICES[service]["environment"]["KAFKA_LISTENERS"]
    assert "models:/models" in SERVICES["headrace"]["volumes"]
    assert "models:/models:ro" in SERVICES["ranking"]["volumes"]
    assert settings.training.directory == "/models"


def test_every_mount_is_there_and_grafana_finds_what_it_is_given() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.get("volumes", [])]
    for source, *_ in mounts:
        assert source in COMPOSE["volumes"] or (DEPLOY / source).is_dir(), source
    places = {where: source for source, where, *_ in mounts}
    provisioning = DEPLOY / "grafana" / "provisioning"
    assert (DEPLOY / places["/etc/grafana/provisioning"]).resolve() == provisioning
    provider = yaml.safe_load((provisioning / "dashboards" / "headrace.yaml").read_text())["providers"][0]
    folder = DEPLOY / places[provider["options"]["path"]]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (folder / Path(home).name).is_file()
    assert Path(home).parent == Path(provider["options"]["path"])
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    assert source["isDefault"] is True
    assert source["url"] == "http://prometheus:9090"
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]
