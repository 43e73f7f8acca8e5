"""Say what a region holds, and whether its files load and agree.

In: a region. Out: facts for people, and findings, the wrong ones apart from the notes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import shapely

from geolocate.errors import GeolocateError
from geolocate.geography.boundaries import admin_units, boundary_of
from geolocate.geography.grids import grid_cells
from geolocate.geography.partition import partition_version
from geolocate.geography.places import dropped_places, load_places, real_places
from geolocate.geography.projections import geometry_to_degrees, geometry_to_metres
from geolocate.geography.regions import Region
from geolocate.geography.suburbs import merge_suburbs
from geolocate.geography.zoning import MOST_AREA_ERROR, MOST_STRETCH, distortion, extent_of

_LISTED = 10
_DIAGONAL_SLACK = 0.25
_MOST_BEYOND = 0.001  # a rock in the ocean may be left out


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a region that a person should know; ``is_wrong`` says that it must be mended."""

    what: str
    is_wrong: bool


def describe_region(region: Region) -> dict[str, Any]:
    """Return what a region holds, as words and numbers in the order in which they are told."""
    boundary, places = boundary_of(region), real_places(region)
    largest = ", ".join(
        f"{row.name_} {row.population:,}" for row in places.head(5).rename(columns={"name": "name_"}).itertuples()
    )
    return {
        "title": region.title,
        "country": region.country,
        "crs": ", ".join(zone.crs for zone in region.zones),
        "land, km²": round(sum(land.area for land in boundary.land) / 1e6),
        "diagonal, km": region.diagonal_km,
        "usual cell, km": region.grid_km,
        "cells": len(grid_cells(region, region.grid_km)),
        "coast tolerance, m": region.coast_tolerance_m,
        "admin units": len(admin_units(region)),
        "places": len(places),
        "dropped places": len(dropped_places(region)),
        "largest": largest,
        "levels": ", ".join(region.levels),
        "partition": partition_version(region),
        "data": str(region.data),
    }


def check_region(region: Region) -> list[Finding]:
    """Load everything of a region, and return what is wrong or worth knowing; empty when all is well."""
    findings: list[Finding] = []
    for examine in (_zones, _land, _places, _admin, _cells):
        try:
            findings.extend(examine(region))
        except GeolocateError as error:
            findings.append(Finding(str(error), is_wrong=True))
    return findings


def _zones(region: Region) -> Iterator[Finding]:
    prefixes = [zone.id_prefix for zone in region.zones]
    if len(set(prefixes)) < len(prefixes):
        yield Finding(f"zones share an id_prefix ({', '.join(map(repr, prefixes))}): cells would share ids", True)
    for zone, land in zip(region.zones, boundary_of(region).land, strict=True):
        if land.is_empty:
            yield Finding(f"zone {zone.name!r} has no land in boundary.parquet", True)
            continue
        found = distortion(zone.crs, geometry_to_degrees(zone.crs, land))
        if found.area_error > MOST_AREA_ERROR:
            yield Finding(f"crs {zone.crs} is not equal-area: areas are up to {found.area_error:.1%} off", True)
        if found.stretch > MOST_STRETCH:
            yield Finding(
                f"crs {zone.crs} stretches the ground by up to {found.stretch - 1:.1%}: buffers may be that much "
                "narrower than promised",
                False,
            )


def _land(region: Region) -> Iterator[Finding]:
    diagonals = [extent_of(boundary_of(region).outline).diagonal_km]
    for zone, land in zip(region.zones, boundary_of(region).land, strict=True):
        degrees = geometry_to_degrees(zone.crs, land)
        diagonals.append(extent_of(degrees).diagonal_km)
        boxes = shapely.union_all([shapely.box(west, south, east, north) for south, west, north, east in zone.boxes])
        beyond = shapely.get_parts(degrees)
        beyond = beyond[~shapely.covers(boxes, beyond)]
        if len(beyond):
            share = (
                geometry_to_metres(zone.crs, shapely.difference(shapely.multipolygons(beyond), boxes)).area / land.area
            )
            yield Finding(
                f"{share:.2%} of the land of zone {zone.name!r} lies outside its boxes, and no position there belongs "
                "to the region",
                share > _MOST_BEYOND,
            )
    # The scale may be that of one zone: nobody spans the contiguous United States and Hawaii with one error.
    if not any(abs(region.diagonal_km / diagonal - 1) <= _DIAGONAL_SLACK for diagonal in diagonals):
        yield Finding(f"diagonal_km is {region.diagonal_km:g}; the land's box has {diagonals[0]:.0f}", False)


def _places(region: Region) -> Iterator[Finding]:
    places = load_places(region)
    inside = boundary_of(region).contains(places["lat"], places["lon"])
    if not inside.all():
        names = ", ".join(places.loc[~inside, "name"].head(_LISTED))
        yield Finding(
            f"{int((~inside).sum())} of {len(places)} places lie outside the boundary: {names}"
            f"{', …' if (~inside).sum() > _LISTED else ''}",
            True,
        )
    without = int((places["population"] <= 0).sum())
    if without:
        yield Finding(f"{without} of {len(places)} places have no population and are dropped", False)
    known = real_places(region)
    if len(known) < 2:
        yield Finding(f"{len(known)} places have people: cities need two at least", True)
    elif not merge_suburbs(region, known.head(2 * _LISTED))["parent_id"].nunique() > 1:
        yield Finding("all of the largest places are suburbs of one city: there is one class only", False)


def _admin(region: Region) -> Iterator[Finding]:
    units = admin_units(region)
    known = set(units["admin2"])
    for area in region.merging.areas:
        unknown = sorted(set(area.admin2) - known)
        if unknown:
            yield Finding(f"area {area.name!r} names admin2 {unknown[0]!r}, which admin.parquet does not have", True)
        if area.parent_id not in set(load_places(region)["place_id"]):
            yield Finding(f"area {area.name!r} names place {area.parent_id!r}, which places.csv does not have", True)


def _cells(region: Region) -> Iterator[Finding]:
    cells = grid_cells(region, region.grid_km)
    if len(cells) < 2:
        yield Finding(f"grid_km {region.grid_km:g} gives {len(cells)} cell: choose a smaller one", True)
