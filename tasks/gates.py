"""What the UI shows of a dataset that its region's gates have refused."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from geolocate.dataset.gates import GateError

#: What automations may wait for.
REFUSED = "geolocate.dataset.refused"
#: Rows of the table; the file that the message names has all.
_SHOWN = 200


@contextmanager
def gates_shown() -> Iterator[None]:
    """Show the failing rows as a table and tell the automations, before the run fails."""
    try:
        yield
    except GateError as error:
        rows = [{str(name): value for name, value in row.items()} for row in error.rows.head(_SHOWN).to_dict("records")]
        create_table_artifact(rows, key="refused", description=str(error))
        dataset = str(error).partition("@")[0]
        emit_event(
            event=REFUSED,
            resource={"prefect.resource.id": f"geolocate.dataset.{dataset}", "prefect.resource.name": dataset},
            payload={"message": str(error), "rows": len(error.rows)},
        )
        raise
