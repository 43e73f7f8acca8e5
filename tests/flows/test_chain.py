"""The whole chain, on a real Prefect server and a real emulator: small, but each step for real."""

import logging
import time

import pandas as pd
import pytest
import requests

from geolocate.collection.plan import PlanRequest
from geolocate.dataset import dataset_versions, open_dataset
from geolocate.errors import DatasetError
from geolocate.evaluation.assess import Bootstrap
from geolocate.evaluation.compare import read_evaluated
from geolocate.evaluation.study import system_rows
from geolocate.reporting.study_page import difference_line, systems_markdown
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot, read_json
from tasks.orders import CollectionOrder

TOP, PER_PLACE = 4, 10


@pytest.fixture(scope="module")
def machine(tmp_path_factory, emulator_url, prefect_server):
    """A data root and the environment of a worker."""
    root = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOLOCATE_DATA", str(root))
        patch.setenv("GEOLOCATE_STREET_VIEW_URL", emulator_url)
        patch.setenv("GEOLOCATE_WORLD", "emulated")
        patch.setenv("GOOGLE_MAPS_API_KEY", "emulator")
        yield DataRoot(root)


@pytest.fixture(scope="module")
def billed_before(emulator_url):
    """What the emulator has billed to other tests."""
    return requests.get(f"{emulator_url}/counters", timeout=10).json()["billed"]


@pytest.fixture(scope="module")
def chain(machine, billed_before):
    """What the chain returned, run once."""
    from flows.geolocate_uk import geolocate_uk

    return geolocate_uk(top=TOP, per_place=PER_PLACE, epochs=3)


def test_it_collects_publishes_trains_evaluates_and_reports(machine, chain):
    version = open_dataset(machine, chain["dataset"])
    assert len(version.classes) == TOP
    metrics = read_json(machine.run(chain["run"]) / "metrics.json")
    assert metrics["dataset"]["sha256"] == version.ref.sha256
    assert metrics["world"] == "emulated"
    assert set(metrics["metrics"]["mean_km"]) >= {"model", "uniform", "prior", "best_constant"}
    assert "emulated world" in (machine.run(chain["run"]) / "report.html").read_text().lower()


def test_the_study_s_recipe_stands_beside_ours(machine, chain):
    both = [read_evaluated(machine, chain[name]) for name in ("study", "run")]
    assert [one.metrics["config"]["loss"] for one in both] == ["study", "infonce"]
    assert both[0].metrics["config"]["epochs"] == both[1].metrics["config"]["epochs"]
    systems = system_rows(both, Bootstrap(resamples=50))
    names = [row["label"].split(":")[0] for row in systems["rows"] if "values" in row]
    assert names == ["study-recipe (its loss, our encoders)", "ours", "uniform", "prior", "best constant"]
    line = difference_line(systems, chain["run"], "study-recipe")
    assert line.startswith("mean distance against study-recipe: ")
    assert "| study-recipe (its loss, our encoders)" in systems_markdown(systems)


def test_the_billed_images_are_those_that_the_emulator_counted(machine, chain, billed_before, emulator_url):
    order = CollectionOrder(plan=PlanRequest(region="uk", top=TOP, per_place=PER_PLACE))
    summary = read_json(machine.collection(order.name) / "summary.json")
    billed = requests.get(f"{emulator_url}/counters", timeout=10).json()["billed"] - billed_before
    assert 0 < summary["image_requests"] == billed
    assert chain["requests"] == summary["image_requests"] + summary["metadata_requests"]


def test_a_second_run_sends_nothing_and_gives_the_same_run(machine, chain, emulator_url):
    from flows.geolocate_uk import geolocate_uk

    before = requests.get(f"{emulator_url}/counters", timeout=10).json()
    again = geolocate_uk(top=TOP, per_place=PER_PLACE, epochs=3)
    assert again["requests"] == 0
    assert (again["dataset"], again["run"]) == (chain["dataset"], chain["run"])
    assert requests.get(f"{emulator_url}/counters", timeout=10).json() == before


def test_an_edited_suburb_override_relabels_without_a_request(machine, chain, emulator_url, tmp_path):
    from flows.merge_suburbs import merge_suburbs

    version = open_dataset(machine, chain["dataset"])
    away, into = version.classes["class_id"].iloc[:2]
    table = tmp_path / "overrides.csv"
    pd.DataFrame([{"place_id": away, "parent_id": into, "reason": "test"}]).to_csv(table, index=False)
    before, started = requests.get(f"{emulator_url}/counters", timeout=10).json(), time.monotonic()
    merged = open_dataset(machine, merge_suburbs(version.ref.name, str(table)))
    assert time.monotonic() - started < 30
    assert len(merged.classes) == TOP - 1
    assert len(merged.frame) == len(version.frame)
    assert version.ref.version in dataset_versions(machine, version.ref.name)
    assert requests.get(f"{emulator_url}/counters", timeout=10).json() == before


def test_a_budget_ends_the_collection_cleanly_and_a_higher_one_goes_on(machine, chain, emulator_url):
    from flows.collect_uk_grid import collect_uk_grid

    order = CollectionOrder(plan=PlanRequest(region="uk", kind="grid", cell_km=200, per_place=2))
    collect_uk_grid(cell_km=200, per_place=2, max_images=45)
    summary = read_json(machine.collection(order.name) / "summary.json")
    assert summary["image_requests"] == 45
    assert summary["statuses"]["over_budget"] > 0
    collect_uk_grid(cell_km=200, per_place=2)
    summary = read_json(machine.collection(order.name) / "summary.json")
    assert "over_budget" not in summary["statuses"]


def test_the_latest_run_is_evaluated_when_none_is_named(machine, chain):
    from flows.evaluate_clip import evaluate_clip

    assert evaluate_clip()["run"] == chain["run"]


def test_a_mistake_is_one_line_in_the_runs_log(machine, prefect_server):
    from flows.train_clip import train_clip

    said: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = said.append
    logging.getLogger("prefect.flow_runs").addHandler(listener)
    try:
        with pytest.raises(DatasetError, match="no dataset 'absent'"):
            train_clip("absent")
    finally:
        logging.getLogger("prefect.flow_runs").removeHandler(listener)
    assert any("no dataset 'absent'" in record.getMessage() for record in said)
    assert not any(record.exc_info for record in said)


def test_no_secret_is_left_behind(machine, chain):
    assert settings_from_environment().google_key.get_secret_value() == "emulator"
    for path in machine.path.rglob("*"):
        assert not path.is_file() or b"key=emulator" not in path.read_bytes(), path
