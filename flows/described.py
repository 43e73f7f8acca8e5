"""Let a flow's form explain itself: Prefect takes a parameter's description from the docstring, not from its type.

In: a function whose parameters are annotated types with descriptions. Out: the same function, with these descriptions
in its docstring as Prefect reads them.
"""

import inspect
from collections.abc import Callable
from typing import Annotated, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

P = ParamSpec("P")
R = TypeVar("R")


def described(function: Callable[P, R]) -> Callable[P, R]:
    """Append an ``Args:`` section to the docstring; raises TypeError for a parameter whose type describes nothing."""
    hints = get_type_hints(function, include_extras=True)
    lines = [f"    {name}: {_description(hints[name], name)}" for name in inspect.signature(function).parameters]
    function.__doc__ = "\n".join([inspect.getdoc(function) or "", "", "Args:", *lines])
    return function


def _description(hint: object, name: str) -> str:
    metadata = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    # The last word counts where one described type is built on another.
    told = [one.description for one in metadata if isinstance(one, FieldInfo) and one.description]
    if not told:
        raise TypeError(f"parameter {name!r} has no description: annotate it with Field(description=…)")
    return told[-1]
