"""Turns, pauses and ends that several processes share."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from geolocate.collection.shared_pace import SharedPace

PER_SECOND = 200.0


def workers(path, count, seconds):
    command = [sys.executable, "-m", "tests.collection.pace_worker", str(path), str(seconds), str(PER_SECOND)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = [subprocess.Popen(command, text=True, **pipes) for _ in range(count)]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    # How long a process takes to start is the machine's business: they begin together.
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    return started


def lines_of(processes):
    return [line for process in processes for line in process.communicate(timeout=30)[0].split("\n") if line]


def test_all_processes_together_keep_the_rate_also_when_some_are_killed(tmp_path):
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    started = workers(tmp_path / "pace", 4, 2.0)
    for process in started[:2]:
        time.sleep(dice.uniform(0, 0.5))
        os.kill(process.pid, signal.SIGKILL)
    killed = time.monotonic()
    moments = np.sort([float(line) for line in lines_of(started)])
    gaps = moments - moments[0]
    # In any window that begins with a request: the burst, and what the rate gives; 5 for the sleeper's imprecision.
    most = max(np.searchsorted(gaps, start + 0.5) - place for place, start in enumerate(gaps))
    assert most <= 10 + 0.5 * PER_SECOND + 5, f"seed {seed}"
    assert (moments > killed + 0.2).any(), f"seed {seed}: the survivors did not go on"


def test_a_pause_holds_for_everybody(tmp_path):
    started = workers(tmp_path / "pace", 2, 1.2)
    with SharedPace(tmp_path / "pace", "fetch") as shared:
        time.sleep(0.3)
        shared.pause(0.5, most=12, reason="quota")
        begun = time.monotonic()
    moments = np.array([float(line) for line in lines_of(started)])
    # A turn that was given before the pause may still be slept for.
    assert not ((moments > begun + 0.1) & (moments < begun + 0.45)).any()
    assert (moments > begun + 0.5).any()


def test_one_refused_account_ends_every_process(tmp_path):
    started = workers(tmp_path / "pace", 2, 5.0)
    with SharedPace(tmp_path / "pace", "fetch") as shared:
        for _ in range(4):
            shared.refused(4, "the key was revoked")
    assert [line for line in lines_of(started) if "revoked" in line] == ["ended the key was revoked"] * 2


def test_a_later_run_is_not_held_to_an_earlier_end(tmp_path):
    with SharedPace(tmp_path / "pace", "fetch") as shared:
        shared.refused(1, "no")
        assert shared.held().ended == "no"
    with SharedPace(tmp_path / "pace", "fetch") as again:
        assert not again.held().ended


def test_answers_to_searches_do_not_excuse_refused_pictures(tmp_path):
    with SharedPace(tmp_path / "pace", "fetch") as fetching, SharedPace(tmp_path / "pace", "find") as finding:
        for _ in range(3):
            fetching.refused(4, "billing is off")
            finding.answered()
        assert not fetching.held().ended
        fetching.refused(4, "billing is off")
        assert fetching.held().ended == "billing is off"


@pytest.mark.parametrize("left", [b"", b"half a fi", b"\xff" * 4096, b"text " * 1000])
def test_a_damaged_file_begins_anew(tmp_path, left):
    (tmp_path / "pace").write_bytes(left)
    with SharedPace(tmp_path / "pace", "fetch") as shared:
        turn = shared.turn(PER_SECOND, burst=10)
        assert turn.pause_s == 0
        assert turn.wait_s < 1


def test_turns_of_before_a_reboot_do_not_count(tmp_path, monkeypatch):
    with SharedPace(tmp_path / "pace", "fetch") as shared:
        ahead = time.monotonic() + 90 * 86_400
        monkeypatch.setattr("geolocate.collection.shared_pace.time.monotonic", lambda: ahead)
        shared.pause(60, most=12, reason="quota")
        monkeypatch.undo()
        assert shared.held().pause_s == 0
