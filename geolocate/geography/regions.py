"""Read a region's file: everything about a country that the rest of the library would otherwise have to know.

In: a name (``uk``, ``us``) or the path of a TOML file. Out: a frozen ``Region``. A further region is a further
file: nothing here, nor in any other module, names a country.
"""

import hashlib
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geolocate.errors import RegionError, first_mistake

_FOLDER = Path(__file__).parent / "regions"

Part = Literal["train", "val", "calibration", "test"]
Km = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Zone(_Section):
    """A part of the region with one projected, equal-area CRS; ``boxes`` hold lat_min, lon_min, lat_max, lon_max."""

    name: str
    crs: str
    id_prefix: str = ""
    boxes: tuple[tuple[float, float, float, float], ...]


class Area(_Section):
    """Ground that belongs to one city whatever the distance, as a list of second-level admin units."""

    name: str
    parent_id: str
    valid_from: str
    admin2: tuple[str, ...]


class Merging(_Section):
    """When a place is a suburb of a larger one; the radius is ``radius_factor`` * sqrt(thousands of people) km."""

    radius_factor: Km
    areas: tuple[Area, ...] = ()


class Towns(_Section):
    """Which larger town is named after a locality."""

    larger_population: int
    larger_ratio: float
    within_km: Km


class Partition(_Section):
    """How the ground is split, once and for all datasets of the region."""

    version: str
    key: Annotated[str, Field(min_length=1, max_length=50, pattern="^[ -~]*$")]
    block_km: Km
    buffer_km: Annotated[float, Field(ge=0)]
    sequence_km: Annotated[float, Field(ge=0)] = 5.0
    sample_share: Annotated[float, Field(ge=0, lt=1)] = 0.08
    sample_cell_m: Annotated[int, Field(gt=0)] = 100
    shares: dict[Part, float]

    @model_validator(mode="after")
    def _consistent(self) -> "Partition":
        if abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError(f"partition.shares add up to {sum(self.shares.values()):g}, not 1")
        if self.buffer_km * 4 > self.block_km:
            raise ValueError(f"partition.block_km {self.block_km:g} is less than 4 x buffer_km {self.buffer_km:g}")
        return self


class Gates(_Section):
    """What share of a dataset may be bad before it is not published.

    ``images``: of the pictures, by the reason for which quality flags them; ``gone``: of the places of the version that
    a refresh starts from, those of which nothing is left.
    """

    images: dict[str, Share] = {}
    gone: Share = 1.0


class Region(_Section):
    """One region: its ground, its places, its words."""

    name: str
    title: str
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    driving_side: Literal["left", "right"]
    diagonal_km: Km
    grid_km: Km
    coast_tolerance_m: Annotated[float, Field(ge=0)]
    levels: tuple[Literal["cell", "city", "town"], ...]
    human_grids: dict[str, Literal["british", "irish"]] = {}
    zones: Annotated[tuple[Zone, ...], Field(min_length=1)]
    captions: dict[str, str]
    towns: Towns
    merging: Merging
    partition: Partition
    gates: Gates = Gates()
    data: Path
    fingerprint: str

    def __hash__(self) -> int:
        """Regions are cache keys everywhere; two are the same when their files are."""
        return hash((self.name, self.data, self.fingerprint))


def region_names() -> list[str]:
    """Return the names of the regions that travel with the library."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_region(name_or_path: str) -> Region:
    """Load a region by its name, or by the path of its TOML file (whose ``data`` folder is relative to it).

    Raises RegionError for an unknown name, and for a file that is incomplete or contradicts itself.
    """
    if name_or_path in region_names():
        return _read_region(_FOLDER / f"{name_or_path}.toml")
    path = Path(name_or_path)
    if path.suffix == ".toml" and path.is_file():
        return _read_region(path.resolve())
    raise RegionError(
        f"unknown region {name_or_path!r}: choose one of {', '.join(region_names())}, or give the path of a .toml file"
    )


def region_reference(name_or_path: str) -> str:
    """Return what names the same region from any folder: the name, or the whole path of its file."""
    return name_or_path if name_or_path in region_names() else str(Path(name_or_path).resolve())


def _read_region(path: Path) -> Region:
    return _parse_region(path, path.read_bytes())


@cache
def _parse_region(path: Path, body: bytes) -> Region:
    try:
        values = tomllib.loads(body.decode())
        data = path.parent / str(values.pop("data", f"data/{path.stem}"))
        fingerprint = hashlib.sha256(body).hexdigest()[:16]
        return Region.model_validate({**values, "name": path.stem, "data": data, "fingerprint": fingerprint})
    except ValidationError as error:
        raise RegionError(f"region file {path.name}: {first_mistake(error)}; see docs/regions.md") from None
    except ValueError as error:
        raise RegionError(f"region file {path.name} is not TOML: {error}") from None


def region_file(region: Region, name: str) -> Path:
    """Return the path of one of the region's data files, or raise RegionError when it is not there."""
    path = region.data / name
    if not path.is_file():
        raise RegionError(
            f"region {region.name!r} has no {name} in {region.data}: build it as docs/regions.md describes"
        )
    return path
