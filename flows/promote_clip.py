"""promote-clip: put a run in the place of the model in use, where it did better on val ground."""

from typing import Any

from prefect import flow

from flows.described import described
from flows.learning import Run
from tasks import learning


@flow(name="promote-clip", flow_run_name="promote {run}")
@described
def promote_clip(run: Run) -> dict[str, Any]:
    """Promote a finished run, unless the model in use did as well or better on the val ground of the same version.

    The version that comes of it keeps the reason: its figure, and that of the model whose place it takes.
    """
    return learning.promote_clip(run)
