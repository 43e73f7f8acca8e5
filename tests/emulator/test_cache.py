"""Finished pictures are kept, within bounds."""

import requests
from hypothesis import given
from hypothesis import strategies as st

from geolocate.emulator.cache import PictureCache


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40))))
def test_the_cache_keeps_the_newest_pictures_within_its_bytes(puts: list[tuple[int, int]]) -> None:
    cache = PictureCache(max_bytes=100)
    for key, size in puts:
        cache.put(key, bytes(size))
    kept = {key: body for key in range(10) if (body := cache.get(key)) is not None}
    assert sum(map(len, kept.values())) <= 100
    newest = dict(puts)
    assert all(len(body) == newest[key] for key, body in kept.items())
    if puts:
        assert puts[-1][0] in kept


def test_what_was_asked_for_lately_outlasts_what_was_not() -> None:
    cache = PictureCache(max_bytes=100)
    cache.put("old", bytes(40))
    cache.put("used", bytes(40))
    assert cache.get("old") is not None
    cache.put("new", bytes(40))
    assert cache.get("old") is not None
    assert cache.get("used") is None


def test_asking_again_draws_nothing_and_gives_the_same_bytes(emulator: str) -> None:
    query = {"location": "51.752,-1.258", "size": "120x100", "heading": "40", "key": "any"}
    first = requests.get(f"{emulator}/maps/api/streetview", params=query, timeout=60).content
    drawn = requests.get(f"{emulator}/counters", timeout=60).json()["drawn"]
    again = requests.get(f"{emulator}/maps/api/streetview", params=query, timeout=60).content
    assert again == first
    other = requests.get(f"{emulator}/maps/api/streetview", params=query | {"heading": "41"}, timeout=60).content
    assert other != first
    assert requests.get(f"{emulator}/counters", timeout=60).json()["drawn"] == drawn + 1
