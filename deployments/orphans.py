"""Settle the runs that a stopped worker or server left behind, so that none is shown as running for ever.

In: a server of which nobody works any more. Out: what had begun is Crashed, what had not is scheduled again.
"""

from typing import Any

import requests

_TIMEOUT_S = 30


def settle_orphans(url: str) -> int:
    """Give every run that no process works on a true state, and return how many there were."""
    unfinished = _read_unfinished(url)
    for run in unfinished:
        body = {"state": _true_state(run["state"]["type"]), "force": True}
        requests.post(f"{url}/flow_runs/{run['id']}/set_state", json=body, timeout=_TIMEOUT_S).raise_for_status()
    return len(unfinished)


def _read_unfinished(url: str) -> list[dict[str, Any]]:
    states = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
    answer = requests.post(f"{url}/flow_runs/filter", json={"flow_runs": states}, timeout=_TIMEOUT_S)
    answer.raise_for_status()
    runs: list[dict[str, Any]] = answer.json()
    return runs


def _true_state(state_type: str) -> dict[str, Any]:
    match state_type:
        case "PENDING":  # handed to a worker that never started it: as good as new
            return {"type": "SCHEDULED", "name": "Scheduled"}
        case "CANCELLING":
            return {"type": "CANCELLED", "name": "Cancelled"}
        case _:
            return {"type": "CRASHED", "name": "Crashed", "message": "The local stack stopped; run it again to go on."}
