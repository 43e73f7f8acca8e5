"""No secret in anything that a run leaves behind: the data root, Prefect's database, what is printed, process lists.

The runs are real, and go wrong in every way: a refused key, a server that resets, a server that is not there.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

from deployments.components import free_port
from geolocate.storage import DataRoot
from tests.flows.traces import SECRETS, command_lines, forms_of, secrets_in, secrets_under

FAULTS = ("reset=0.1", "http_403=0.05", "http_400=0.03", "truncated=0.05", "redirect=0.05", "error_picture=0.05")
SAMPLE = {"top": 2, "per_place": 3}
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """An emulator that checks signatures and goes wrong; its own command line names no secret."""
    folder = tmp_path_factory.mktemp("faulty")
    secret = folder / "secret"
    secret.write_text(SECRETS["GOOGLE_MAPS_SIGNING_SECRET"])
    port = free_port()
    command = [sys.executable, "-m", "geolocate.cli", "emulator", "--port", str(port)]
    command += ["--signing-secret-file", str(secret), *[word for fault in FAULTS for word in ("--fault", fault)]]
    log = folder / "emulator.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url)
        yield url
        process.terminate()
        process.wait(timeout=20)
    assert not secrets_in(log.read_bytes())


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            if requests.get(f"{url}/health", timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(url)


@pytest.fixture
def processes():
    """The command lines of all processes, looked at ten times a second while a test runs."""
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            seen.update(command_lines())

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    over.set()
    thread.join()


def environment_of(data: Path, url: str) -> dict[str, str]:
    addresses = ("GEOLOCATE_STREET_VIEW_URL", "GEOLOCATE_MAPILLARY_URL", "GEOLOCATE_MAPILLARY_TILES_URL")
    return {**SECRETS, **dict.fromkeys(addresses, url), "GEOLOCATE_WORLD": "emulated", "GEOLOCATE_DATA": str(data)}


def test_the_forms_are_found_where_they_hide():
    import base64

    for name, secret in SECRETS.items():
        for body in (
            f"https://host/path?key={secret}&x=1".encode(),
            base64.b64encode(f'{{"a": "{secret}", "b": 1}}'.encode()),
            base64.urlsafe_b64encode(f"_{secret} and more of it".encode()),
        ):
            assert secrets_in(body) == [name]
        assert len(forms_of(secret)) > 4
    assert secrets_in(b"nothing to see") == []


def test_the_command_line_leaves_no_secret(tmp_path, faulty, emulator_url, processes):
    sample = ("--top", "2", "--per-place", "3", "--region", "uk")
    # The key is not one of the other emulator's; and at the last address nobody answers.
    ends = {
        ("google", faulty): None,
        ("google", emulator_url): 1,
        ("google", NOBODY): 1,
    }
    said = []
    for seed, ((provider, url), code) in enumerate(ends.items()):
        words = ("collect", "--name", f"c{seed}", "--seed", str(seed), "--provider", provider, *sample)
        done = _geolocate(*words, cwd=tmp_path, environment=environment_of(tmp_path / "data", url))
        assert code in (None, done.returncode), done.stdout + done.stderr
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        said.append(done.stdout + done.stderr)
    done = _geolocate("validate", "c0", cwd=tmp_path, environment=environment_of(tmp_path / "data", faulty))
    said.append(done.stdout + done.stderr)
    root = DataRoot(tmp_path / "data")
    assert any(root.path.glob("store/images/*/*")), "the run with faults has fetched nothing: it proves nothing"
    for text in said:
        assert not secrets_in(text), text.decode()
    assert not secrets_under(tmp_path)
    assert any(b"geolocate.cli data collect" in line for line in processes)
    assert not [line for line in processes if secrets_in(line)]


def _geolocate(*words: str, cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GEOLOCATE_", "GOOGLE_"))}
    return subprocess.run(
        [sys.executable, "-m", "geolocate.cli", "data", *words],
        cwd=cwd,
        env=kept | environment,
        capture_output=True,
        check=False,
        timeout=240,
    )


def test_a_run_of_prefect_leaves_no_secret(tmp_path, faulty, emulator_url, prefect_server, monkeypatch, caplog, capfd):
    from flows.collect_uk_cities_50 import collect_uk_cities_50

    caplog.set_level(logging.DEBUG)
    states = []
    for provider, url in (("google", faulty), ("google", emulator_url), ("mapillary", emulator_url)):
        for name, value in environment_of(tmp_path / "data", url).items():
            monkeypatch.setenv(name, value)
        states.append(collect_uk_cities_50(**SAMPLE, seed=len(states), provider=provider, return_state=True))
    assert [state.type.value for state in states[1:]] == ["FAILED", "FAILED"]
    database = _database()
    deadline = time.monotonic() + 20
    while b"GOOGLE_MAPS_API_KEY" not in _dump(database) and time.monotonic() < deadline:
        time.sleep(0.5)  # logs reach the server a moment after the run
    assert b"GOOGLE_MAPS_API_KEY" in _dump(database), "the log of the refused run is not there: this proves nothing"
    assert not secrets_in(_dump(database))
    assert not secrets_under(database.parent)
    assert not secrets_under(tmp_path)
    printed = capfd.readouterr()
    for text in (caplog.text, printed.out, printed.err, *[str(state) for state in states]):
        assert not secrets_in(text.encode())


def _database() -> Path:
    return Path(str(PREFECT_API_DATABASE_CONNECTION_URL.value()).split("///", 1)[1])


def _dump(path: Path) -> bytes:
    """The whole of Prefect's database as SQL: parameters, states, logs, artifacts."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path, timeout=30)) as database:
        return "\n".join(database.iterdump()).encode()
