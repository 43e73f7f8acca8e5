"""One training at a time on a dataset version, whatever becomes of the one that holds it."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from geolocate.dataset.leases import lease
from geolocate.errors import LeaseError
from geolocate.storage import DataRoot

VERSION = "uk-cities-50@0123456789ab"
HOLDS = f"""
import pathlib, sys, time
from geolocate.storage import DataRoot
from geolocate.dataset.leases import lease

with lease(DataRoot(pathlib.Path(sys.argv[1])), "{VERSION}", "run 'merry-fox' (1234)"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def root(tmp_path) -> DataRoot:
    return DataRoot(tmp_path)


@pytest.fixture
def holder(root) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDS, str(root.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_is_refused_at_once_and_told_who_holds_it_until_that_one_is_killed(root, holder, tmp_path_factory):
    with pytest.raises(LeaseError) as refused, lease(root, VERSION, "run 'second'"):
        pass
    told = str(refused.value)
    assert told.startswith(f"{VERSION} is being trained on by run 'merry-fox' (1234), process {holder.pid} on ")
    assert told.endswith(": wait until that has ended, or cancel it")
    assert "\n" not in told
    with lease(root, "uk-cities-50@ba9876543210", "run 'second'"):
        pass
    with lease(DataRoot(tmp_path_factory.mktemp("other")), VERSION, "run 'third'"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=20)
    fourth = pytest.raises(LeaseError, match="by run 'third', process")
    with lease(root, VERSION, "run 'third'"), fourth, lease(root, VERSION, "run 'fourth'"):
        pass


def test_it_ends_with_its_block_also_when_that_fails(root):
    with pytest.raises(ZeroDivisionError), lease(root, VERSION, "run 'first'"):
        1 / 0  # noqa: B018 - what fails does not matter
    with lease(root, VERSION, "run 'second'"):
        pass
