"""What all tests share: one Prefect harness, one emulator, and the rule that CI skips nothing unawares."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import requests

from deployments.components import free_port

os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# A shell that starts the suite in the background lets it ignore Ctrl-C, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
_unexpected_skips: list[str] = []


@pytest.fixture(scope="session")
def emulator_url(tmp_path_factory):
    """The address of a real emulator process with the key `emulator`."""
    port = free_port()
    log = tmp_path_factory.mktemp("emulator") / "emulator.log"
    command = [sys.executable, "-m", "geolocate.cli", "emulator", "--port", str(port), "--key", "emulator"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(process, f"{url}/health", log)
        yield url
        process.terminate()
        process.wait(timeout=20)


def _wait_until_healthy(process, url, log):
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session")
def prefect_server():
    """One temporary Prefect server for all tests that run flows."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


def pytest_runtest_logreport(report):
    """Remember the skips of a CI run that no one has given a reason for."""
    if not (report.skipped and os.environ.get("CI")):
        return
    allowed = tomllib.loads((HERE / "allowed_skips.toml").read_text())
    if not any(report.nodeid.startswith(prefix) for prefix in allowed):
        _unexpected_skips.append(f"{report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session):
    """Fail a CI run that skipped what is not listed."""
    if _unexpected_skips:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Name the unexpected skips."""
    for line in _unexpected_skips:
        terminalreporter.write_line(f"unexpected skip in CI: {line}", red=True)
