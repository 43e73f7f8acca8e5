"""Ask again for what a collection has found: a round is a collection of its own, and the one before it stays.

In: a finished collection, and which of its points are to be asked again. Out: the plan of the round, and ``round.json``
beside it. A point with a panorama is asked where that was found, and then on as in the plan; an empty one from the
start. Points that are not to be asked again keep the answers that the ledger has of them. Answers of before the round
stay in the ledger, under their own keys, so that the earlier collection can still be rebuilt from plan and ledger.
"""

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from geolocate.collection.assigning import shard_numbers
from geolocate.collection.collect import start_collection
from geolocate.collection.download import OUTCOMES
from geolocate.collection.ledger import now
from geolocate.collection.records import CollectRequest
from geolocate.collection.sessions import hold
from geolocate.collection.shards import FOUND, CollectionFiles, files_of, read_columns, read_plan
from geolocate.errors import CollectionError, PlanError
from geolocate.geography.grids import cell_ids
from geolocate.geography.regions import load_region
from geolocate.manifest import read_manifest_columns
from geolocate.providers import check_endpoint
from geolocate.providers.registry import source_of, world_of
from geolocate.records import View
from geolocate.settings import Settings
from geolocate.storage import DataRoot, read_json, write_json

#: The plan's column: the moment from which a point's answers count.
SINCE = "since"
#: A cell's standard code, with its size: see ``geography.cells``.
_CELL = re.compile(r"(?:\d+-)?(\d+)(km|m)[EW]\d+[NS]\d+")
#: What was asked so many days ago, and has led to no purchase, is asked anew.
FRESH_DAYS = 7


@dataclass(frozen=True, slots=True)
class Scope:
    """Which points are asked again: those of some groups (by id or name: cities, cells of any size), or all.

    ``captured_before``, an ISO date cut to any precision, leaves out what was captured then or later; points without a
    panorama are asked all the same.
    """

    groups: tuple[str, ...] = ()
    captured_before: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no date: it would be compared all the same."""
        if self.captured_before and not re.fullmatch(r"\d{4}(-\d\d){0,2}", self.captured_before):
            raise PlanError(f"captured before {self.captured_before!r}: give a year, month or day, such as 2024-06")


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its collection, the one that it asks again for, from when its answers count, and whose they are.

    ``base`` is the collection that was planned in the first place; ``ended`` is "" until the round is over.
    """

    name: str
    of: str
    base: str
    since: str
    realm: str
    scope: Scope
    ended: str = ""


def begin_round(
    root: DataRoot,
    of: str,
    settings: Settings,
    scope: Scope | None = None,
    if_begun: Literal["resume", "anew"] = "resume",
) -> Round:
    """Take up the round of a collection that is not over yet, or begin one.

    With ``if_begun="anew"``, and where it has asked long ago or for other points and has bought nothing, the round that
    is not over is given up: what it has found is not believed, what it has bought stays bought.
    Raises CollectionError where the collection is not finished, where nobody can be asked again, where the provider
    shows another world now, or where a round with another scope has begun to buy; SettingsError, RightsError and
    ProviderError as for collecting.
    """
    scope = scope or Scope()
    files = files_of(root, of)
    _check_finished(files)
    realm = _realm_of(files, settings_of(files, settings))
    with hold(root.ledger.with_name("rounds.lock")):  # of two that begin at once, one takes up the other's round
        return _begun(root, of, realm, scope, if_begun)


def _begun(root: DataRoot, of: str, realm: str, scope: Scope, if_begun: Literal["resume", "anew"]) -> Round:
    files = files_of(root, of)
    base = _read(files).base if is_round(files) else of
    for name in (f"{base}.r{number}" for number in count(1)):
        mine = CollectionFiles(root.collection(name))
        if not is_round(mine):
            break
        known = _read(mine)
        if known.ended or known.of != of:
            continue
        if if_begun == "resume" and _goes_on(known, scope, bought=(mine.folder / OUTCOMES).exists()):
            return known
        end_round(root, known, {"given_up": "asked anew"})
    # Two rounds of one second would share their answers.
    since = datetime.now(UTC).isoformat(timespec="microseconds")
    fresh = Round(name, of, base, since, realm, scope)
    write_json(_file(mine), asdict(fresh))
    return fresh


def _goes_on(known: Round, scope: Scope, *, bought: bool) -> bool:
    if bought and known.scope != scope:
        raise CollectionError(
            f"the round {known.name!r} has begun to buy for another choice of points ({_told(known.scope)}): end it "
            "with that first, or ask anew (--anew)"
        )
    return bought or (known.scope == scope and _is_fresh(known))


def _told(scope: Scope) -> str:
    said = [f"--group {group}" for group in scope.groups]
    said += [f"--captured-before {scope.captured_before}"] if scope.captured_before else []
    return " ".join(said) or "all of them"


def start_round(root: DataRoot, one: Round, request: CollectRequest) -> pd.DataFrame:
    """Write the round's plan, unless it is there, and return it; ``request`` is what ``request_of`` gives.

    Raises CollectionError where the scope leaves no point.
    """
    files = CollectionFiles(root.collection(one.name))
    plan = read_plan(files) if files.plan.exists() else plan_of_round(root, one)
    start_collection(root, one.name, plan, request, "resume")
    return plan


def end_round(root: DataRoot, one: Round, note: dict[str, Any]) -> None:
    """Write down that a round is over, and what came of it."""
    write_json(_file(CollectionFiles(root.collection(one.name))), {**asdict(one), "ended": now(), "note": note})


