"""Let people write ``prefect deployment run collect-uk-grid`` and reach the stack that runs in this folder.

In: the command line of Prefect's own program. Out: the same command line, with a deployment of ours named as
Prefect wants it (``collect-uk-grid/collect-uk-grid``), and the address of the running local stack when the
environment names no server. For every other program, and every other command, nothing changes.
"""

import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from prefect.plugins import HookContext, SetupResult, register_hook

# What `prefect deployment run` and `inspect` take a value for; anything unknown leaves the line untouched.
_WITH_VALUE = frozenset(
    [
        "--profile",
        "--id",
        "--job-variable",
        "-jv",
        "--param",
        "-p",
        "--params",
        "--start-in",
        "--start-at",
        "--tag",
        "--watch-interval",
        "--watch-timeout",
        "--flow-run-name",
        "--output",
        "-o",
    ]
)
_FLAGS = frozenset(["--prompt", "--no-prompt", "--watch", "--no-watch", "--help"])
_COMMANDS = frozenset((group, command) for group in ("deployment", "deployments") for command in ("run", "inspect"))


@register_hook
def setup_environment(*, ctx: HookContext) -> SetupResult | None:
    """Complete the deployment's name on the command line, and point Prefect at the running stack."""
    arguments = prefect_arguments(sys.argv, sys.orig_argv)
    if arguments is None:
        return None
    place = name_place(arguments)
    if place is not None and arguments[place] in _names():
        # In place: the program has already taken hold of this very list.
        sys.argv[1 + place] = full_name(arguments[place])
    return _address(ctx, wanted=place is not None)


def prefect_arguments(argv: Sequence[str], original: Sequence[str]) -> list[str] | None:
    """Return the arguments of Prefect's own program, or None when another program runs."""
    if not argv:
        return None
    program = Path(argv[0])
    if argv[0] == "-m":  # `python -m prefect` imports the package before it puts its path here
        is_prefect = "-m" in original and original[original.index("-m") + 1 :][:1] == ["prefect"]
    else:
        is_prefect = program.name in {"prefect", "prefect.exe"} or program.parts[-2:] == ("prefect", "__main__.py")
    return list(argv[1:]) if is_prefect else None


def name_place(arguments: Sequence[str]) -> int | None:
    """Return where the deployment's name stands in ``deployment run`` or ``inspect``, else None."""
    words: list[int] = []
    place = 0
    while place < len(arguments) and len(words) < 3:
        word = arguments[place]
        if word in _WITH_VALUE:
            place += 1
        elif not word.startswith("-"):
            words.append(place)
        elif word not in _FLAGS and word.split("=")[0] not in _WITH_VALUE:
            return None
        place += 1
    if len(words) < 3 or (arguments[words[0]], arguments[words[1]]) not in _COMMANDS:
        return None
    return words[2]


def full_name(name: str) -> str:
    """Return the name that Prefect knows: flow and deployment are called the same here."""
    return f"{name}/{name}"


def _names() -> Collection[str]:
    from deployments.catalogue import deployment_names

    return deployment_names()


def _address(ctx: HookContext, *, wanted: bool) -> SetupResult | None:
    """Return the running stack's address, unless the environment names a server."""
    if "PREFECT_API_URL" in os.environ:
        return None
    from deployments.configuration import without_proxy
    from deployments.state import running_server_url

    url = running_server_url()
    if url:
        return SetupResult(env={"PREFECT_API_URL": url, **without_proxy()}, note="the local stack of this folder")
    if wanted and ctx.api_url is None and "--profile" not in sys.argv:
        raise SystemExit("no Prefect server is up: start one with `make up`, or set PREFECT_API_URL to another")
    return None
