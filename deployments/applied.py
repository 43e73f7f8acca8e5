"""What was applied last, so that a person's change can be told from our own.

In: a Prefect server. Out: the record of it, kept on that server as the variable ``geolocate_applied``. Whatever stands
on the server otherwise than it was applied, a person has changed.
"""

import secrets

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from pydantic import BaseModel, Field, ValidationError

from geolocate.errors import StackError

VARIABLE = "geolocate_applied"
Timing = dict[str, str | float | bool]


class AppliedSchedule(BaseModel):
    """A schedule as it was applied: whether it was on, and when it was to start runs."""

    active: bool
    timing: Timing


class AppliedAutomation(BaseModel):
    """An automation as it was applied: whether it was on, and digests of what was declared and of what came of it."""

    enabled: bool
    declared: str
    applied: str


class Applied(BaseModel):
    """All that was applied. ``seed`` is drawn once a server, and spreads its schedules over time."""

    seed: int = Field(default_factory=lambda: secrets.randbelow(2**32))
    schedules: dict[str, AppliedSchedule] = {}
    automations: dict[str, AppliedAutomation] = {}


def read_applied(client: SyncPrefectClient) -> Applied:
    """Read the record; a server to which nothing was applied yet has an empty one."""
    variable = client.read_variable_by_name(VARIABLE)
    if variable is None:
        return Applied()
    try:
        return Applied.model_validate(variable.value)
    except ValidationError:
        raise StackError(
            f"the server's variable {VARIABLE} is damaged: delete it (prefect variable delete {VARIABLE}); what a "
            "person has switched is then kept, and the rest is applied anew"
        ) from None


def write_applied(client: SyncPrefectClient, applied: Applied) -> None:
    """Write the record, unless it is there already."""
    value = applied.model_dump(mode="json")
    variable = client.read_variable_by_name(VARIABLE)
    if variable is None:
        client.create_variable(VariableCreate(name=VARIABLE, value=value))
    elif variable.value != value:
        client.update_variable(VariableUpdate(name=VARIABLE, value=value))
