"""The programs of the local stack: how each is started, and how one knows that it is ready.

In: the data root and the ports. Out: running processes that answer.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import requests

from deployments.configuration import (
    CHECKOUT,
    HOST,
    POOLS,
    emulator_environment,
    prefect_environment,
)
from deployments.processes import Child, is_running, start
from geolocate.errors import SettingsError, StackError

# A first start writes the database's tables, and several minutes pass on a machine under load.
READY_S = 240.0
_POLL_S = 0.3


def log_file(root: Path, name: str) -> Path:
    """Return where a program of the stack writes what it says."""
    return root / "logs" / f"{name}.log"


def require_free_port(port: int, setting: str) -> None:
    """Raise SettingsError when something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise SettingsError(
                f"port {port} is in use{_holder(port)}: stop that program, or set {setting} to a free port"
            ) from None


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Tell whether nothing listens on the port."""
    try:
        require_free_port(port, "")
    except SettingsError:
        return False
    return True


def _holder(port: int) -> str:
    """Name the program that holds the port, where the system tells."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""
    return ""


def start_server(root: Path, port: int) -> Child:
    """Start Prefect's server with its page; raises SettingsError when the port is taken."""
    require_free_port(port, "GEOLOCATE_UI_PORT")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    return start("server", command, prefect_environment(root, port), log_file(root, "server"), CHECKOUT)


def start_emulator(root: Path, port: int) -> Child:
    """Start the stand-in for Street View; raises SettingsError when the port is taken."""
    require_free_port(port, "GEOLOCATE_EMULATOR_PORT")
    command = [sys.executable, "-m", "geolocate.cli", "emulator", "--host", HOST, "--port", str(port)]
    environment = os.environ | {"GEOLOCATE_DATA": str(root)}
    return start("emulator", command, environment, log_file(root, "emulator"), CHECKOUT)


def start_worker(root: Path, pool: str, environment: Mapping[str, str]) -> Child:
    """Start the worker of a pool."""
    name = f"worker-{pool}"
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--name", name]
    command += ["--type", "process", "--install-policy", "never", "--limit", str(POOLS[pool].runs_at_once)]
    return start(name, command, environment, log_file(root, name), CHECKOUT)


def wait_for_server(child: Child, url: str) -> None:
    """Wait until the server answers."""
    wait_until(child, lambda: _json(f"{url}/health") is True)


def wait_for_emulator(child: Child, url: str) -> None:
    """Wait until the emulator answers."""
    wait_until(child, lambda: (_json(f"{url}/health") or {}).get("status") == "ok")


def wait_for_worker(child: Child, url: str, pool: str) -> None:
    """Wait until the server has heard from the worker."""
    wait_until(child, lambda: child.name in online_workers(url, pool))


def online_workers(url: str, pool: str) -> list[str]:
    """Return the names of the pool's workers that the server has heard from lately."""
    answer = requests.post(f"{url}/work_pools/{pool}/workers/filter", json={}, timeout=10)
    workers = answer.json() if answer.ok else []
    return [worker["name"] for worker in workers if worker["status"] == "ONLINE"]


def apply(root: Path, environment: Mapping[str, str]) -> None:
    """Create pools and automations, and deploy every flow; raises StackError with the reason."""
    log = log_file(root, "apply")
    command = [sys.executable, "-m", "deployments.apply"]
    done = subprocess.run(
        command, cwd=CHECKOUT, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    log.write_bytes(done.stdout)
    if done.returncode:
        raise StackError(f"the deployments could not be applied: {_last_line(log)}; the whole of it is in {log}")


def flow_environment(root: Path, url: str, emulator_url: str) -> dict[str, str]:
    """Return the environment of whatever runs flows against this stack."""
    environment = prefect_environment(root, port_of(url))
    return environment | emulator_environment(emulator_url) if emulator_url else environment


def port_of(url: str) -> int:
    """Return the port of an address of the stack."""
    return int(url.removeprefix(f"http://{HOST}:").split("/")[0])


def emulator_url(port: int) -> str:
    """Return where the emulator answers."""
    return f"http://{HOST}:{port}"


def _json(url: str) -> Any:
    try:
        return requests.get(url, timeout=5).json()
    except requests.RequestException:  # not up yet; a body that is not JSON is one of these too
        return None


def wait_until(child: Child, ready: Callable[[], bool]) -> None:
    """Wait until the program is ready; raises StackError when it ends before, or takes minutes."""
    deadline = time.monotonic() + READY_S
    while not ready():
        if not is_running(child):
            raise StackError(f"{child.name} ended at its start: {_last_line(child.log)}; the whole is in {child.log}")
        if time.monotonic() > deadline:
            raise StackError(f"{child.name} did not answer within {READY_S:.0f} s: see {child.log}")
        time.sleep(_POLL_S)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
