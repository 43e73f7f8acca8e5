"""Say in words what is known of a class, or of one picture: the captions that a model reads.

In: classes or rows of a dataset, a region. Out: one text each, in one of these styles:

``study``       "City: Leeds", as the study wrote them
``streetclip``  "A Street View photo from Leeds.", StreetCLIP's second prompt; its first names the country
``rich``        the admin units, the climate and the driving side besides; of a picture also its heading and month

Parts of rich captions are dropped at random, by an explicit seed and the picture's id, so that a model does not come to
need any one of them, and so that the order of the rows does not matter. The name itself is never dropped.
"""

import calendar
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from geolocate.dataset.classes import CLASS_COLUMN, Level
from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import DatasetError
from geolocate.geography.climates import climates_at
from geolocate.geography.grids import grid_cells
from geolocate.geography.places import load_places
from geolocate.geography.regions import Region, load_region
from geolocate.geography.towns import locality_names, nearest_locality

CaptionStyle = Literal["study", "streetclip", "rich"]
STYLES: tuple[CaptionStyle, ...] = get_args(CaptionStyle)

#: StreetCLIP's two prompts, word for word as its card has them.
STREETCLIP_COUNTRY = "A Street View photo in {country}."
STREETCLIP_CITY = "A Street View photo from {city}."

#: What follows the name in a rich caption, in this order; a region's file may word a part anew as ``rich_<part>``.
PARTS: Mapping[str, str] = {
    "county": "{county}",
    "admin1": "{admin1}",
    "country": "{country}",
    "climate": "in a {climate} climate",
    "side": "where traffic keeps to the {side}",
    "heading": "looking {heading}",
    "month": "in {month}",
}
_RICH = "A Street View photo from {name}"
_WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


