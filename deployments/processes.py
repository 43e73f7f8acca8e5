"""Start programs that outlive the one that started them, and stop them again, never another's.

In: a command, its environment and a log file. Out: a record that names the process by its id and its start
time, because ids are used again.
"""

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

# The start time is derived from the clock at boot, which may be corrected by a little later on.
_SAME_START_S = 2.0


class Child(BaseModel):
    """A process that the stack started."""

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int
    started: float
    log: Path


def start(name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path) -> Child:
    """Start the command in the folder and in a session of its own, writing what it says to the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Child(name=name, pid=process.pid, started=_start_time(process.pid), log=log)


def _start_time(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return time.time()


def is_running(child: Child) -> bool:
    """Tell whether this very process still runs."""
    return find(child) is not None


def find(child: Child) -> psutil.Process | None:
    """Return the process, or None when it has ended or its id now belongs to another."""
    try:
        process = psutil.Process(child.pid)
        same = abs(process.create_time() - child.started) < _SAME_START_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def stop(children: Iterable[Child], grace_s: float = 15.0) -> None:
    """Ask the processes to end, then their descendants, and kill what is left after the grace."""
    parents = [process for child in children if (process := find(child))]
    family = [*parents, *(descendant for process in parents for descendant in _descendants(process))]
    _ask_to_end(parents)
    _, alive = psutil.wait_procs(family, timeout=grace_s / 2)
    _ask_to_end(alive)
    _, alive = psutil.wait_procs(alive, timeout=grace_s / 2)
    for process in alive:
        _signal(process.kill)
    psutil.wait_procs(alive, timeout=5)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _ask_to_end(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        _signal(process.terminate)


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
