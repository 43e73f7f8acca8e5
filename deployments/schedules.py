"""Which schedules the deployments are to have, when some are there already and a person has changed them.

In: what ``prefect.yaml`` declares, what was applied last, what stands on the server. Out: what to apply now. What a
person has changed stays as the person left it; the rest follows the file.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from prefect.client.schemas.objects import DeploymentSchedule

from deployments.applied import Applied, AppliedSchedule, Timing

#: A schedule starts up to so many minutes after the time in the file, on each server at another: Prefect has no jitter.
SPREAD_MINUTES = 120

_TIMING = ("cron", "day_or", "interval", "anchor_date", "rrule", "timezone")
# What a schedule is written with in the file where it is left out.
_DEFAULTS: Timing = {"day_or": True}


def merged_schedules(
    name: str, declared: Sequence[Mapping[str, Any]], there: Sequence[DeploymentSchedule] | None, applied: Applied
) -> list[dict[str, Any]]:
    """Return a deployment's schedules as ``prefect deploy`` takes them; ``there`` is None for a new deployment."""
    if there is None:
        return [_entry(one["slug"], wanted(name, one, applied.seed), one.get("parameters")) for one in declared]
    by_slug = {schedule.slug: schedule for schedule in there}
    kept = [_merged(name, one, by_slug, applied) for one in declared]
    # Those that a person has added, not those that the file has dropped.
    ours = {_key(name, one["slug"]) for one in declared} | applied.schedules.keys()
    added = [one for one in there if _key(name, one.slug) not in ours]
    return [*filter(None, kept), *(_entry(one.slug, _of(one), one.parameters) for one in added)]


def wanted(name: str, declared: Mapping[str, Any], seed: int) -> AppliedSchedule:
    """Return what the file says of a schedule, with its time spread."""
    plain = _plain(declared)
    later = spread(str(plain.timing["cron"]), f"{seed} {_key(name, declared['slug'])}")
    return AppliedSchedule(active=plain.active, timing=plain.timing | {"cron": later})


def spread(cron: str, key: str) -> str:
    """Return the cron expression at most SPREAD_MINUTES later, by as much as the key says."""
    minute, hour, *days = cron.split()
    later = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % SPREAD_MINUTES
    hour_later, minute_later = divmod(int(hour) * 60 + int(minute) + later, 60)
    return " ".join([str(minute_later), str(hour_later), *days])


def now_applied(name: str, declared: Sequence[Mapping[str, Any]], seed: int) -> dict[str, AppliedSchedule]:
    """Return the record of a deployment's schedules, as they would be had no person changed any."""
    return {_key(name, one["slug"]): wanted(name, one, seed) for one in declared}


def _merged(
    name: str, declared: Mapping[str, Any], there: Mapping[str | None, DeploymentSchedule], applied: Applied
) -> dict[str, Any] | None:
    slug = declared["slug"]
    ours, before = wanted(name, declared, applied.seed), applied.schedules.get(_key(name, slug))
    schedule = there.get(slug)
    if schedule is None:
        return (
            None if before else _entry(slug, ours, declared.get("parameters"))
        )  # a person has deleted it, or it is new
    theirs, before = _of(schedule), before or _plain(declared)
    active = theirs.active if theirs.active != before.active else ours.active
    timing = theirs.timing if theirs.timing != before.timing else ours.timing
    return _entry(slug, AppliedSchedule(active=active, timing=timing), schedule.parameters)


def _plain(declared: Mapping[str, Any]) -> AppliedSchedule:
    """Return a schedule as plain `prefect deploy` would apply it."""
    timing = _DEFAULTS | {key: declared[key] for key in _TIMING if key in declared}
    return AppliedSchedule(active=declared["active"], timing=timing)


def _of(schedule: DeploymentSchedule) -> AppliedSchedule:
    timing = schedule.schedule.model_dump(mode="json", exclude_none=True, include=set(_TIMING))
    return AppliedSchedule(active=schedule.active, timing=timing)


def _entry(slug: str | None, schedule: AppliedSchedule, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    named = {"slug": slug} if slug else {}
    return {**named, **schedule.timing, "active": schedule.active, "parameters": dict(parameters or {})}


def _key(name: str, slug: str | None) -> str:
    return f"{name}/{slug}"
