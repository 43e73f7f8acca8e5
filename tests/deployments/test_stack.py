"""`up`, the literal commands, a published dataset, `down`: on a real server with real workers.

The tests stand in the order in which a person would do these things, and share one stack; the last one stops it.
"""

import os
import re
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.configuration import CHECKOUT, needs_emulator, prefect_environment, stack_settings
from deployments.state import load_state
from geolocate.errors import SettingsError
from geolocate.settings import Settings
from tests.deployments.conftest import Checkout
from tests.flows.traces import command_lines, secrets_in, secrets_under

PUBLISH = """
from prefect.events import emit_event

for dataset, trained_by in (("uk-cities-50@aaa", ""), ("uk-cities-50@bbb", "geolocate-uk")):
    emit_event(
        event="geolocate.dataset.published",
        resource={"prefect.resource.id": "geolocate.dataset.uk-cities-50", "geolocate.trained-by": trained_by},
        payload={"dataset": dataset},
    )
"""


def _api(stack: Checkout) -> str:
    return load_state(stack.data).server_url


def _runs(stack: Checkout, name: str) -> list[dict[str, Any]]:
    query = {"flows": {"name": {"any_": [name]}}}
    runs: list[dict[str, Any]] = requests.post(f"{_api(stack)}/flow_runs/filter", json=query, timeout=10).json()
    return runs


def _eventually(check: Callable[[], Any], seconds: float = 180) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)
    return value


def _has_state(stack: Checkout, name: str, state: str) -> list[dict[str, Any]]:
    return [run for run in _runs(stack, name) if run["state_name"] == state]


def _log_lines(stack: Checkout, run_id: str) -> list[str]:
    query = {"logs": {"flow_run_id": {"any_": [run_id]}}}
    return [line["message"] for line in requests.post(f"{_api(stack)}/logs/filter", json=query, timeout=10).json()]


def test_up_shows_where_to_look_and_what_to_do_next(stack: Checkout) -> None:
    said = stack.stack("up")
    port = stack.environment["GEOLOCATE_UI_PORT"]
    assert said.returncode == 0
    assert "the stack is up already; nothing was started" in said.stdout
    assert f"http://127.0.0.1:{port}" in said.stdout
    assert "prefect deployment run collect-uk-grid" in said.stdout
    assert stack.stack("status").returncode == 0


def test_the_emulator_answers_when_nobody_chose_a_provider(stack: Checkout) -> None:
    health = requests.get(f"{load_state(stack.data).emulator_url}/health", timeout=10).json()
    assert (health["status"], health["world"]) == ("ok", "emulated")


def test_the_literal_command_starts_a_run_that_finishes(stack: Checkout) -> None:
    stack.run("prefect", "deployment", "run", "merge-suburbs", "-p", "seconds=3600")  # still at work when all stops
    said = stack.run("prefect", "deployment", "run", "collect-uk-grid", "-p", "dataset=grid")
    assert said.returncode == 0, said.stdout
    run = _eventually(lambda: _has_state(stack, "collect-uk-grid", "Completed"))[0]
    assert run["name"] == "collect-uk-grid of grid"
    _eventually(lambda: "working on grid" in _log_lines(stack, run["id"]))  # the library's own line


@pytest.mark.chromium
@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_the_runs_page_shows_name_state_and_artifacts(stack: Checkout) -> None:
    run = _eventually(lambda: _has_state(stack, "collect-uk-grid", "Completed"))[0]
    script = str(CHECKOUT / "scripts" / "ui_screenshot.py")
    page = stack.run(sys.executable, script, run["id"], "--text", "--tab", "Artifacts").stdout
    for expected in ("collect-uk-grid of grid", "Completed", "Work Pool cpu", "results", "What came out"):
        assert expected in page


def test_inspect_takes_the_short_name_too(stack: Checkout) -> None:
    said = stack.run(sys.executable, "-m", "prefect", "deployment", "inspect", "refresh-datasets", "-o", "json")
    assert said.returncode == 0, said.stdout
    assert re.search(r'"active": false', said.stdout)


def test_a_server_named_in_the_environment_comes_before_the_stack(stack: Checkout) -> None:
    elsewhere = "http://127.0.0.1:9/api"
    said = stack.run("prefect", "deployment", "run", "collect-uk-grid", PREFECT_API_URL=elsewhere)
    assert said.returncode != 0
    assert len(_runs(stack, "collect-uk-grid")) == 1


def test_the_server_holds_the_limit_and_a_second_collection_waits(stack: Checkout) -> None:
    name = "collect-uk-grid"
    # Prefect's own client asks again where SQLite is busy.
    with temporary_settings({PREFECT_API_URL: _api(stack)}), get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(f"{name}/{name}")
        limit = deployment.global_concurrency_limit
        assert limit is not None
        assert limit.limit == client.read_global_concurrency_limit_by_name(limit.name).limit == 1
        for dataset in ("first", "second"):
            client.create_flow_run_from_deployment(deployment.id, parameters={"dataset": dataset, "seconds": 4})
    _eventually(lambda: _has_state(stack, name, "AwaitingConcurrencySlot"))
    # A server that is killed now still knows who has the place.
    assert list((stack.data / "prefect" / "concurrency_leases").glob("*-*.json"))


