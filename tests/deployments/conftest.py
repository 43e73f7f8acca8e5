"""A real stack for the tests: its own ports and data root, and flows that only say what they were given."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from deployments.components import free_port
from deployments.configuration import CHECKOUT
from tests.flows.traces import SECRETS

# A stand-in of each flow: the real ones take minutes, and what is tested here is how they are run.
FLOW = """
import logging
import time

from prefect import flow
from prefect.artifacts import create_markdown_artifact

logging.getLogger("geolocate").setLevel(logging.INFO)


@flow(name="{name}", flow_run_name="{name} of {{dataset}}")
def {function}(dataset: str = "nothing", seconds: float = 0.0) -> str:
    logging.getLogger("geolocate.standin").info("working on %s", dataset)
    create_markdown_artifact("# Table of " + dataset, key="results", description="What came out")
    time.sleep(seconds)
    return dataset
"""


@dataclass(frozen=True)
class Checkout:
    """A copy of the project with stand-in flows, and the environment in which a person works there."""

    path: Path
    environment: dict[str, str]

    @property
    def data(self) -> Path:
        return self.path / "data"

    def run(self, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a person would in this folder; what it says goes to one text."""
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment | changes,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=400,  # a loaded machine takes minutes for what takes seconds on an idle one
        )

    def stack(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "deployments.stack", *arguments, **changes)


def make_checkout(path: Path) -> Checkout:
    """Copy the deployments, put stand-in flows beside them, and choose free ports."""
    shutil.copytree(CHECKOUT / "deployments", path / "deployments", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", path)
    (path / "geolocate").symlink_to(CHECKOUT / "geolocate")
    (path / "flows").mkdir()
    (path / "flows" / "__init__.py").touch()
    for deployment in yaml.safe_load((path / "deployments" / "prefect.yaml").read_text())["deployments"]:
        file, function = deployment["entrypoint"].split(":")
        (path / file).write_text(FLOW.format(name=deployment["name"], function=function))
    return Checkout(path, _environment())


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "GEOLOCATE_"))}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GEOLOCATE_UI_PORT": str(free_port()),
        "GEOLOCATE_EMULATOR_PORT": str(free_port()),
        # How long a run waits before it asks again whether it is its turn; 30 s by default.
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "3",
        # A key would choose the provider; these two a person may have set while the emulator serves.
        **{name: SECRETS[name] for name in ("GOOGLE_MAPS_SIGNING_SECRET", "MAPILLARY_TOKEN")},
    }


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return make_checkout(tmp_path_factory.mktemp("checkout") / "project")


@pytest.fixture(scope="session")
def stack(checkout: Checkout) -> Iterator[Checkout]:
    """The whole stack, up for the session; `down` must leave nothing."""
    try:
        started = checkout.stack("up")
        assert started.returncode == 0, started.stdout
        yield checkout
    finally:
        checkout.stack("down")
