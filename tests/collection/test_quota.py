"""What may be asked of a provider only so often a day."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from geolocate.collection import collect, validate_collection
from geolocate.collection.ledger import Ledger
from geolocate.collection.quota import DailyGuard
from geolocate.collection.writer import LedgerWriter
from geolocate.errors import ProviderError
from geolocate.providers import QuotaError
from geolocate.providers.google import GoogleStreetView
from geolocate.providers.google_access import google_endpoint
from geolocate.providers.sites import Site
from geolocate.records import World
from geolocate.settings import Settings
from tests.collection.stand_in import plan_of


def settings(**values) -> Settings:
    return Settings(_env_file=None, google_key="k", google_agreement="A-1", **values)


def test_only_unsigned_requests_to_google_itself_are_counted_by_the_day():
    google, emulator = Site(World.REAL), Site(World.EMULATED, "2")
    assert google_endpoint(settings(), google).images_a_day == 25_000
    assert google_endpoint(settings(google_signing_secret="c2VjcmV0"), google).images_a_day is None
    assert google_endpoint(settings(), emulator).images_a_day is None


def test_a_used_up_day_ends_cleanly_and_another_goes_on(root, server, request_for, monkeypatch):
    plan = plan_of(10)
    make = GoogleStreetView.__init__

    def limited(self, endpoint):
        make(self, endpoint)
        self.images_a_day = 7

    monkeypatch.setattr(GoogleStreetView, "__init__", limited)
    with pytest.raises(ProviderError, match=r"7 images of google .* GOOGLE_MAPS_SIGNING_SECRET"):
        collect(root, request_for(), plan)
    assert len(server.images) == 7
    monkeypatch.setattr("geolocate.collection.ledger.now", lambda: "2999-01-01T00:00:00Z")
    with pytest.raises(ProviderError):
        collect(root, request_for(), plan)
    assert len(server.images) == 14
    monkeypatch.setattr(GoogleStreetView, "__init__", make)
    assert collect(root, request_for(), plan).statuses == {"complete": 10}
    assert len(server.images) == 30
    assert validate_collection(root, "c").ok


def test_all_processes_of_a_root_share_the_count(root):
    def ask(times: int) -> int:
        async def run() -> int:
            with Ledger(root.ledger) as ledger:
                async with LedgerWriter(ledger) as writer:
                    guard = DailyGuard(writer)
                    told = await asyncio.gather(
                        *[guard.spend("tiles", 50) for _ in range(times)], return_exceptions=True
                    )
            return sum(not isinstance(one, QuotaError) for one in told)

        return asyncio.run(run())

    with ThreadPoolExecutor(3) as pool:
        passed = list(pool.map(ask, [40, 40, 40]))
    assert sum(passed) == 50
    with pytest.raises(QuotaError, match="tomorrow"):
        asyncio.run(one_more(root))


async def one_more(root) -> None:
    with Ledger(root.ledger) as ledger:
        async with LedgerWriter(ledger) as writer:
            await DailyGuard(writer).spend("tiles", 50)