def test_a_published_dataset_is_trained_on_once_unless_its_publisher_does(stack: Checkout) -> None:
    said = stack.run(sys.executable, "-c", PUBLISH, PREFECT_API_URL=_api(stack))
    assert said.returncode == 0, said.stdout
    _eventually(lambda: _has_state(stack, "train-clip", "Completed"))
    assert [run["parameters"] for run in _runs(stack, "train-clip")] == [{"dataset": "uk-cities-50@aaa"}]


def test_the_collection_that_waited_began_when_the_other_had_ended(stack: Checkout) -> None:
    _eventually(lambda: len(_has_state(stack, "collect-uk-grid", "Completed")) == 3)  # with that of the literal command
    _, first, second = sorted(_runs(stack, "collect-uk-grid"), key=lambda run: str(run["start_time"]))
    assert first["end_time"] <= second["start_time"]


def test_run_uses_the_stack_that_is_up_and_leaves_it(stack: Checkout) -> None:
    code = "import os; print('told', os.environ['PREFECT_API_URL'], os.environ['GEOLOCATE_WORLD']); raise SystemExit(3)"
    said = stack.stack("run", sys.executable, "-c", code)
    assert said.returncode == 3
    assert f"told {_api(stack)} emulated" in said.stdout
    assert stack.stack("status").returncode == 0


def test_each_provider_has_a_limit_that_all_machines_share(stack: Checkout) -> None:
    listed = stack.run("prefect", "gcl", "ls", PREFECT_API_URL=_api(stack), COLUMNS="200")
    for name in ("google", "mapillary", "panoramax"):
        assert name in listed.stdout


def test_secrets_stand_in_no_process_list_and_in_no_file_of_the_stack(stack: Checkout) -> None:
    lines = command_lines()
    for part in (b"prefect server start", b"prefect worker start", b"geolocate.cli emulator"):
        assert any(part in line for line in lines), part
    assert not [line for line in lines if secrets_in(line)]
    assert any(stack.data.rglob("*.db"))
    assert not secrets_under(stack.data)


def test_down_leaves_no_process_no_file_and_no_run_that_seems_to_go_on(stack: Checkout) -> None:
    _eventually(lambda: _has_state(stack, "merge-suburbs", "Running"))
    family = [
        process
        for child in load_state(stack.data).children
        for process in (psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True))
    ]
    said = stack.stack("down")
    assert "stopped: " in said.stdout
    assert not [process for process in family if process.is_running()]
    assert not (stack.data / "prefect" / "stack.json").exists()
    with sqlite3.connect(stack.data / "prefect" / "prefect.db") as database:
        assert dict(database.execute("select state_name, count(*) from flow_run group by 1")).keys() == {
            "Completed",
            "Crashed",
        }
    assert stack.stack("down").stdout == "nothing was running\n"
    assert stack.stack("status").returncode == 1


def test_without_a_server_the_literal_command_says_so(checkout: Checkout) -> None:
    said = checkout.run("prefect", "deployment", "run", "collect-uk-grid", GEOLOCATE_DATA="elsewhere")
    assert said.returncode == 1
    assert said.stdout == ("no Prefect server is up: start one with `make up`, or set PREFECT_API_URL to another\n")


def test_a_port_in_use_is_one_line_and_starts_nothing(checkout: Checkout, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = checkout.stack("up", GEOLOCATE_UI_PORT=str(port), GEOLOCATE_DATA=str(tmp_path))
    assert said.returncode == 1
    assert re.fullmatch(
        rf"error: port {port} is in use( by .* \(process {os.getpid()}\))?: "
        r"stop that program, or set GEOLOCATE_UI_PORT to a free port\n",
        said.stdout,
    )
    assert not list(tmp_path.glob("prefect/stack.json"))


@pytest.mark.parametrize("port", ["0", "65536", "many"])
def test_a_port_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("GEOLOCATE_UI_PORT", port)
    with pytest.raises(SettingsError, match=f"GEOLOCATE_UI_PORT: '{port}' is no port"):
        stack_settings()


def test_the_emulator_serves_only_those_who_chose_nothing() -> None:
    assert needs_emulator(Settings(_env_file=None))
    assert needs_emulator(Settings(_env_file=None, google_key="", google_agreement=""))
    assert not needs_emulator(Settings(_env_file=None, google_key="k"))
    assert not needs_emulator(Settings(_env_file=None, provider="folder"))


def test_a_proxy_is_not_asked_for_this_machine(tmp_path: Path) -> None:
    shell = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "intranet"}
    environment = prefect_environment(tmp_path, 4321, shell)
    assert environment["no_proxy"] == environment["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert environment["HTTP_PROXY"] == "http://proxy:3128"
    assert prefect_environment(tmp_path, 4321, {"no_proxy": "*"})["no_proxy"] == "*"


def test_a_shells_own_prefect_does_not_leak_into_the_stack(tmp_path: Path) -> None:
    shell = {"PREFECT_API_URL": "https://elsewhere", "PREFECT_API_KEY": "k", "PREFECT_PROFILE": "p", "HOME": "/h"}
    environment = prefect_environment(tmp_path, 4321, shell)
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert environment["HOME"] == "/h"
    assert not {"PREFECT_API_KEY", "PREFECT_PROFILE"} & environment.keys()
    assert environment["PREFECT_RESULTS_DEFAULT_SERIALIZER"] == "json"
