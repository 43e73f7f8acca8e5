"""Turn what a search found into JSON and back: the ledger and the found tables keep it so.

In: a panorama or a miss. Out: text from which the same record can be made again.
"""

import json
from typing import Any

from geolocate.records import ImageReason, Miss, OutcomeStatus, Panorama, Rights, View, World


def answer_to_json(answer: Panorama | Miss) -> str:
    """Write an answer down."""
    return json.dumps(answer, default=fields_of, ensure_ascii=False)


def fields_of(record: Panorama | Miss | Rights | View) -> dict[str, Any]:
    """Return a record's own fields; asdict would copy all that is in them, which costs ten times as much."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def answer_from_json(text: str) -> Panorama | Miss:
    """Read an answer that answer_to_json wrote."""
    value: dict[str, Any] = json.loads(text)
    if "status" in value:
        reason = value.get("reason")
        return Miss(OutcomeStatus(value["status"]), value["detail"], ImageReason(reason) if reason else None)
    return panorama_from(value)


def panorama_from(value: dict[str, Any]) -> Panorama:
    """Make a panorama from its fields as asdict gives them."""
    native = value.get("native")
    companions = tuple(panorama_from(companion) for companion in value.get("companions", ()))
    parts = {"rights": rights_from(value["rights"]), "native": View(**native) if native else None}
    return Panorama(**{**value, **parts, "companions": companions})


def rights_from(value: dict[str, Any]) -> Rights:
    """Make rights from their fields as asdict gives them."""
    return Rights(**{**value, "world": World(value["world"])})
