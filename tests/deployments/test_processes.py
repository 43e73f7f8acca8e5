"""Processes are started to last, stopped with all their descendants, and never mistaken for another's."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deployments.processes import Child, is_running, start, stop

SPAWNS_ANOTHER = """
import signal, subprocess, sys, time
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def _wait_for_pid(log: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if text := log.read_text().strip():
            return int(text)
        time.sleep(0.05)
    raise AssertionError("the process said nothing")


@pytest.mark.parametrize("stubborn", [False, True])
def test_stop_ends_the_whole_family(tmp_path: Path, stubborn: bool) -> None:
    log = tmp_path / "logs" / "one.log"
    code = SPAWNS_ANOTHER.format(stubborn=stubborn)
    child = start("one", [sys.executable, "-c", code], os.environ, log, tmp_path)
    grandchild = _wait_for_pid(log)
    assert is_running(child)
    stop([child], grace_s=1)
    assert not is_running(child)
    assert not psutil.pid_exists(grandchild)


def test_a_process_that_got_a_used_id_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        stale = Child(name="server", pid=stranger.pid, started=time.time() - 86_400, log=tmp_path / "log")
        assert not is_running(stale)
        stop([stale])
        assert stranger.poll() is None
        stranger.kill()


def test_a_program_that_ends_at_once_is_not_running(tmp_path: Path) -> None:
    child = start("short", [sys.executable, "-c", "pass"], os.environ, tmp_path / "log", tmp_path)
    psutil.wait_procs([psutil.Process(child.pid)] if psutil.pid_exists(child.pid) else [], timeout=20)
    assert not is_running(child)
