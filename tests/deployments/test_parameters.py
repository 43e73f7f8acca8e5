"""The form of every deployment explains itself, and the server refuses a bad value before there is a run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL
from prefect.utilities.callables import parameter_schema
from prefect.utilities.importtools import import_object

from deployments.catalogue import declared_deployments
from deployments.configuration import CHECKOUT

ENTRYPOINTS = {one["name"]: one["entrypoint"] for one in declared_deployments()}
NUMBERS = {"integer", "number"}


def _properties(name: str) -> dict[str, dict[str, Any]]:
    flow = import_object(ENTRYPOINTS[name].replace(".py:", ".").replace("/", "."))
    assert isinstance(flow, Flow)
    properties: dict[str, dict[str, Any]] = parameter_schema(flow).properties
    return properties


def _choices(parameter: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a parameter may be, None aside."""
    return [one for one in parameter.get("anyOf", [parameter]) if one.get("type") != "null"]


@pytest.mark.parametrize("name", ENTRYPOINTS)
def test_every_parameter_is_described_and_bounded(name: str) -> None:
    for parameter, schema in _properties(name).items():
        assert schema.get("description"), parameter
        for one in _choices(schema):
            if one["type"] in NUMBERS:
                assert {"minimum", "exclusiveMinimum"} & one.keys(), parameter
                assert {"maximum", "exclusiveMaximum"} & one.keys(), parameter
            elif one["type"] == "string":
                assert {"enum", "pattern", "maxLength"} & one.keys(), parameter


@pytest.fixture(scope="module")
def client(prefect_server: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


def _deploy(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(CHECKOUT)
    return RunnerDeployment.from_entrypoint(ENTRYPOINTS[name], name="bounds").apply()


def _bad_values(schema: dict[str, Any]) -> Iterator[Any]:
    for one in _choices(schema):
        if one["type"] in NUMBERS:
            yield one.get("minimum", one.get("exclusiveMinimum")) - 1
            yield one.get("maximum", one.get("exclusiveMaximum")) + 1
        elif "pattern" in one:
            yield "../elsewhere"
    yield {"no": "such type"}


@pytest.mark.parametrize("name", ENTRYPOINTS)
def test_the_server_refuses_each_bad_value_and_makes_no_run(
    name: str, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = _deploy(name, monkeypatch)
    for parameter, schema in _properties(name).items():
        for bad in _bad_values(schema):
            with pytest.raises(PrefectHTTPStatusError, match=f"Validation failed.*{parameter}"):
                client.create_flow_run_from_deployment(deployment, parameters={parameter: bad})
    assert not [run for run in client.read_flow_runs(limit=200) if run.deployment_id == deployment]


def test_the_command_says_what_is_wrong_and_fails(client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = _deploy("train-clip", monkeypatch)
    command = [sys.executable, "-m", "prefect", "deployment", "run", "train-clip/bounds", "-p", "epochs=0"]
    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "COLUMNS": "200"}
    said = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "epochs" in said.stdout + said.stderr
    assert "minimum" in said.stdout + said.stderr
    assert not [run for run in client.read_flow_runs(limit=200) if run.deployment_id == deployment]
