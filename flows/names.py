"""How a flow's parameters name what there is."""

from typing import Annotated

from pydantic import Field

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
Dataset = Annotated[
    str,
    Field(
        pattern=f"^{NAME}(@{NAME})?$", max_length=201, description="NAME, its version published last, or NAME@VERSION"
    ),
]
