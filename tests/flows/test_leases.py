"""A second train-clip on a dataset version is refused with one line; when the first is killed, the way is free."""

import logging
import signal
import subprocess
import sys

from geolocate.storage import DataRoot, write_json
from tests.dataset.test_leases import HOLDS, VERSION


def test_a_second_train_clip_is_refused_and_runs_once_the_first_is_killed(
    tmp_path, prefect_server, monkeypatch, caplog
):
    from flows.train_clip import train_clip
    from tasks.learning import leased

    name, version = VERSION.split("@")
    card = {"name": name, "version": version, "created_at": "2026-01-01T00:00:00Z"}
    folder = DataRoot(tmp_path).dataset(name, version)
    folder.mkdir(parents=True)
    write_json(folder / "card.json", card)
    monkeypatch.setenv("GEOLOCATE_DATA", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        with caplog.at_level(logging.ERROR):
            state = train_clip(name, return_state=True)
        assert (state.type.value, state.name) == ("FAILED", "Refused")
        assert f"{VERSION} is being trained on by run 'merry-fox' (1234), process {first.pid}" in state.message
        assert "Traceback" not in caplog.text
        first.send_signal(signal.SIGKILL)
    with leased(name) as got:
        assert got == VERSION
