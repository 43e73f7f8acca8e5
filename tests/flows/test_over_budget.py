"""A cap that is reached ends a run as completed, says so, publishes nothing, and a higher cap goes on."""

import pytest
import requests
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from geolocate.dataset import dataset_versions
from geolocate.storage import DataRoot, read_json


@pytest.fixture
def machine(tmp_path, monkeypatch, emulator_url, prefect_server):
    monkeypatch.setenv("GEOLOCATE_DATA", str(tmp_path))
    monkeypatch.setenv("GEOLOCATE_STREET_VIEW_URL", emulator_url)
    monkeypatch.setenv("GEOLOCATE_WORLD", "emulated")
    monkeypatch.setenv("GOOGLE_MAPS_API_KEY", "emulator")
    return DataRoot(tmp_path)


def billed(emulator_url: str) -> int:
    return requests.get(f"{emulator_url}/counters", timeout=10).json()["billed"]


def test_a_cap_ends_the_run_cleanly_and_a_higher_one_goes_on(machine, emulator_url):
    from flows.collect_uk_cities_50 import collect_uk_cities_50

    plan = {"top": 4, "per_place": 5}
    before = billed(emulator_url)
    state = collect_uk_cities_50(**plan, max_images=5, return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "OverBudget")
    assert "max_images=5 reached" in state.message
    assert billed(emulator_url) - before == 5
    assert not dataset_versions(machine, "uk-cities-4")
    assert "higher cap" in _artifact(state.state_details.flow_run_id)
    dataset = collect_uk_cities_50(**plan)
    assert dataset.startswith("uk-cities-4@")
    summary = read_json(machine.collection("uk-cities-4-n5-s0") / "summary.json")
    assert billed(emulator_url) - before == summary["image_requests"] == summary["images"] > 5


def _artifact(flow_run_id) -> str:
    with get_client(sync_client=True) as client:
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
        found = [one for one in client.read_artifacts(artifact_filter=of_run) if one.key == "outcomes"]
    return str(found[0].description)
