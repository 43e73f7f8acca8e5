"""refresh-datasets on a real Prefect server: a plan first, the difference then, and both as artifacts."""

import json

import pandas as pd
import pytest
import requests
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.exceptions import ParameterTypeError

from geolocate.dataset import dataset_versions, open_dataset
from geolocate.dataset.gates import COLUMNS, GateError
from geolocate.storage import DataRoot
from tasks.gates import gates_shown
from tests.dataset.refreshed import NAME, NOW, THEN, publish_towns
from tests.emulator.conftest import running


@pytest.fixture(scope="module")
def machine(tmp_path_factory, prefect_server):
    """A root with a version of a year and a half ago, and the environment of a worker today."""
    root = DataRoot(tmp_path_factory.mktemp("refresh") / "data")
    with running(THEN) as url:
        publish_towns(root, url)
    with running(NOW) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOLOCATE_DATA", str(root.path))
        patch.setenv("GEOLOCATE_STREET_VIEW_URL", url)
        patch.setenv("GEOLOCATE_WORLD", "emulated")
        patch.setenv("GOOGLE_MAPS_API_KEY", "emulator")
        yield root, url


def billed(url):
    return requests.get(f"{url}/counters", timeout=10).json()["billed"]


def artifact(state, key):
    with get_client(sync_client=True) as client:
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
        return next(one for one in client.read_artifacts(artifact_filter=of_run) if one.key == key)


def test_it_plans_ends_at_a_cap_goes_on_and_publishes_the_difference(machine):
    from flows.refresh_datasets import refresh_datasets

    root, url = machine
    state = refresh_datasets(dataset=NAME, max_images=3, return_state=True)
    assert (state.type.value, state.name, billed(url)) == ("COMPLETED", "OverBudget", 3)
    assert len(dataset_versions(root, NAME)) == 1
    plan = artifact(state, "refresh-plan")
    assert "image requests, which would cost $" in plan.description
    wanted = 2 * sum(row["changed"] + row["new"] for row in json.loads(plan.data))

    state = refresh_datasets(dataset=NAME, return_state=True)
    assert billed(url) == wanted
    after = open_dataset(root, NAME)
    assert state.result() == str(after.ref)
    assert after.card["parent"]["version"] in artifact(state, "refresh-changes").description


@pytest.mark.parametrize("wrong", [{"budget_usd": -1}, {"captured_before": "lately"}, {"max_images": -1}])
def test_what_is_out_of_bounds_is_refused_before_anything_runs(wrong, prefect_server):
    from flows.refresh_datasets import refresh_datasets

    with pytest.raises(ParameterTypeError):
        refresh_datasets(**wrong)


def test_what_a_gate_refuses_is_shown_before_the_run_fails(prefect_server):
    rows = pd.DataFrame([["near_grey", "image", "panorama", "Leeds", 53.8, -1.5]], columns=COLUMNS)

    @flow
    def gated():
        with gates_shown():
            raise GateError("towns@abc was not published: 1 of 1 images are flagged near_grey", rows)

    state = gated(return_state=True)
    assert state.is_failed()
    refused = artifact(state, "refused")
    assert json.loads(refused.data) == rows.to_dict("records")
    assert "flagged near_grey" in refused.description
