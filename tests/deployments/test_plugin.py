"""`prefect deployment run NAME` without a slash, and nothing else, is completed."""

import subprocess
import sys

import pytest

from deployments.catalogue import deployment_names
from deployments.plugin import name_place, prefect_arguments

RUN = ["deployment", "run"]


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ([*RUN, "train-clip"], 2),
        (["deployment", "inspect", "train-clip"], 2),
        (["deployments", "run", "train-clip"], 2),
        ([*RUN, "--watch", "train-clip"], 3),
        ([*RUN, "-p", "epochs=3", "train-clip"], 4),
        ([*RUN, "--param=epochs=3", "train-clip"], 3),
        ([*RUN, "train-clip", "--tag", "night", "-p", "epochs=3"], 2),
        ([*RUN, "--tag", "train-clip", "collect-uk-grid"], 4),
        (["--no-prompt", "--profile", "mine", *RUN, "train-clip"], 5),
        (["-p", "mine", *RUN, "train-clip"], 4),
        ([*RUN], None),
        ([*RUN, "--id", "train-clip"], None),
        ([*RUN, "--unheard-of", "train-clip"], None),
        (["deployment", "ls", "train-clip"], None),
        (["deployment", "delete", "train-clip"], None),
        (["flow", "run", "train-clip"], None),
        (["deployment"], None),
        ([], None),
    ],
)
def test_finds_the_name_among_the_options(arguments: list[str], place: int | None) -> None:
    assert name_place(arguments) == place


@pytest.mark.parametrize(
    ("argv", "original", "arguments"),
    [
        (["/venv/bin/prefect", "version"], ["python", "/venv/bin/prefect", "version"], ["version"]),
        (["prefect"], ["python", "prefect"], []),
        (["C:/venv/Scripts/prefect.exe", "version"], ["x"], ["version"]),
        (["-m", "version"], ["python", "-m", "prefect", "version"], ["version"]),
        (["/site-packages/prefect/__main__.py", "version"], ["x"], ["version"]),
        (["-m", "tests"], ["python", "-m", "pytest", "tests"], None),
        (["-c"], ["python", "-c", "import prefect"], None),
        (["/bin/pytest", *RUN, "train-clip"], ["x"], None),
        (["my_prefect.py", *RUN, "train-clip"], ["x"], None),
        ([], [], None),
    ],
)
def test_only_prefects_own_program_is_touched(
    argv: list[str], original: list[str], arguments: list[str] | None
) -> None:
    assert prefect_arguments(argv, original) == arguments


def test_another_program_keeps_its_arguments_and_its_server() -> None:
    code = "import sys, os, prefect; print(sys.argv[1:], os.environ.get('PREFECT_API_URL'))"
    said = subprocess.run(
        [sys.executable, "-c", code, *RUN, "train-clip"], capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines()[-1] == "['deployment', 'run', 'train-clip'] None"


def test_every_deployment_of_the_project_has_a_name() -> None:
    collecting = {f"collect-{preset}" for preset in ("uk-grid", "uk-cities", "uk-cities-50", "us-grid", "us-cities")}
    learning = {"train-clip", "evaluate-clip", "promote-clip", "sweep-clip"}
    assert set(deployment_names()) == collecting | learning | {"merge-suburbs", "refresh-datasets", "geolocate-uk"}
