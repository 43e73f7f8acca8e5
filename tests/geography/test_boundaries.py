"""The outer islands belong, the neighbours do not, and coast towns are not lost to a coarse coast."""

import numpy as np
import pytest

from geolocate.geography.boundaries import boundary_of
from geolocate.geography.places import load_places
from geolocate.geography.regions import Region

UK_INSIDE = {
    "Belfast": (54.597, -5.930),
    "Derry": (54.998, -7.309),
    "Stornoway": (58.209, -6.387),
    "Kirkwall": (58.981, -2.960),
    "Lerwick": (60.155, -1.145),
    "St Mary's": (49.915, -6.315),
    "Lowestoft": (52.475, 1.752),
    "Millport": (55.755, -4.926),
}
UK_OUTSIDE = {
    "Dublin": (53.350, -6.260),
    "Letterkenny": (54.950, -7.734),
    "Bridgend, 2 km from Derry": (55.045, -7.380),
    "Douglas": (54.150, -4.480),
    "St Helier": (49.187, -2.107),
    "St Peter Port": (49.456, -2.536),
    "Calais": (50.951, 1.858),
    "North Sea": (56.0, 2.0),
    "New York": (40.7, -74.0),
}
US_INSIDE = {
    "Key West": (24.555, -81.780),
    "Honolulu": (21.307, -157.858),
    "Anchorage": (61.218, -149.900),
    "Attu, beyond 180 degrees": (52.90, 172.91),
    "Detroit": (42.331, -83.046),
    "El Paso": (31.759, -106.487),
}
US_OUTSIDE = {
    "Windsor, Ontario": (42.300, -83.020),
    "Ciudad Juarez": (31.690, -106.424),
    "San Juan, Puerto Rico": (18.466, -66.106),
    "Vancouver": (49.283, -123.121),
    "London": (51.5, -0.1),
}


@pytest.mark.parametrize(
    ("name", "places", "expected"),
    [("uk", UK_INSIDE, True), ("uk", UK_OUTSIDE, False), ("us", US_INSIDE, True), ("us", US_OUTSIDE, False)],
)
def test_what_belongs_and_what_does_not(
    name: str, places: dict[str, tuple[float, float]], expected: bool, request: pytest.FixtureRequest
) -> None:
    boundary = boundary_of(request.getfixturevalue(name))
    lat, lon = np.array(list(places.values())).T
    found = dict(zip(places, boundary.contains(lat, lon).tolist(), strict=True))
    assert found == dict.fromkeys(places, expected)


@pytest.mark.parametrize("name", ["uk", "us"])
def test_every_listed_place_is_inside(name: str, request: pytest.FixtureRequest) -> None:
    region: Region = request.getfixturevalue(name)
    places = load_places(region)
    outside = places[~boundary_of(region).contains(places["lat"], places["lon"])]
    assert outside["name"].tolist() == []


def test_admin_units_are_iso_gss_and_fips_codes(uk: Region, us: Region) -> None:
    british = boundary_of(uk).admin([51.456, 54.597, 53.35], [-1.275, -5.930, -6.26])
    assert british.iloc[0].tolist() == ["GB", "GB-ENG", "E06000037"]
    assert british.iloc[1].tolist() == ["GB", "GB-NIR", "N09000003"]
    assert british.iloc[2].tolist() == [None, None, None]
    american = boundary_of(us).admin([40.678, 21.307], [-73.944, -157.858])
    assert american.to_numpy().tolist() == [["US", "US-NY", "36047"], ["US", "US-HI", "15003"]]


@pytest.mark.parametrize(("name", "km2"), [("uk", 243_610), ("us", 9_147_593)])
def test_the_land_has_the_published_area(name: str, km2: float, request: pytest.FixtureRequest) -> None:
    area = sum(land.area for land in boundary_of(request.getfixturevalue(name)).land) / 1e6
    # The Census Bureau's land area leaves out inland water, some 2 % of the total; the drawn land has it.
    assert area == pytest.approx(km2, rel=0.03)


def test_the_outline_is_light_and_valid(uk: Region, us: Region) -> None:
    for region in (uk, us):
        outline = boundary_of(region).outline
        assert not outline.is_empty
        assert outline.bounds[1] > 15
