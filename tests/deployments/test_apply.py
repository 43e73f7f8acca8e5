"""Deploying again keeps what a person has switched, changed, added or deleted, and changes nothing else."""

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any, cast

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.events import emit_event
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.settings import PREFECT_API_URL
from prefect.states import Crashed

from deployments.applied import VARIABLE
from deployments.schedules import SPREAD_MINUTES
from tasks.gates import REFUSED
from tests.deployments.conftest import Checkout

TRAINS = "train-clip on a published dataset"
PROMOTES = "promote what is better than the model in use"
LOST = "mark lost runs as crashed"
TELLS_OF_BUDGETS = "tell that 80 % of a budget is spent"
TELLS_OF_RUNS = "tell that a run crashed, failed or is late"


@pytest.fixture(scope="module")
def client(prefect_server: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client
        # Other tests share the server: what they publish shall start nothing.
        for automation in client.read_automations():
            client.delete_automation(automation.id)


@pytest.fixture(scope="module")
def webhook() -> Iterator[tuple[str, Queue[str]]]:
    """A real server that takes what a notification block posts: its address, and the texts."""
    texts: Queue[str] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.put(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", texts
        server.shutdown()


def _apply(checkout: Checkout) -> None:
    said = checkout.run(sys.executable, "-m", "deployments.apply", PREFECT_API_URL=PREFECT_API_URL.value() or "")
    assert said.returncode == 0, said.stdout


def _variable(client: SyncPrefectClient) -> dict[str, Any]:
    variable = client.read_variable_by_name(VARIABLE)
    assert variable is not None
    return cast("dict[str, Any]", variable.value)


def _automations(client: SyncPrefectClient) -> dict[str, Automation]:
    return {one.name: one for one in client.read_automations()}


@pytest.fixture(scope="module")
def applied(client: SyncPrefectClient, checkout: Checkout) -> dict[str, Automation]:
    """All was applied once; gives the automations."""
    _apply(checkout)
    return _automations(client)


@dataclass(frozen=True)
class Before:
    """What stood on the server before all was applied again."""

    automations: dict[str, Automation]
    variable: dict[str, Any]


@pytest.fixture(scope="module")
def again(
    client: SyncPrefectClient,
    checkout: Checkout,
    applied: dict[str, Automation],
    webhook: tuple[str, Queue[str]],
) -> Before:
    """A person works on the server, and all is applied once more."""
    refresh = client.read_deployment_by_name("refresh-datasets/refresh-datasets")
    monthly = refresh.schedules[0].id
    client.update_deployment_schedule(refresh.id, monthly, active=True)
    client.update_deployment_schedule(refresh.id, monthly, schedule=CronSchedule(cron="5 4 * * 0", timezone="UTC"))
    client.create_deployment_schedules(refresh.id, [(IntervalSchedule(interval=timedelta(hours=30)), True)])
    client.pause_deployment(client.read_deployment_by_name("sweep-clip/sweep-clip").id)
    client.pause_automation(applied[LOST].id)
    mine = applied[TRAINS].model_dump(exclude={"owner_resource"}) | {"description": "Mine."}
    client.update_automation(applied[TRAINS].id, AutomationCore.model_validate(mine))
    client.delete_automation(applied[TELLS_OF_BUDGETS].id)
    block = CustomWebhookNotificationBlock.load("geolocate")
    block.url = webhook[0]
    block.save("geolocate", overwrite=True)
    before = Before(_automations(client), _variable(client))
    _apply(checkout)
    return before


def test_new_schedules_are_off_and_start_within_two_hours(client: SyncPrefectClient, applied: object) -> None:
    (monthly,) = client.read_deployment_by_name("refresh-datasets/refresh-datasets").schedules
    assert isinstance(monthly.schedule, CronSchedule)
    minute, hour, *days = monthly.schedule.cron.split()
    assert (monthly.active, monthly.schedule.timezone, days) == (False, "UTC", ["1", "*", "*"])
    assert 180 <= int(hour) * 60 + int(minute) < 180 + SPREAD_MINUTES


def test_those_who_tell_are_off_until_their_block_is_filled_in(applied: dict[str, Automation]) -> None:
    told = {name: automation.enabled for name, automation in applied.items() if name.startswith("tell")}
    assert len(told) == 3
    assert not any(told.values())
    assert all(automation.enabled for name, automation in applied.items() if name not in told)


def test_a_schedule_stays_as_a_person_switched_and_set_it(client: SyncPrefectClient, again: Before) -> None:
    schedules = client.read_deployment_by_name("refresh-datasets/refresh-datasets").schedules
    monthly, added = sorted(schedules, key=lambda one: one.slug is None)
    assert monthly.active
    assert isinstance(monthly.schedule, CronSchedule)
    assert (monthly.slug, monthly.schedule.cron) == ("monthly", "5 4 * * 0")
    assert isinstance(added.schedule, IntervalSchedule)
    assert (added.active, added.schedule.interval) == (True, timedelta(hours=30))


def test_a_paused_deployment_stays_paused_and_no_other_is(client: SyncPrefectClient, again: Before) -> None:
    paused = [one.name for one in client.read_deployments(limit=100) if one.paused]
    assert paused == ["sweep-clip"]


def test_automations_stay_as_a_person_left_them(client: SyncPrefectClient, again: Before) -> None:
    after = _automations(client)
    assert not after[LOST].enabled
    assert after[TRAINS] == again.automations[TRAINS]
    assert TELLS_OF_BUDGETS not in after


def test_applying_again_leaves_alone_what_nobody_touched(
    client: SyncPrefectClient, applied: dict[str, Automation], again: Before
) -> None:
    assert _automations(client)[PROMOTES] == applied[PROMOTES]
    after = _variable(client)
    assert (after["seed"], after["schedules"]) == (again.variable["seed"], again.variable["schedules"])


def test_a_filled_in_block_switches_on_what_tells(client: SyncPrefectClient, again: Before) -> None:
    after = _automations(client)
    assert not again.automations[TELLS_OF_RUNS].enabled
    assert after[TELLS_OF_RUNS].enabled
    assert after[TELLS_OF_RUNS].id == again.automations[TELLS_OF_RUNS].id


def test_the_filled_in_block_is_told_of_gates_and_of_crashes(
    client: SyncPrefectClient, again: Before, webhook: tuple[str, Queue[str]]
) -> None:
    emit_event(
        event=REFUSED,
        resource={"prefect.resource.id": "geolocate.dataset.uk-cities-50"},
        payload={"message": "uk-cities-50@abc was not published: 3 of 10 images are flagged unreadable"},
    )
    deployment = client.read_deployment_by_name("merge-suburbs/merge-suburbs")
    run = client.create_flow_run_from_deployment(deployment.id, name="night-shift")
    client.set_flow_run_state(run.id, Crashed(message="the machine went away"), force=True)
    texts = sorted(webhook[1].get(timeout=60) for _ in range(2))
    assert texts == [
        "geolocate: tell that a quality gate stopped a dataset\n"
        "uk-cities-50@abc was not published: 3 of 10 images are flagged unreadable",
        "geolocate: tell that a run crashed, failed or is late\nnight-shift: Crashed. the machine went away",
    ]
