"""`geolocate lineage`: what a dataset version or a run was made of, and what was made of it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.tree import Tree

from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot

if TYPE_CHECKING:
    from geolocate.dataset.tracing import Node

_COLOURS = {"agrees": "green", "changed": "red", "missing": "red", "noted": "dim", "unknown": "yellow"}
_SHOWN = 12
_WIDTH = 200


def register(parent: typer.Typer) -> None:
    """Add the command to the command line."""
    parent.command()(lineage)


def lineage(
    name: Annotated[str, typer.Argument(help="NAME or NAME@VERSION of a dataset, or the name of a run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Trace a dataset version or a run by hashes, and say where one no longer agrees with what is on the disk.

    Example: geolocate lineage uk-cities-50
    """
    from geolocate.dataset.tracing import trace

    node = trace(DataRoot(settings_from_environment().data), name)
    if as_json:
        typer.echo(json.dumps(node.to_json(), indent=2, ensure_ascii=False))
        return
    console = Console()
    # A hash cut off at the terminal's edge helps nobody.
    Console(width=max(console.width, _WIDTH)).print(_tree(node))
    wrong = [f"{_named(one)} ({one.state})" for one in node.disagreeing()]
    console.print(
        f"no longer as written down: {', '.join(wrong)}" if wrong else "everything agrees with what is on the disk",
        markup=False,
        soft_wrap=True,
    )


def _tree(node: "Node") -> Tree:
    tree = Tree(_line(node))
    for part in node.made_of:
        tree.add(_tree(part))
    if node.kind == "dataset" and node.used_by:
        runs = tree.add("trained on it")
        for run in node.used_by:
            runs.add(_line(run))
    return tree


def _line(node: "Node") -> str:
    from rich.markup import escape

    sha256 = f" [dim]{node.sha256[:_SHOWN]}[/dim]" if node.sha256 else ""
    state = f" [{_COLOURS[node.state]}]{node.state}[/]" if node.state != "noted" else ""
    note = f" – {escape(node.note)}" if node.note else ""
    return f"{escape(_named(node))}{sha256}{state}{note}"


def _named(node: "Node") -> str:
    return node.kind if node.name == node.kind else f"{node.kind} {node.name}"
