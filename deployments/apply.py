"""Make a Prefect server hold what this project declares: work pools, deployments, schedules, automations, limits.

In: the server that PREFECT_API_URL names, or else the stack that runs on this folder's data root. Applying twice
changes nothing more, and what a person has switched or changed on the server since stays so.
"""

import copy
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessWorker

from deployments.applied import Applied, read_applied, write_applied
from deployments.automations import apply_automations, automations
from deployments.catalogue import PREFECT_FILE, declared_deployments, deployment_names
from deployments.configuration import CHECKOUT, POOLS, without_proxy
from deployments.notifications import apply_notifier
from deployments.schedules import merged_schedules, now_applied
from deployments.state import running_server_url
from geolocate.errors import StackError
from geolocate.providers import PROVIDERS

# How many seconds' worth of requests a provider's limit holds: machines take some seconds' worth at a time.
LIMIT_S = 4.0


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


def apply_deployments(client: SyncPrefectClient, applied: Applied) -> Applied:
    """Deploy all flows with Prefect's own command, and return the record with the schedules that were declared.

    The command would reset what a person has switched, so it is given a file in which that stands as it is. Raises
    StackError with what the command said last.
    """
    there = {name: _read_deployment(client, name) for name in deployment_names()}
    content = yaml.safe_load(PREFECT_FILE.read_text(encoding="utf-8"))
    content["deployments"] = [_as_it_stands(one, there[one["name"]], applied) for one in declared_deployments()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / PREFECT_FILE.name
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        _deploy(file)
    schedules = [now_applied(one["name"], one.get("schedules", []), applied.seed) for one in declared_deployments()]
    return applied.model_copy(update={"schedules": {key: one for record in schedules for key, one in record.items()}})


def _read_deployment(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(f"{name}/{name}")
    except ObjectNotFound:
        return None


def _as_it_stands(declared: dict[str, Any], there: DeploymentResponse | None, applied: Applied) -> dict[str, Any]:
    """Return what is declared of a deployment, with its schedules and its pause as a person has left them."""
    schedules = merged_schedules(
        declared["name"], declared.get("schedules", []), there.schedules if there else None, applied
    )
    paused = {"paused": True} if there and there.paused else {}
    return copy.deepcopy(declared) | {"schedules": schedules} | paused


def _deploy(file: Path) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=os.environ | {"PWD": str(CHECKOUT)}, capture_output=True, text=True, check=False
    )
    sys.stdout.write(done.stdout + done.stderr)
    if done.returncode:
        raise StackError(f"deploying {PREFECT_FILE.name} failed: {_last_line(done.stdout + done.stderr)}")


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def main() -> None:
    """Apply everything to the server that the environment names, to the running stack, or to the profile's server."""
    url = os.environ.get("PREFECT_API_URL") or running_server_url() or PREFECT_API_URL.value()
    if not url:
        sys.exit("error: no Prefect server is up: start one with `make up`, or set PREFECT_API_URL to another")
    os.environ.update({"PREFECT_API_URL": url, **without_proxy()})  # for the command that deploys, too
    try:
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            _apply(client)
        sys.stdout.write(f"applied to {url}: pools, limits, deployments, schedules, automations\n")
    except StackError as error:
        sys.exit(f"error: {error}")


def _apply(client: SyncPrefectClient) -> None:
    apply_pools(client)
    apply_limits(client)
    applied = apply_deployments(client, read_applied(client))
    ids = {name: client.read_deployment_by_name(f"{name}/{name}").id for name in deployment_names()}
    applied = apply_automations(client, automations(ids, apply_notifier(client)), applied)
    write_applied(client, applied)


if __name__ == "__main__":
    main()
