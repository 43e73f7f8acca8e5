"""Several machines keep one pace: Prefect's limit slows a collection down, and without one nothing is asked of it."""

import asyncio
import time

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from geolocate.collection import Pace, collect
from geolocate.errors import StackError
from geolocate.providers import PROVIDERS
from geolocate.settings import Settings
from geolocate.storage import DataRoot
from tasks import pace
from tasks.orders import CollectionOrder
from tests.collection.conftest import VIEWS
from tests.collection.stand_in import plan_of, running_stand_in

pytestmark = pytest.mark.usefixtures("prefect_server")


def make_limit(name: str, per_second: float, slots: int) -> None:
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=name, limit=slots, slot_decay_per_second=per_second)
        )


def take(name: str, turns: int) -> float:
    """Take turns as fast as they are granted; return the seconds."""

    async def all_of_them() -> None:
        granted = pace.ServerPace(name)
        for _ in range(turns):
            await granted()

    started = time.monotonic()
    asyncio.run(all_of_them())
    return time.monotonic() - started


def test_a_limit_slows_down_to_its_rate_over_two_processes() -> None:
    make_limit("slow", per_second=10, slots=10)
    one = take("slow", 10)
    rest = take("slow", 20)  # the same limit, another process's worth of state
    assert rest >= 1.5, f"{rest:.2f} s after {one:.2f} s"
    assert one + rest < 20


def test_a_collection_waits_for_the_server(tmp_path) -> None:
    make_limit("measured", per_second=15, slots=15)
    with running_stand_in() as server:
        settings = Settings(_env_file=None, street_view_url=server.url, world="emulated", google_key="k")
        from geolocate.collection import CollectRequest

        def seconds(name: str, source) -> float:
            request = CollectRequest(
                name, settings, "uk", VIEWS, pace=Pace(per_second=2000, first_pause_s=0.01, source=source)
            )
            started = time.monotonic()
            summary = collect(DataRoot(tmp_path / name), request, plan_of(12, draws=1))
            assert summary.images == 36
            return time.monotonic() - started

        alone = seconds("alone", None)
        together = seconds("together", pace.ServerPace("measured"))
    assert together > alone + 1.0, f"{together:.1f} s beside {alone:.1f} s"


def test_without_a_limit_nothing_waits_and_the_server_is_asked_once() -> None:
    assert take("unknown", 5_000) < 5


def test_a_limit_that_frees_nothing_is_one_line_with_the_command() -> None:
    make_limit("stuck", per_second=0, slots=5)
    with pytest.raises(StackError, match="prefect gcl update stuck --slot-decay-per-second"):
        take("stuck", 1)


def test_a_limit_smaller_than_a_batch_is_taken_in_parts() -> None:
    make_limit("small", per_second=50, slots=3)
    assert take("small", 12) < 20


def test_at_the_fastest_pace_the_server_costs_little() -> None:
    """Time asking for turns, beside the time that the turns last: orchestration stays below a few percent."""
    make_limit("fast", per_second=100_000, slots=400_000)
    seconds = take("fast", 2 * 200_000 + 1)
    assert seconds / 1_000 < 0.02  # 400 a second would make 400,000 turns last 1,000 s


def test_an_order_takes_its_turns_from_the_limit_of_its_provider(monkeypatch) -> None:
    monkeypatch.setenv("GEOLOCATE_PROVIDER", "google")
    order = CollectionOrder.model_validate({"plan": {}, "provider": "panoramax"})
    assert order.request().pace.source is pace.pace_of("panoramax")
    for same_quota in (None, "google-streetview"):
        order = CollectionOrder.model_validate({"plan": {}, "provider": same_quota})
        assert order.request().pace.source is pace.pace_of("google")


def test_applying_makes_a_limit_for_every_provider_with_an_address_and_keeps_what_is_there() -> None:
    from deployments.apply import apply_limits

    with get_client(sync_client=True) as client:
        apply_limits(client)
        client.update_global_concurrency_limit("google", _changed(limit=7))
        apply_limits(client)
        limits = {limit.name: limit for limit in client.read_global_concurrency_limits(limit=200)}
        assert limits["google"].limit == 7
        for source in PROVIDERS.values():
            assert (source.client.name in limits) == bool(source.addresses)
        assert limits["panoramax"].slot_decay_per_second == PROVIDERS["panoramax"].client.requests_per_second
        for name in PROVIDERS:
            if name in limits:
                client.delete_global_concurrency_limit_by_name(name)


def _changed(**fields):
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

    return GlobalConcurrencyLimitUpdate(**fields)
