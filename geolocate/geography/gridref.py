"""National grid references as human names of ground: "SU 4 6" is what a British map calls a square of 10 km.

In: a position. Out: the letters and figures of its 10 km square on the British National Grid, or on the Irish Grid
in Northern Ireland. They name, and compute nothing: the projections are applied without a datum shift grid, which
may put a position some 100 m away, and so into the next square if it lies on the edge of one.
"""

from functools import cache

from pyproj import Transformer

# A seven-parameter shift, so that no grid file is needed: OSGB36 (OS, "A guide to coordinate systems", 2020) and
# Ireland 1965 (the parameters that the EPSG registry lists as 1641).
_BRITISH = (
    "+proj=tmerc +lat_0=49 +lon_0=-2 +k=0.9996012717 +x_0=400000 +y_0=-100000 +ellps=airy "
    "+towgs84=446.448,-125.157,542.06,0.15,0.247,0.842,-20.489"
)
_IRISH = (
    "+proj=tmerc +lat_0=53.5 +lon_0=-8 +k=1.000035 +x_0=200000 +y_0=250000 +ellps=mod_airy "
    "+towgs84=482.5,-130.6,564.6,-1.042,-0.214,-0.631,8.15"
)
_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # no I


def grid_reference(grid: str, lat: float, lon: float) -> str:
    """Return the 10 km square's reference on the british or irish grid, "" on none or beyond it."""
    if grid == "irish":
        east, north = _from_degrees(_IRISH, lat, lon)
        if not (0 <= east < 500_000 and 0 <= north < 500_000):
            return ""
        letters = _letter(int(east // 100_000), int(north // 100_000))
    elif grid == "british":
        east, north = _from_degrees(_BRITISH, lat, lon)
        column, row = int(east // 100_000), int(north // 100_000)
        if not (0 <= column < 10 and 0 <= row < 15):
            return ""
        # The first letter names a 500 km square, counted from a false origin two columns west and one row south.
        letters = _letter((column + 10) // 5, (row + 5) // 5) + _letter(column % 5, row % 5)
    else:
        return ""
    return f"{letters} {int(east % 100_000 // 10_000)}{int(north % 100_000 // 10_000)}"


def _from_degrees(crs: str, lat: float, lon: float) -> tuple[float, float]:
    east, north = _transformer(crs).transform(lon, lat)
    return float(east), float(north)


@cache
def _transformer(crs: str) -> Transformer:
    return Transformer.from_crs("+proj=longlat +ellps=WGS84 +towgs84=0,0,0", crs, always_xy=True)


def _letter(column: int, row: int) -> str:
    return _LETTERS[(4 - row) * 5 + column]
