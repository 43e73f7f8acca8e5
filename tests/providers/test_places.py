"""Which pictures make the place nearest to a point."""

from hypothesis import given
from hypothesis import strategies as st

from geolocate.geography.distances import haversine_km
from geolocate.providers.places import APART_DEGREES, MOST_VIEWS, PLACE_M, Sighting, pictures_of_place
from geolocate.records import SamplePoint

POINT = SamplePoint("p", 0, "g", 51.5, -0.1, 60.0, 1.0)

SIGHTINGS = st.lists(
    st.builds(
        lambda north, east, azimuth, kind: (POINT.lat + north / 111_195, POINT.lon + east / 69_000, azimuth, kind),
        st.floats(-90, 90),
        st.floats(-90, 90),
        st.none() | st.floats(0, 359.9),
        st.sampled_from(["a", "b"]),
    ),
    max_size=12,
).map(lambda rows: [Sighting(f"s{number}", *row) for number, row in enumerate(rows)])


def metres(one, other):
    return 1000 * float(haversine_km(one.lat, one.lon, other.lat, other.lon))


@given(SIGHTINGS, st.randoms())
def test_a_place_holds_what_it_promises_in_whatever_order_the_pictures_come(sightings, random):
    place = pictures_of_place(POINT, sightings)
    shuffled = list(sightings)
    random.shuffle(shuffled)
    assert pictures_of_place(POINT, shuffled) == place
    within = [one for one in sightings if metres(POINT, one) <= POINT.radius_m]
    assert bool(place) == bool(within)
    if not place:
        return
    nearest = min(metres(POINT, one) for one in within)
    assert len(place) <= MOST_VIEWS
    assert metres(POINT, place[0]) <= nearest + PLACE_M + 0.01
    assert all(metres(place[0], one) <= PLACE_M for one in place)
    assert len({one.kind for one in place}) == 1
    if len(place) > 1 or place[0].azimuth is not None:
        azimuths = [one.azimuth for one in place]
        assert None not in azimuths
        gaps = [abs((a - b + 180) % 360 - 180) for number, a in enumerate(azimuths) for b in azimuths[:number]]
        assert min(gaps, default=APART_DEGREES) >= APART_DEGREES - 1e-6


def test_the_place_is_named_after_the_nearest_flat_photograph():
    pictures = [Sighting("far", 51.5002, -0.1, 0.0), Sighting("near", 51.5001, -0.1, 180.0)]
    assert [one.source_id for one in pictures_of_place(POINT, pictures)] == ["near", "far"]