def request_of(root: DataRoot, one: Round, settings: Settings, **limits: Any) -> CollectRequest:
    """Ask for the same views of the same provider as the earlier collection; ``limits`` are fields of the request."""
    files = files_of(root, one.of)
    started = read_json(files.request)
    views = tuple(View(**view) for view in started["views"])
    return CollectRequest(one.name, settings_of(files, settings), started["region"], views=views, **limits)


def settings_of(files: CollectionFiles, settings: Settings) -> Settings:
    """Ask whom the collection was made from, whoever the settings name."""
    provider = read_json(files.request)["provider"]
    if provider == "folder":
        raise CollectionError(
            f"{files.folder.name!r} was imported from a folder: nobody can be asked for newer pictures; import again"
        )
    return settings.model_copy(update={"provider": provider})


def plan_of_round(root: DataRoot, one: Round) -> pd.DataFrame:
    """Return the plan: the draws from which each point is asked, with the moment from which answers count."""
    before, base = files_of(root, one.of), files_of(root, one.base)
    found = _found(before, shard_numbers(root, one.of))
    wanted = _chosen(read_json(base.request)["region"], found, read_plan(base), one.scope)
    if not wanted:
        raise CollectionError(
            f"no point of {one.of!r} for {_told(one.scope)}: see group_id and group_name in {base.plan}"
        )
    asked = _from_kept_draw(read_plan(base), found)
    asked = asked[asked["point_id"].isin(wanted)].assign(**{SINCE: one.since})
    earlier = read_plan(before)
    left = earlier[~earlier["point_id"].isin(wanted)]
    left = left if SINCE in left else left.assign(**{SINCE: ""})
    order = earlier["point_id"].drop_duplicates().reset_index(drop=True)
    place = pd.Series(order.index, index=order)
    plan = pd.concat([asked, left], ignore_index=True)
    rank = plan["point_id"].map(place)
    return (
        plan.assign(place=rank).sort_values(["place", "draw"], kind="stable", ignore_index=True).drop(columns="place")
    )


def _found(files: CollectionFiles, shards: list[int]) -> pd.DataFrame:
    columns = ["point_id", "status", "requested_lat", "requested_lon", "lat", "lon", "captured"]
    tables = [read_columns(files.table(FOUND, shard), columns).to_pandas() for shard in shards]
    return pd.DataFrame(pd.concat(tables, ignore_index=True))


def _chosen(region: str, found: pd.DataFrame, plan: pd.DataFrame, scope: Scope) -> set[str]:
    points = plan.drop_duplicates("point_id").merge(found, on="point_id", how="left", suffixes=("_asked", ""))
    chosen = np.ones(len(points), dtype=bool)
    if scope.groups:
        named = points["group_id"].isin(scope.groups) | points["group_name"].isin(scope.groups)
        chosen &= named.to_numpy(bool) | _in_cells(region, points, scope.groups)
    if scope.captured_before:
        chosen &= _before(points["captured"], scope.captured_before)
    return set(points.loc[chosen, "point_id"])


def _in_cells(region: str, points: pd.DataFrame, names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Say which points lie in one of the cells that are named, of whatever size: where found, or else where asked."""
    inside = np.zeros(len(points), dtype=bool)
    sizes = {float(match[1]) / (1 if match[2] == "km" else 1000) for match in map(_CELL.fullmatch, names) if match}
    lat, lon = (points[name].fillna(points[f"{name}_asked"]).to_numpy(float) for name in ("lat", "lon"))
    for cell_km in sorted(sizes):
        inside |= np.isin(cell_ids(load_region(region), cell_km, lat, lon).astype(str), names)
    return inside


def _before(captured: "pd.Series[str]", date: str) -> npt.NDArray[np.bool_]:
    """Say what lies before a date; what has none does."""
    known = captured.notna()
    return np.asarray(~known | (captured.where(known, "").str[: len(date)] < date), dtype=bool)


def _from_kept_draw(plan: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Leave out the draws before the one at which a panorama was found."""
    hits = found.loc[found["status"] == FOUND, ["point_id", "requested_lat", "requested_lon"]]
    kept = plan.merge(hits.set_axis(["point_id", "lat", "lon"], axis=1), on=["point_id", "lat", "lon"])
    first = plan["point_id"].map(kept.groupby("point_id")["draw"].min()).fillna(0)
    return pd.DataFrame(plan[plan["draw"] >= first])


def _check_finished(files: CollectionFiles) -> None:
    if not files.merged_outcomes.exists():
        raise CollectionError(
            f"collection {files.folder.name!r} is not finished: repeat the `geolocate data collect` that made it first"
        )


def _realm_of(files: CollectionFiles, settings: Settings) -> str:
    """Ask which world is shown, and compare it with that of the rows: another one would look like a change of all."""
    site = source_of(settings).site(settings, check_endpoint(settings))
    rows = read_manifest_columns(files.manifest, ["world", "terms_version"]).drop_duplicates()
    for world, version in rows.itertuples(index=False):
        told = f"{world}:{version}" if world == "emulated" else world
        if told != site.realm:
            raise CollectionError(
                f"collection {files.folder.name!r} shows the world {told}, the provider now {site.realm} "
                f"({world_of(settings)}): start the emulator with the same --seed, or ask the same host"
            )
    return site.realm


def _is_fresh(one: Round) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(one.since) < timedelta(days=FRESH_DAYS)


def is_round(files: CollectionFiles) -> bool:
    """Say whether a collection asks again for what another has found."""
    return _file(files).exists()


def _file(files: CollectionFiles) -> Path:
    return files.folder / "round.json"


def _read(files: CollectionFiles) -> Round:
    value = read_json(_file(files))
    scope = Scope(tuple(value["scope"]["groups"]), value["scope"]["captured_before"])
    return Round(**{**{name: value[name] for name in Round.__dataclass_fields__}, "scope": scope})
