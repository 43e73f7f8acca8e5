"""The table of suburbs that a person edits: which place belongs to which city, whatever the rule says.

In: a CSV with ``place_id, parent_id, reason``. Out: for each place of the table the city at the end of its chain. A
place that is its own parent stays a class of its own.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from geolocate.errors import RegionError
from geolocate.geography.places import dropped_places, load_places
from geolocate.geography.regions import Region

FILE = "suburb_overrides.csv"
_COLUMNS = ("place_id", "parent_id", "reason")


@dataclass(frozen=True, slots=True)
class Override:
    """One row: ``place_id`` belongs to ``parent_id``, says a person, for a reason; ``line`` is where it stands."""

    place_id: str
    parent_id: str
    reason: str
    line: int


def read_overrides(region: Region, path: Path | None = None) -> dict[str, Override]:
    """Return the overrides by place, chains followed to their end: A into B and B into C is A into C.

    ``path`` stands for the region's own suburb_overrides.csv; a region without one has none. Raises RegionError,
    with file and line, for a place that is unknown, dropped or named twice, and for a cycle.
    """
    source = path or region.data / FILE
    if path is None and not source.is_file():
        return {}
    rows = _read(source)
    _check_places(region, source, rows)
    table: dict[str, Override] = {}
    for row in rows:
        if row.place_id in table:
            first = table[row.place_id]
            how = "a second time" if first.parent_id == row.parent_id else f"against line {first.line}"
            raise _refused(source, row, f"place {row.place_id!r} is named {how}: keep one of the two lines")
        table[row.place_id] = row
    return {place: _followed(source, table, row) for place, row in table.items()}


def _read(source: Path) -> list[Override]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise RegionError(
                    f"suburb overrides {source}: no column {', '.join(missing)}: the first line must be "
                    f"{','.join(_COLUMNS)}"
                )
            return [_row(reader.line_num, *(row[column] or "" for column in _COLUMNS)) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RegionError(f"suburb overrides {source} cannot be read: {error}") from None


def _row(line: int, place_id: str, parent_id: str, reason: str) -> Override:
    return Override(place_id.strip(), parent_id.strip(), reason.strip() or "no reason given", line)


def _check_places(region: Region, source: Path, rows: list[Override]) -> None:
    known = set(load_places(region)["place_id"])
    dropped = dropped_places(region).set_index("place_id")["reason"].to_dict()
    for row in rows:
        for place in (row.place_id, row.parent_id):
            if place not in known:
                raise _refused(source, row, f"place {place!r} is not in places.csv of region {region.name!r}")
        if row.parent_id in dropped:
            why = dropped[row.parent_id]
            raise _refused(source, row, f"parent {row.parent_id!r} was dropped ({why}): name another city")


def _followed(source: Path, table: dict[str, Override], row: Override) -> Override:
    chain = [row.place_id]
    parent = row.parent_id
    while parent in table and table[parent].parent_id != parent and parent != row.place_id:
        if parent in chain:
            break  # a cycle farther on, which its own members report
        chain.append(parent)
        parent = table[parent].parent_id
    if parent == row.place_id and len(chain) > 1:
        circle = " -> ".join([*chain, parent])
        raise _refused(source, row, f"{circle} is a cycle: let one of them be its own parent, or take a line out")
    via = f" (by way of {', '.join(chain[1:])})" if len(chain) > 1 else ""
    return Override(row.place_id, parent, row.reason + via, row.line)


def _refused(source: Path, row: Override, why: str) -> RegionError:
    return RegionError(f"suburb overrides {source}, line {row.line}: {why}")
