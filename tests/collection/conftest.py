"""A stand-in server and a data root for each test."""

import pytest

from geolocate.collection import CollectRequest, Pace
from geolocate.records import View, World
from geolocate.settings import Settings
from geolocate.storage import DataRoot
from tests.collection.stand_in import running_stand_in

KEY = "AIzaSecretKey0123456789"
SECRET = "vNIXE0xscrmjlyV-12Nj_BvUPaw="
VIEWS = tuple(View(heading, width=64, height=64) for heading in (0.0, 90.0, 180.0))


@pytest.fixture
def server():
    with running_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def root(tmp_path):
    return DataRoot(tmp_path / "data")


@pytest.fixture
def request_for(server):
    """Make a request to the stand-in; pauses are short so that tests are."""

    def make(name: str = "c", **changes) -> CollectRequest:
        settings = Settings(
            _env_file=None,
            street_view_url=server.url,
            world=World.EMULATED,
            google_key=KEY,
            google_signing_secret=SECRET,
        )
        pace = changes.pop("pace", Pace(per_second=2000, first_pause_s=0.01, longest_pause_s=0.2, refusals=4))
        return CollectRequest(name, settings, "uk", pace=pace, **{"views": VIEWS, **changes})

    return make
