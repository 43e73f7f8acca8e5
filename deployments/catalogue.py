"""Which deployments there are, read from the file that declares them."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

PREFECT_FILE = Path(__file__).resolve().parent / "prefect.yaml"


@cache
def declared_deployments() -> tuple[dict[str, Any], ...]:
    """Return the deployments as ``prefect.yaml`` declares them."""
    return tuple(yaml.safe_load(PREFECT_FILE.read_text(encoding="utf-8"))["deployments"])


def deployment_names() -> list[str]:
    """Return the names of all deployments."""
    return [str(deployment["name"]) for deployment in declared_deployments()]
