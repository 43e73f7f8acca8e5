"""The compose file is valid by the Compose specification, pinned, healthy, and holds no secret."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from deployments.configuration import CHECKOUT, POOLS

FILE = CHECKOUT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
ONE_SHOTS = {"migrate", "deploy"}


def _interpolated(text: str) -> str:
    return re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda match: match[1] or "", text)


@pytest.mark.parametrize("path", [FILE, CHECKOUT / "deployments" / "docker" / "gpu.yml"], ids=lambda path: path.name)
def test_file_is_valid_by_the_specification(path: Any) -> None:
    plain = yaml.safe_dump(yaml.safe_load(_interpolated(path.read_text())))  # merge keys are YAML's, not Compose's
    assert set(PyCompose.from_yaml(plain).service_names()) <= set(SERVICES)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("restart: unless-stopped", "restart: sometimes"), ("service_healthy", "service_happy"), ("volumes:", "volume:")],
)
def test_the_check_would_notice_a_mistake(right: str, wrong: str) -> None:
    text = _interpolated(FILE.read_text()).replace(right, wrong)
    with pytest.raises(ValueError, match=r"services|volume"):
        PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(text)))


def test_images_are_pinned() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z]+:\d+\.\d+[\w.-]*", service["image"]), name
    assert "FROM python:3.11." in (CHECKOUT / "deployments" / "docker" / "Dockerfile").read_text()


def test_what_stays_up_is_watched_and_what_it_needs_exists() -> None:
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (name not in ONE_SHOTS), name
        assert set(service.get("depends_on", {})) <= set(SERVICES)
    volumes = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert volumes == set(COMPOSE["volumes"])
    assert {f"worker-{pool}" for pool in POOLS} <= set(SERVICES)


def test_ours_run_without_privileges_and_listen_on_this_machine_only() -> None:
    for service in SERVICES.values():
        if "build" in service:
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "\nUSER geolocate\n" in (CHECKOUT / "deployments" / "docker" / "Dockerfile").read_text()


def test_no_secret_stands_in_the_file() -> None:
    assert all("file" in secret for secret in COMPOSE["secrets"].values())
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|KEY|SECRET|TOKEN", name) or str(value).startswith("/run/secrets/"), name


def test_secret_files_become_variables_and_the_emulator_gets_a_key(tmp_path: Path) -> None:
    (tmp_path / "PREFECT_SERVER_DATABASE_PASSWORD").write_text("a 'quoted' $word\n")
    entrypoint = str(CHECKOUT / "deployments" / "docker" / "entrypoint.sh")
    environment = {"SECRETS_FOLDER": str(tmp_path), "GEOLOCATE_WORLD": "emulated"}
    said = subprocess.run(
        ["/bin/sh", entrypoint, "/usr/bin/env"], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "PREFECT_SERVER_DATABASE_PASSWORD=a 'quoted' $word" in said
    assert "GOOGLE_MAPS_API_KEY=emulator-key" in said


def test_every_prefect_setting_exists() -> None:
    """A misspelt setting is silently ignored by Prefect, and the stack would run on SQLite."""
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_settings_fields

    known = set(_get_settings_fields(Settings))
    redis = re.compile("PREFECT_REDIS_MESSAGING_(HOST|PORT|DB)")
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert not name.startswith("PREFECT_") or name in known or redis.fullmatch(name), name
