"""Make a Prefect server hold what this project declares: work pools, deployments, automations.

In: the server that PREFECT_API_URL names, and ``deployments/prefect.yaml``. Applying twice changes nothing more.
"""

import math
import os
import subprocess
import sys
from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker

from deployments.catalogue import PREFECT_FILE
from deployments.configuration import CHECKOUT, POOLS
from geolocate.errors import StackError
from geolocate.providers import PROVIDERS

# Three missed beats of 30 s and a little more; see PREFECT_FLOWS_HEARTBEAT_FREQUENCY.
LOST_AFTER = timedelta(seconds=100)
# How many seconds' worth of requests a provider's limit holds: machines take some seconds' worth at a time.
LIMIT_S = 4.0


def lost_runs() -> AutomationCore:
    """Return the automation that ends runs whose process and worker were both killed.

    Without it such a run would be shown as running for ever.
    """
    return AutomationCore(
        name="mark lost runs as crashed",
        description="A run that has sent no heartbeat for 100 seconds has lost its process.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},  # also what ends or suspends a run, and so its beats
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=LOST_AFTER,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, name="Crashed", message="No heartbeat: the process and its worker are gone."
            )
        ],
    )


def apply_pools(client: SyncPrefectClient) -> None:
    """Create the work pools that are missing."""
    for name, declared in POOLS.items():
        pool = WorkPoolCreate(
            name=name,
            type="process",
            description=declared.description,
            base_job_template=ProcessWorker.get_default_base_job_template(),
        )
        try:
            client.create_work_pool(pool)
        except ObjectAlreadyExists:
            continue


def apply_automations(client: SyncPrefectClient) -> None:
    """Create the automations that belong to no deployment, when they are missing."""
    wanted = lost_runs()
    if not client.read_automations_by_name(wanted.name):
        client.create_automation(wanted)


def apply_limits(client: SyncPrefectClient) -> None:
    """Create, for each provider, the limit that its requests share over all machines; one that is there is kept.

    A slot is a request; as many are freed in a second as the provider's terms allow to ask.
    """
    there = {limit.name for limit in client.read_global_concurrency_limits(limit=200)}
    # Two clients of one service bear one name, for they use up one quota.
    clients = {source.client.name: source.client for source in PROVIDERS.values() if source.addresses}
    for name, provider in clients.items():
        if name not in there:
            per_second = provider.requests_per_second
            client.create_global_concurrency_limit(
                GlobalConcurrencyLimitCreate(
                    name=name, limit=math.ceil(per_second * LIMIT_S), slot_decay_per_second=per_second
                )
            )


def apply_deployments() -> None:
    """Deploy all flows with Prefect's own command; raises StackError with what it said last."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(PREFECT_FILE)]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=os.environ | {"PWD": str(CHECKOUT)}, capture_output=True, text=True, check=False
    )
    sys.stdout.write(done.stdout + done.stderr)
    if done.returncode:
        raise StackError(f"deploying {PREFECT_FILE.name} failed: {_last_line(done.stdout + done.stderr)}")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def main() -> None:
    """Apply everything to the server that the environment names."""
    with get_client(sync_client=True) as client:
        apply_pools(client)
        apply_automations(client)
        apply_limits(client)
    try:
        apply_deployments()
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
