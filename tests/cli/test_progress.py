"""What a person sees of a collection at work: speed, money, pauses; lines where there is no terminal."""

import time

from geolocate.cli import progress
from geolocate.cli.progress import Pulse, shown_progress
from geolocate.collection import collect
from geolocate.collection.entries import Totals
from geolocate.storage import DataRoot
from tests.collection.conftest import request_for, root, server  # noqa: F401 - fixtures
from tests.collection.stand_in import plan_of


def test_the_pulse_tells_speed_and_money():
    pulse = Pulse(changed=0.0)
    pulse.beat(Totals(metadata_requests=50), 10.0)
    pulse.beat(Totals(metadata_requests=150), 12.0)
    assert pulse.text().startswith("50 requests/s")
    pulse = Pulse(changed=0.0)
    pulse.beat(Totals(150, 100, 700_000), 20.0)
    pulse.beat(Totals(150, 300, 2_100_000), 22.0)
    assert pulse.text() == "100 images/s, 300 images asked for, $2.10"


def test_the_pulse_tells_a_pause():
    pulse = Pulse(changed=0.0)
    for second in range(9):
        pulse.beat(Totals(10, 10, 70_000), float(second))
    assert pulse.text().endswith("nothing new for 8 s")
    pulse.beat(Totals(10, 11, 77_000), 9.0)
    assert "nothing new" not in pulse.text()


def test_where_there_is_no_terminal_lines_are_written_now_and_then(root, server, request_for, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(progress, "LOOK_S", 0.05)
    monkeypatch.setattr(progress, "LINE_S", 0.1)
    server.delay_s = 0.15
    with shown_progress(root, "c") as told:
        collect(root, request_for(concurrency=2), plan_of(8), told)
    lines = capsys.readouterr().err.splitlines()
    assert any("fetching pictures: " in line and "images asked for, $" in line for line in lines), lines
    assert all("\x1b" not in line for line in lines)


def test_a_collection_of_which_nothing_is_known_yet_is_no_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "LOOK_S", 0.01)
    monkeypatch.setattr(progress, "LINE_S", 0.02)
    with shown_progress(DataRoot(tmp_path), "c") as told:
        told("find", 0, 0)
        time.sleep(0.2)
    assert "finding panoramas: 0%" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
