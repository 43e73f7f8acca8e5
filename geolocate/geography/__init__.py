"""The ground: regions and their boundaries, grids, places, suburbs, names, partition and distances."""

from geolocate.geography.boundaries import boundary_of
from geolocate.geography.distances import geometric_median, haversine_km
from geolocate.geography.grids import cell_ids, grid_cells
from geolocate.geography.partition import assert_no_shared_ground, ground_partition, partition_version
from geolocate.geography.places import dropped_places, load_places, top_places
from geolocate.geography.regions import Region, load_region, region_names
from geolocate.geography.suburbs import merge_suburbs
from geolocate.geography.towns import town_names

__all__ = [
    "Region",
    "assert_no_shared_ground",
    "boundary_of",
    "cell_ids",
    "dropped_places",
    "geometric_median",
    "grid_cells",
    "ground_partition",
    "haversine_km",
    "load_places",
    "load_region",
    "merge_suburbs",
    "partition_version",
    "region_names",
    "top_places",
    "town_names",
]
