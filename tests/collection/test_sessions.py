"""What killed processes leave behind goes; what is at work stays."""

import os
import subprocess
import sys

from geolocate.collection.sessions import Session

_KILLED = (
    "import os, signal, sys; from pathlib import Path; from geolocate.collection.sessions import Session\n"
    "print(Session(Path(sys.argv[1])).name, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
)


def test_a_killed_session_s_file_goes_after_an_hour_and_a_living_one_s_stays(tmp_path):
    ledger = tmp_path / "ledger.sqlite"
    living = Session(ledger)
    done = subprocess.run([sys.executable, "-c", _KILLED, str(ledger)], check=False, capture_output=True, text=True)
    killed, folder = done.stdout.strip(), tmp_path / "sessions"
    Session(ledger).close()
    assert {path.stem for path in folder.iterdir()} == {living.name, killed}  # it may only just have begun
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    latest = Session(ledger)
    assert {path.stem for path in folder.iterdir()} == {living.name, latest.name}
    assert latest.is_alive(living.name)
    assert not latest.is_alive(killed)
    latest.close()
    living.close()
