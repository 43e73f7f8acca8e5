"""A user's mistake is one clear line and a non-zero exit code, never a traceback."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.collection.stand_in import running_stand_in

CASES = {
    "unknown region": (["data", "plan", "--region", "fr"], "region 'fr'.*uk"),
    "cell size of 0": (["data", "plan", "--kind", "grid", "--cell-km", "0"], "0"),
    "an option of another kind": (["data", "plan", "--cell-km", "20"], "cell_km 20.* grid"),
    "a table of points and a sample": (["data", "plan", "--points", "absent.csv", "--top", "3"], "--top.*--points"),
    "a plan as a spreadsheet": (["data", "plan", "--top", "2", "--out", "plan.xlsx"], r"plan\.xlsx.*\.parquet"),
    "more cities than there are": (["data", "plan", "--top", "100000"], "100000"),
    "no dataset": (["model", "train", "--dataset", "absent"], "no dataset 'absent'"),
    "no collection": (["set", "publish", "absent", "--name", "x"], "no manifest in"),
    "unknown level": (["set", "publish", "absent", "--name", "x", "--level", "street"], "street.*city"),
    "a name that leaves the root": (["set", "show", "../../etc"], "letters, digits"),
    "no run": (["model", "evaluate", "absent"], "absent"),
    "no such photograph": (["predict", "--emulated", "absent.jpg"], "absent"),
}


def run(arguments, folder, **environment):
    """Run the command line as a user would, in an empty folder, without anybody's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GEOLOCATE_", "GOOGLE_"))}
    command = [sys.executable, "-m", "geolocate.cli", *arguments]
    return subprocess.run(
        command, cwd=folder, env=kept | environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_one_line(name, command):
    words, expected = CASES[name]
    code, printed = command(words)
    assert code == 1
    assert_one_line(printed.err, expected)


def test_a_mistake_is_one_line_of_the_program_too(tmp_path):
    arguments, expected = CASES["unknown region"]
    done = run(arguments, tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert_one_line(done.stderr, expected)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "GOOGLE_MAPS_API_KEY|GEOLOCATE_GOOGLE_AGREEMENT"),
        ({"GOOGLE_MAPS_API_KEY": "AIza-secret"}, "GEOLOCATE_GOOGLE_AGREEMENT"),
        ({"GEOLOCATE_STREET_VIEW_URL": "http://127.0.0.1:9"}, "GEOLOCATE_WORLD"),
        ({"GEOLOCATE_STREET_VIEW_URL": "http://127.0.0.1:9", "GEOLOCATE_WORLD": "emulated"}, "geolocate emulator|KEY"),
        ({"GEOLOCATE_WORLD": "martian"}, "GEOLOCATE_WORLD"),
        ({"GEOLOCATE_PROVIDER": "bing"}, "bing.*google"),
    ],
)
def test_no_key_no_agreement_no_world_and_no_emulator_are_told_apart(environment, expected, command):
    code, printed = command(["data", "collect", "--name", "x", "--top", "2", "--per-place", "1"], environment)
    assert code == 1
    assert "AIza-secret" not in printed.out + printed.err
    assert_one_line(printed.err, expected)


def test_a_wrong_key_is_one_line_that_names_the_setting(command, emulator_url):
    settings = {"GEOLOCATE_STREET_VIEW_URL": emulator_url, "GEOLOCATE_WORLD": "emulated", "GOOGLE_MAPS_API_KEY": "no"}
    code, printed = command(["data", "collect", "--name", "x", "--top", "2", "--per-place", "3"], settings)
    assert code == 1
    assert_one_line(printed.err, "GOOGLE_MAPS_API_KEY")


def test_a_port_in_use_is_one_line_with_the_port(command, emulator_url):
    port = emulator_url.rsplit(":", 1)[1]
    code, printed = command(["emulator", "--port", port])
    assert code == 1
    assert_one_line(printed.err, port)


def test_an_interrupted_command_says_that_it_can_go_on(tmp_path):
    with running_stand_in() as server:
        server.delay_s = 0.5
        settings = {"GEOLOCATE_STREET_VIEW_URL": server.url, "GEOLOCATE_WORLD": "emulated", "GOOGLE_MAPS_API_KEY": "k"}
        words = ["data", "collect", "--name", "x", "--top", "2", "--per-place", "9", "--concurrency", "1"]
        command = [sys.executable, "-m", "geolocate.cli", *words]
        environment = os.environ | settings | {"PYTHONPATH": str(Path(__file__).parents[2])}
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as collecting:
            deadline = time.monotonic() + 60
            while not server.images and time.monotonic() < deadline:
                time.sleep(0.05)
            collecting.send_signal(signal.SIGINT)
            _, said = collecting.communicate(timeout=60)
    assert collecting.returncode == 130
    assert said == "interrupted: finished work is kept, run the same command again to go on\n"


def assert_one_line(stderr, expected):
    lines = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, stderr
    assert re.search(expected, lines[0]), lines[0]
