"""The stack on PostgreSQL and Redis, as processes: a run is finished, and all ends again."""

import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.components import free_port
from deployments.configuration import stack_settings
from deployments.state import load_state
from deployments.stores import make_database
from geolocate.errors import SettingsError, StackError
from tests.deployments.conftest import Checkout, make_checkout
from tests.deployments.test_stack import _eventually, _has_state

PARTS = {"postgres", "redis", "server", "services", "emulator", "worker-cpu", "worker-gpu"}
_DEBIAN = Path("/usr/lib/postgresql")

ARE_INSTALLED = bool((shutil.which("initdb") or _DEBIAN.exists()) and shutil.which("redis-server"))


@pytest.fixture(scope="module")
def shared() -> Iterator[Checkout]:
    """A stack on PostgreSQL and Redis, in a folder that PostgreSQL's own user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="stack-"))
    folder.chmod(0o711)
    try:
        make_database(folder, folder / "tried", "secret")
    except StackError as error:
        shutil.rmtree(folder)
        pytest.skip(f"PostgreSQL cannot run here: {error}")
    checkout = make_checkout(folder / "project")
    ports = {f"GEOLOCATE_{name}_PORT": str(free_port()) for name in ("POSTGRES", "REDIS")}
    checkout = Checkout(checkout.path, checkout.environment | ports | {"GEOLOCATE_STORES": "postgres"})
    try:
        started = checkout.stack("up")
        assert started.returncode == 0, started.stdout
        yield checkout
    finally:
        checkout.stack("down")
        shutil.rmtree(folder)


@pytest.mark.stores
@pytest.mark.skipif(
    not ARE_INSTALLED, reason="PostgreSQL and Redis are not installed (Debian: apt install postgresql redis-server)"
)
def test_a_run_is_finished_and_nothing_is_left_after_down(shared: Checkout) -> None:
    name = "merge-suburbs"
    state = load_state(shared.data)
    assert {child.name for child in state.children} == PARTS
    with temporary_settings({PREFECT_API_URL: state.server_url}), get_client(sync_client=True) as client:
        client.create_flow_run_from_deployment(client.read_deployment_by_name(f"{name}/{name}").id)
    _eventually(lambda: _has_state(shared, name, "Completed"))
    _check_secret(shared)
    family = [psutil.Process(child.pid) for child in state.children]
    family += [process for parent in family for process in parent.children(recursive=True)]
    assert shared.stack("down").returncode == 0
    assert not [process for process in family if process.is_running()]
    assert not (shared.data / "prefect" / "prefect.db").exists()


def _check_secret(shared: Checkout) -> None:
    """The stores' password stands in one file that only we read, and in no process's arguments."""
    key = shared.data / "prefect" / "stores.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if key.read_text() in line]
    told = "".join(log.read_text(errors="replace") for log in (shared.data / "logs").glob("*.log"))
    assert key.read_text() not in told


@pytest.mark.parametrize("stores", ["mysql", "postgresql", "none"])
def test_an_unknown_kind_of_store_is_named(monkeypatch: pytest.MonkeyPatch, stores: str) -> None:
    monkeypatch.setenv("GEOLOCATE_STORES", stores)
    with pytest.raises(SettingsError, match=f"GEOLOCATE_STORES: '{stores}' is no kind of store; choose sqlite or pos"):
        stack_settings()
