"""Run a page of the documentation as a reader would: its commands in their order, in an empty folder."""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geolocate.cli import build
from geolocate.errors import GeolocateError

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A page's fenced blocks: what is typed, and what is printed."""

    commands: list[str]
    printed: list[str]


def read_page(name: str, replace: dict[str, str]) -> Page:
    """Read a page under docs/; ``replace`` names what differs on the reader's machine."""
    text = (ROOT / "docs" / name).read_text("utf-8")
    for old, new in replace.items():
        assert old in text, f"{name} no longer says {old!r}"
        text = text.replace(old, new)
    blocks = _BLOCK.findall(text)
    commands = [line for kind, body in blocks if kind == "sh" for line in _logical_lines(body)]
    printed = [line for kind, body in blocks if kind == "text" for line in body.splitlines() if line.strip()]
    return Page(commands, printed)


def _logical_lines(body: str) -> list[str]:
    """Join what a backslash or a here-document continues."""
    lines, here = [], False
    for line in body.splitlines():
        if here:
            lines[-1] += "\n" + line
            here = line != "END"
        elif lines and lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1] + line
        elif line.strip():
            lines.append(line)
            here = "<<'END'" in line
    return lines


def run_commands(commands: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Run each command in the current folder, and return all that was printed.

    `geolocate` runs in this process: starting Python for each would take longer than the commands.
    """
    printed = []
    for command in commands:
        words = shlex.split(command)
        if words[0] == "export":
            for setting in words[1:]:
                monkeypatch.setenv(*setting.split("=", 1))
        elif words[0] == "geolocate":
            result = CliRunner().invoke(build(), words[1:])
            if isinstance(result.exception, GeolocateError):
                pytest.fail(f"{command}: {result.exception}")
            assert result.exit_code == 0, (command, result.output, result.exception)
            printed.append(result.output)
        else:
            subprocess.run(["bash", "-ec", command], check=True, env=os.environ)
    return "\n".join(printed)
