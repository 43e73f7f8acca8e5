"""The command line, run in this process: starting Python for each command would take longer than the command."""

import os
import sys

import pytest

from geolocate.cli import main

#: Whose settings a developer may have in the environment.
_OURS = ("GEOLOCATE_", "GOOGLE_", "MAPILLARY_")


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder, with these settings only; gives its exit code and what it printed."""

    def run(words, environment=None):
        monkeypatch.chdir(tmp_path)
        for name in [name for name in os.environ if name.startswith(_OURS)]:
            monkeypatch.delenv(name)
        for name, value in (environment or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["geolocate", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr()

    return run