@dataclass(frozen=True, slots=True)
class Dropping:
    """Which parts are left out: each with probability ``share``, drawn from ``seed`` and the picture's id."""

    seed: int = 0
    share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise DatasetError(f"parts dropped with probability {self.share}: choose 0 to 1")

    def kept(self, key: str, parts: Sequence[str]) -> list[str]:
        """Return the parts of this picture or class that stay."""
        digest = hashlib.sha256(f"{self.seed}:{key}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        return [part for part, drawn in zip(parts, rng.random(len(parts)), strict=True) if drawn >= self.share]


NOTHING_DROPPED = Dropping()


def class_facts(region: Region, level: Level, classes: pd.DataFrame, cell_km: float) -> pd.DataFrame:
    """Return what is known of classes (``class_id, class_name``) without any picture of them.

    Columns: class_id, name, county, admin1, country, climate, side ("" where not known), and ``lat, lon``, where the
    gazetteer has the city or town, or the middle of the cell.
    """
    places = _places_of(region, level, list(classes["class_id"]), cell_km)
    lat, lon = places["lat"].to_numpy(float), places["lon"].to_numpy(float)
    facts = pd.DataFrame({"class_id": classes["class_id"].to_numpy(), "name": classes["class_name"].to_numpy()})
    return facts.assign(
        county=places["county"].to_numpy(object),
        admin1=places["admin1_name"].to_numpy(object),
        country=region.title,
        climate=climates_at(lat, lon),
        side=region.driving_side,
        lat=lat,
        lon=lon,
    )


def class_captions(
    style: CaptionStyle, region: Region, facts: pd.DataFrame, dropping: Dropping = NOTHING_DROPPED
) -> list[str]:
    """Return a caption for each class of ``class_facts``. Raises DatasetError for an unknown style."""
    if style == "study":
        return [region.captions["study"].format(town=name) for name in facts["name"]]
    if style == "streetclip":
        return [STREETCLIP_CITY.format(city=name) for name in facts["name"]]
    if style != "rich":
        raise DatasetError(f"unknown caption style {style!r}: choose one of {', '.join(STYLES)}")
    return [_rich(region, row, key, dropping) for key, row in _by_class(facts).items()]


def dataset_facts(dataset: DatasetVersion, region: Region, classes: pd.DataFrame) -> pd.DataFrame:
    """Return ``class_facts`` of a dataset version's classes. Raises DatasetError for a level that has none."""
    level: Level | None = next((level for level in CLASS_COLUMN if level == dataset.level), None)
    if level is None:
        raise DatasetError(f"dataset {dataset.ref}: level {dataset.level!r} is none of {', '.join(CLASS_COLUMN)}")
    return class_facts(region, level, classes, float(dataset.card["cell_km"]))


def recaptioned(dataset: DatasetVersion, classes: pd.DataFrame, style: CaptionStyle) -> pd.DataFrame:
    """Return a dataset's classes with captions of this style; the study's are those that were published."""
    if style == "study":
        return classes
    region = load_region(dataset.region)
    return classes.assign(caption=class_captions(style, region, dataset_facts(dataset, region, classes)))


def image_captions(region: Region, facts: pd.DataFrame, rows: pd.DataFrame, dropping: Dropping) -> list[str]:
    """Return a rich caption for each picture: what is known of its class, its heading, and the month it was taken.

    ``rows`` has ``image_id, class_id, heading`` (degrees clockwise from true north) and ``captured`` ("2019-06", or
    without a month). Raises DatasetError for a class that ``facts`` does not have.
    """
    known = _by_class(facts)
    unknown = sorted(set(rows["class_id"].astype(str)) - set(known))
    if unknown:
        raise DatasetError(
            f"class {unknown[0]!r} of the rows is not among the facts ({len(unknown)} such): give those of all classes"
        )
    columns = zip(rows["image_id"], rows["class_id"], rows["heading"], rows["captured"], strict=True)
    return [
        _rich(
            region,
            {**known[str(class_id)], "heading": wind(heading), "month": month_of(captured)},
            str(image_id),
            dropping,
        )
        for image_id, class_id, heading, captured in columns
    ]


def country_prompt(country: str) -> str:
    """StreetCLIP's first prompt."""
    return STREETCLIP_COUNTRY.format(country=country)


def wind(heading: float | None) -> str:
    """Name the wind of a heading in degrees clockwise from true north: 90 is "east"; "" where there is none."""
    if heading is None or not np.isfinite(heading):
        return ""
    return _WINDS[round(float(heading) % 360 / 45) % 8]


def month_of(captured: str | None) -> str:
    """Name the month of "2019-06" or "2019-06-30": "June"; "" where there is none."""
    parts = captured.split("-") if isinstance(captured, str) else []
    number = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
    return calendar.month_name[number] if 1 <= number <= 12 else ""


def _by_class(facts: pd.DataFrame) -> dict[str, dict[str, object]]:
    rows = facts.to_dict(orient="records")
    return {str(row["class_id"]): {str(name): value for name, value in row.items()} for row in rows}


def _rich(region: Region, facts: Mapping[str, object], key: str, dropping: Dropping) -> str:
    templates = {part: region.captions.get(f"rich_{part}", PARTS[part]) for part in PARTS}
    # "Columbus, Ohio, Ohio": a part that says what the name or another part said is left out.
    said, spoken = set(str(facts["name"]).split(", ")), []
    for part in dropping.kept(key, list(PARTS)):
        value = str(facts.get(part) or "")
        if value and value not in said:
            said.add(value)
            spoken.append(templates[part].format(**{part: value}))
    return ", ".join([_RICH.format(name=facts["name"]), *spoken]) + "."


def _places_of(region: Region, level: Level, ids: list[str], cell_km: float) -> pd.DataFrame:
    """Return ``lat, lon, admin1_name, county`` of classes, in the order of their ids."""
    columns = ["lat", "lon", "admin1_name", "county"]
    if level != "cell":
        places = load_places(region).set_index("place_id")
        return places.reindex(ids)[columns].assign(
            **{name: places.reindex(ids)[name].fillna("") for name in columns[2:]}
        )
    cells = grid_cells(region, cell_km).set_index("cell_id").loc[ids]
    lat, lon = cells["lat"].to_numpy(float), cells["lon"].to_numpy(float)
    localities = locality_names(region).iloc[nearest_locality(region, lat, lon)]
    return localities[columns].assign(lat=lat, lon=lon)
