"""A cap that is reached ends a run as completed, says so, publishes nothing, and a higher cap goes on."""

import time

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


def test_the_automations_hear_once_that_most_of_a_cap_is_used_up(machine, emulator_url):
    from flows.collect_uk_cities_50 import collect_uk_cities_50

    for _ in range(2):  # the second finds it used up, and has nothing new to tell
        collect_uk_cities_50(top=3, per_place=4, max_images=20)
    told = _eventually(lambda: _events("geolocate.collection.budget-80"))
    messages = [event["payload"]["message"] for event in told if event["payload"]["collection"] == "uk-cities-3-n4-s0"]
    assert len(messages) == 1
    assert "of max_images=20; emulated world: nothing was paid" in messages[0]


def _events(name: str) -> list[dict]:
    with get_client(sync_client=True) as client:
        answer = client._client.post("/events/filter", json={"filter": {"event": {"name": [name]}}})
    return answer.json()["events"]


def _eventually(look, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)
    return found
