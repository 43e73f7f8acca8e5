"""The deployments file says only what is true of the flows and pools."""

import importlib
import inspect
import tomllib

import pytest
from prefect import Flow
from prefect.cli.deploy._models import PrefectYamlModel

from deployments.catalogue import PREFECT_FILE, declared_deployments
from deployments.configuration import CHECKOUT, POOLS

DEPLOYMENTS = {deployment["name"]: deployment for deployment in declared_deployments()}


def test_prefect_reads_the_file_as_it_is_meant() -> None:
    import yaml

    model = PrefectYamlModel.model_validate(yaml.safe_load(PREFECT_FILE.read_text()))
    assert [deployment.name for deployment in model.deployments] == list(DEPLOYMENTS)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_entrypoint_is_a_flow_of_that_name_and_takes_the_parameters(name: str) -> None:
    file, function = DEPLOYMENTS[name]["entrypoint"].split(":")
    flow = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), function)
    assert isinstance(flow, Flow)
    assert flow.name == name
    required = {"run": "a-run"} if name == "promote-clip" else {}  # what nobody can choose beforehand
    declared = inspect.signature(flow.fn).bind(**required, **DEPLOYMENTS[name].get("parameters", {}))
    declared.apply_defaults()
    flow.validate_parameters(declared.arguments)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_deployment_has_a_pool_a_description_and_the_projects_version(name: str) -> None:
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    assert DEPLOYMENTS[name]["version"] == version
    assert DEPLOYMENTS[name]["work_pool"]["name"] in POOLS
    assert DEPLOYMENTS[name]["description"].endswith(".")
    assert DEPLOYMENTS[name]["tags"]


def test_what_may_spend_money_runs_one_at_a_time_and_never_by_itself() -> None:
    for name, deployment in DEPLOYMENTS.items():
        if "collect" in deployment["tags"]:
            assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}, name
        for schedule in deployment.get("schedules", []):
            assert (schedule["timezone"], schedule["active"]) == ("UTC", False)
