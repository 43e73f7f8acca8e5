"""The local stack: Prefect's server, a ``cpu`` and a ``gpu`` worker, and the emulator when no provider is chosen.

``python -m deployments.stack up | down | status | run COMMAND…``. What runs is written down as it is started, so
that `up` starts only what is missing and `down` stops everything, also after a crash.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from deployments import components, stores
from deployments.configuration import (
    CHECKOUT,
    POOLS,
    StackSettings,
    data_root,
    needs_emulator,
    server_url,
    stack_settings,
    without_proxy,
)
from deployments.orphans import settle_orphans
from deployments.processes import is_running, stop
from deployments.state import StackState, load_state, save_state, state_file
from geolocate.errors import GeolocateError, StackError
from geolocate.settings import settings_from_environment
from geolocate.storage import storage_error

Say = Callable[[str], None]

INTERRUPTED = 130
# Workers first, while the server still hears what became of their runs; last what it keeps them in.
_STOP_ORDER = ("worker-", "emulator", "services", "server", "redis", "postgres")


@dataclass(frozen=True)
class Addresses:
    """Where the parts of a running stack answer, and the environment for what runs against it."""

    ui: str
    api: str
    emulator: str
    environment: dict[str, str]


def up(root: Path, settings: StackSettings, say: Say) -> Addresses:
    """Start what is missing of the stack, and make the server hold this project's deployments."""
    with _alone(root), _undone_on_failure(root):
        before = load_state(root)
        addresses = _server_and_emulator(root, settings, say)
        if all(before.running(f"worker-{pool}") for pool in POOLS):
            say("the stack is up already; nothing was started")
            return addresses
        say("applying work pools, deployments and automations …")
        components.apply(root, addresses.environment)
        _workers(root, addresses, say)
        return addresses


def down(root: Path, say: Say) -> None:
    """Stop everything that `up` or `run` started here, with all that it started in turn."""
    with _alone(root):
        state = load_state(root)
        running = [child.name for child in state.children if is_running(child)]
        _stop_all(root, state)
    say(f"stopped: {', '.join(running)}" if running else "nothing was running")


@contextmanager
def temporary_stack(root: Path, settings: StackSettings, say: Say) -> Iterator[Addresses]:
    """Have a server, and the emulator when needed, for as long as the block lasts.

    A stack that is up already is used and left running. The history of runs stays under the data root. A taken
    port is replaced by a free one, since nobody has to know it beforehand.
    """
    with _alone(root):
        before = load_state(root)
        try:
            addresses = _server_and_emulator(root, _with_free_ports(settings, before), say)
            yield addresses
        finally:
            kept = {child.name for child in before.children if is_running(child)}
            _stop_all(root, load_state(root), keeping=kept)


def _server_and_emulator(root: Path, settings: StackSettings, say: Say) -> Addresses:
    state = load_state(root)
    is_new = not state.running("server")
    if is_new:
        state = _start_server(root, settings, state)
        say(f"starting the Prefect server on port {settings.ui_port} …")
    if needs_emulator(settings_from_environment()) and not state.running("emulator"):
        state = _start_emulator(root, settings.emulator_port, state)
        say(f"starting the emulator on port {settings.emulator_port} …")
    emulator = state.running("emulator")
    if emulator:
        components.wait_for_emulator(emulator, state.emulator_url)
    server = state.running("server")
    if not server:
        raise StackError(f"the server ended at its start: see {components.log_file(root, 'server')}")
    components.wait_for_server(server, state.server_url)
    if is_new:  # nobody can have worked while there was no server
        settle_orphans(state.server_url)
    return _addresses(root, state)


def _start_server(root: Path, settings: StackSettings, state: StackState) -> StackState:
    port = settings.ui_port
    if settings.stores == "sqlite":
        state = state.adding(components.start_server(root, port))
    else:
        state = _start_stores(root, settings, state)
        for child in stores.start_server_and_services(root, settings):
            state = state.adding(child)
    return _remember(root, state.model_copy(update={"server_url": server_url(port)}))


def _start_stores(root: Path, settings: StackSettings, state: StackState) -> StackState:
    """Start PostgreSQL and Redis, unless an earlier `up` has left them running."""
    if all(state.running(name) for name in ("postgres", "redis")):
        return state
    children = stores.start_stores(root, settings)
    for child in children:
        state = _remember(root, state.adding(child))
    stores.wait_for_stores(children, settings)
    return state


def _start_emulator(root: Path, port: int, state: StackState) -> StackState:
    child = components.start_emulator(root, port)
    return _remember(root, state.adding(child).model_copy(update={"emulator_url": components.emulator_url(port)}))


