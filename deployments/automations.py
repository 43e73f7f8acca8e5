"""What the server is to do by itself: train on what is published, promote what is better, tell a person of trouble.

In: a server that holds the deployments. Out: its automations. One that a person has switched off, changed or deleted
stays as the person left it; applying again changes nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from deployments.applied import Applied, AppliedAutomation
from deployments.notifications import Notifier

# Three missed beats of 30 s and a little more; see PREFECT_FLOWS_HEARTBEAT_FREQUENCY.
LOST_AFTER = timedelta(seconds=100)


def automations(deployment_ids: Mapping[str, UUID], notifier: Notifier) -> list[AutomationCore]:
    """Return all automations; those that tell a person are on only where the person has said where to."""
    return [
        train_on_published(deployment_ids["train-clip"]),
        promote_better(deployment_ids["promote-clip"]),
        lost_runs(),
        *told(notifier),
    ]


def train_on_published(train: UUID) -> AutomationCore:
    """Return the automation that trains on every newly published dataset version."""
    return AutomationCore(
        name="train-clip on a published dataset",
        description="Train on every newly published dataset version, unless its publisher trains by itself.",
        trigger=EventTrigger(
            expect={"geolocate.dataset.published"},
            match=_matching("geolocate.dataset.*", **{"geolocate.trained-by": "!geolocate-uk"}),
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[RunDeployment(deployment_id=train, parameters={"dataset": "{{ event.payload.dataset }}"})],
    )


def promote_better(promote: UUID) -> AutomationCore:
    """Return the automation that promotes a run which did better on val ground than the model in use."""
    return AutomationCore(
        name="promote what is better than the model in use",
        description="A run with a smaller distance on val ground takes the model's place; promotion.json says why.",
        trigger=EventTrigger(
            expect={"geolocate.run.evaluated"},
            match=_matching("geolocate.run.*", **{"geolocate.better": "yes"}),
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[RunDeployment(deployment_id=promote, parameters={"run": "{{ event.payload.run }}"})],
    )


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
            match=_matching("prefect.flow-run.*"),
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


def told(notifier: Notifier) -> list[AutomationCore]:
    """Return the automations that tell a person of what needs one."""
    ended = {f"prefect.flow-run.{state}" for state in ("Crashed", "Failed", "Late")}
    run = "{{ flow_run.name }}: {{ flow_run.state.name }}. {{ flow_run.state.message }}"
    payload = "{{ event.payload.message }}"
    return [
        _telling(notifier, "tell that a run crashed, failed or is late", "prefect.flow-run.*", ended, run),
        _telling(
            notifier,
            "tell that a quality gate stopped a dataset",
            "geolocate.dataset.*",
            {"geolocate.dataset.refused"},
            payload,
        ),
        _telling(
            notifier,
            "tell that 80 % of a budget is spent",
            "geolocate.collection.*",
            {"geolocate.collection.budget-80"},
            payload,
        ),
    ]


def _telling(notifier: Notifier, name: str, resource: str, events: set[str], body: str) -> AutomationCore:
    return AutomationCore(
        name=name,
        description=f"Sends to the notification block {notifier.name!r}; off until somebody has filled it in.",
        enabled=notifier.is_filled_in,
        trigger=EventTrigger(expect=events, match=_matching(resource), posture=Posture.Reactive, threshold=1),
        actions=[SendNotification(block_document_id=notifier.block_id, subject=f"geolocate: {name}", body=body)],
    )


def _matching(resource: str, **labels: str) -> ResourceSpecification:
    return ResourceSpecification({"prefect.resource.id": resource, **labels})


def apply_automations(client: SyncPrefectClient, wanted: list[AutomationCore], applied: Applied) -> Applied:
    """Create what is missing and renew what the project has changed; return the record of it."""
    now = {one.name: _apply(client, one, applied.automations.get(one.name)) for one in wanted}
    return applied.model_copy(update={"automations": now})


def _apply(client: SyncPrefectClient, wanted: AutomationCore, before: AppliedAutomation | None) -> AppliedAutomation:
    there = next(iter(client.read_automations_by_name(wanted.name)), None)
    declared = digest(wanted)
    if there is None:
        if before is not None:
            return before  # a person has deleted it
        client.create_automation(wanted)
        return _record(client, wanted, declared)
    theirs = before is not None and digest(there) != before.applied
    enabled = wanted.enabled if before is not None and there.enabled == before.enabled else there.enabled
    if before is not None and (theirs or (declared, wanted.enabled) == (before.declared, before.enabled)):
        return before
    # The server refuses to be told of an owner, even of none.
    plain = wanted.model_dump(exclude={"owner_resource"}) | {"enabled": enabled}
    client.update_automation(there.id, AutomationCore.model_validate(plain))
    return _record(client, wanted, declared)


def _record(client: SyncPrefectClient, wanted: AutomationCore, declared: str) -> AppliedAutomation:
    there = client.read_automations_by_name(wanted.name)[0]
    return AppliedAutomation(enabled=wanted.enabled, declared=declared, applied=digest(there))


def digest(automation: AutomationCore) -> str:
    """Return a digest of what the automation does, whether it is on or not."""
    plain = AutomationCore.model_validate(automation.model_dump()).model_dump(mode="json", exclude={"enabled"})
    return hashlib.sha256(json.dumps(_ordered(plain), sort_keys=True).encode()).hexdigest()[:16]


def _ordered(value: object) -> object:
    """Return the value with its lists, which may come from sets, in one order."""
    if isinstance(value, dict):
        return {key: _ordered(one) for key, one in value.items()}
    if isinstance(value, list):
        return sorted((_ordered(one) for one in value), key=repr)
    return value