def _workers(root: Path, addresses: Addresses, say: Say) -> None:
    state = load_state(root)
    missing = [pool for pool in POOLS if not state.running(f"worker-{pool}")]
    say(f"starting workers: {', '.join(missing)} …")
    for pool in missing:
        state = _remember(root, state.adding(components.start_worker(root, pool, addresses.environment)))
    for pool in missing:
        worker = next(child for child in state.children if child.name == f"worker-{pool}")
        components.wait_for_worker(worker, addresses.api, pool)


def _remember(root: Path, state: StackState) -> StackState:
    save_state(root, state)
    return state


def _addresses(root: Path, state: StackState) -> Addresses:
    emulator = state.emulator_url if state.running("emulator") else ""
    environment = components.flow_environment(root, state.server_url, emulator)
    return Addresses(state.server_url.removesuffix("/api"), state.server_url, emulator, environment)


def _with_free_ports(settings: StackSettings, state: StackState) -> StackSettings:
    def chosen(port: int, name: str) -> int:
        return port if state.running(name) or components.is_free(port) else components.free_port()

    return settings.model_copy(
        update={
            "ui_port": chosen(settings.ui_port, "server"),
            "emulator_port": chosen(settings.emulator_port, "emulator"),
        }
    )


def _stop_all(root: Path, state: StackState, keeping: set[str] | None = None) -> None:
    kept = keeping or set()
    for prefix in _STOP_ORDER:
        if prefix == "server" and state.running("server") and "server" not in kept:
            _settle(state.server_url)
        stop([child for child in state.children if child.name.startswith(prefix) and child.name not in kept])
    save_state(
        root, state.model_copy(update={"children": tuple(child for child in state.children if child.name in kept)})
    )


def _settle(url: str) -> None:
    """Settle what the workers left, where the server still answers; the next start does it otherwise."""
    with suppress(requests.RequestException):
        settle_orphans(url)


@contextmanager
def _undone_on_failure(root: Path) -> Iterator[None]:
    """Stop what was started when the rest could not be, so that nothing half-started stays."""
    before = load_state(root)
    try:
        yield
    except BaseException:
        _stop_all(root, load_state(root), keeping={child.name for child in before.children if is_running(child)})
        raise


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep two of these commands from working on one data root at the same time."""
    path = state_file(root).with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise storage_error(path, error) from error
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another up, down or run is at work on {root}: wait for it, or stop it") from None
        yield


def status(root: Path, say: Say) -> bool:
    """Say what runs and where; tell whether the whole stack is up."""
    state = load_state(root)
    for child in state.children:
        say(f"{child.name:<12} {'running' if is_running(child) else 'ended'}  process {child.pid}  log {child.log}")
    whole = all(state.running(name) for name in ("server", *(f"worker-{pool}" for pool in POOLS)))
    say(f"the stack is up: {state.server_url.removesuffix('/api')}" if whole else "the stack is not up: run `make up`")
    return whole


def run(root: Path, settings: StackSettings, command: Sequence[str], say: Say) -> int:
    """Run a command against a stack that lives as long as the command, and return the command's exit code."""
    started = time.monotonic()
    with temporary_stack(root, settings, say) as addresses:
        say(f"runs can be watched at {addresses.ui} (ready after {time.monotonic() - started:.1f} s)")
        return _wait_for(subprocess.Popen(command, env=addresses.environment, cwd=CHECKOUT))


def _wait_for(command: subprocess.Popen[bytes]) -> int:
    """Let the command end in its own way, also when it is interrupted: the terminal tells it as well as us."""
    while True:
        try:
            return command.wait()
        except KeyboardInterrupt:
            continue
        except SystemExit:  # only we were told to end
            command.send_signal(signal.SIGINT)


def _say_up(addresses: Addresses, root: Path, say: Say) -> None:
    say(f"\nThe stack is up. Runs, logs and artifacts: {addresses.ui}")
    if addresses.emulator:
        say(f"Pictures come from the emulator at {addresses.emulator}: an emulated world, not photographs.")
    say(
        "Next, from this folder:\n"
        "  prefect deployment run collect-uk-grid\n"
        "  prefect deployment run train-clip\n"
        f"Logs: {root / 'logs'}   Stop everything: make down"
    )


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _command(arguments: Sequence[str]) -> int:
    root = data_root()
    match list(arguments):
        case ["up"]:
            _say_up(up(root, stack_settings(), _print), root, _print)
            return 0
        case ["down"]:
            down(root, _print)
            return 0
        case ["status"]:
            return 0 if status(root, _print) else 1
        case ["run", *command] if command:
            return run(root, stack_settings(), command, _print)
    raise StackError(f"unknown command {' '.join(arguments)!r}: use up, down, status, or run COMMAND…")


def main() -> int:
    """Run the command line; a user's mistake is one line on standard error and exit code 1."""
    os.environ.update(without_proxy())
    try:
        return _command(sys.argv[1:])
    except GeolocateError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what was started has been stopped again\n")
        return INTERRUPTED


if __name__ == "__main__":
    # A closing session must not leave anything behind either.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
