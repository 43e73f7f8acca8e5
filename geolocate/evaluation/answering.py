"""How a finished run answers: calibrated, refined by its gallery, with areas to search, and refusing outsiders.

In: a run and what ``fit_answering`` wrote into its folder: ``answering.json`` and the gallery. Out: for each place a
belief over the classes, one position, how surely it belongs to the region, and the ground to search. Whoever asks a
run, to evaluate or to predict, asks it here, so that what is measured is what a user gets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geolocate.errors import CheckpointError
from geolocate.evaluation.calibration import scaled
from geolocate.evaluation.decoding import DECODERS
from geolocate.evaluation.gallery import Gallery, load_gallery
from geolocate.evaluation.knn import (
    Candidates,
    KnnConfig,
    Neighbours,
    class_candidates,
    nearest,
    neighbour_weights,
    refine,
    search_index,
)
from geolocate.evaluation.openset import neighbour_score
from geolocate.evaluation.search_area import (
    SearchArea,
    SearchGround,
    ground_belief,
    lay_on_ground,
    search_areas,
    search_cells,
)
from geolocate.geography.regions import load_region
from geolocate.storage import DataRoot, read_json, sha256_of_file
from geolocate.training.checkpoints import TrainedRun

Array = NDArray[np.float64]

ANSWERING = "answering.json"
FORMAT_VERSION = 1
#: The neighbour whose likeness says whether a place belongs (Sun and others use some per mille of their gallery).
OPEN_SET_NEIGHBOURS = 10


class Threshold(BaseModel):
    """How much belief a set gathers to hold a place with probability ``share``.

    ``limit`` is None where the calibration blocks are too few to promise that share: the share itself is gathered
    then. ``calibration_n`` is the effective number of calibration places.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float
    limit: float | None
    calibration_n: float

    @property
    def gathered(self) -> float:
        """The belief that is gathered."""
        return self.share if self.limit is None else self.limit


class AnsweringCard(BaseModel):
    """What ``answering.json`` holds: everything that was fitted, on what, and for which checkpoint.

    ``class_thresholds`` and ``area_thresholds`` are those of sets of classes and of search areas. ``refuse_below`` has
    a limit for places of one view, of two, …: one picture is less like a training place of three than three are. It is
    empty where nothing is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    run: str
    dataset: dict[str, str]
    checkpoint_sha256: str
    partition_version: str
    encoder: str
    decoder: str
    temperature: float = Field(gt=0)
    calibration: dict[str, float | int | None]
    calibration_blocks: int
    knn: KnnConfig
    knn_tried: list[dict[str, float]]
    class_thresholds: tuple[Threshold, ...]
    area_thresholds: tuple[Threshold, ...]
    cell_km: float
    bandwidth_km: float
    refuse_below: tuple[float, ...]
    files: dict[str, str]


@dataclass(frozen=True)
class Belief:
    """What a run believes about P places.

    ``posterior`` [P, C] is calibrated and refined, and sums to 1 a row; ``uncalibrated`` [P, C] is the run's own.
    ``lat, lon`` [P] is the answer. ``candidates`` are what it was decoded from. ``in_region`` [P] is the open-set
    score: the higher, the surer that the place belongs to the region, of which ``views`` [P] were seen. ``classes``
    [P, C] and ``near`` (numbers and weights [P, K] of gallery places) sum to 1 together.
    """

    posterior: Array
    uncalibrated: Array
    lat: Array
    lon: Array
    candidates: Candidates
    in_region: Array
    views: NDArray[np.intp]
    classes: Array
    near: tuple[NDArray[np.int64], Array]

    def about(self, rows: NDArray[np.intp]) -> "Belief":
        """Return the belief about some of the places, by their numbers."""
        drawn = self.candidates
        candidates = Candidates(drawn.weight[rows], drawn.lat[rows], drawn.lon[rows])
        near = self.near[0][rows], self.near[1][rows]
        plain = self.posterior[rows], self.uncalibrated[rows], self.lat[rows], self.lon[rows]
        return Belief(*plain, candidates, self.in_region[rows], self.views[rows], self.classes[rows], near)


@dataclass(frozen=True)
class Answering:
    """A run with its gallery in memory and all that was fitted."""

    run: TrainedRun
    gallery: Gallery
    card: AnsweringCard

    @cached_property
    def index(self) -> Any:
        """The gallery's index; exact, for none of ours is large."""
        return search_index(self.gallery.features)

    @cached_property
    def ground(self) -> SearchGround:
        """The region's land, and the training places upon it."""
        cells = search_cells(load_region(self.run.region), self.card.cell_km)
        places = self.gallery.positions, self.gallery.classes
        return lay_on_ground(cells, *places, len(self.run.classes), self.card.bandwidth_km)

    def ask(self, features: Sequence[torch.Tensor], azimuths: Sequence[torch.Tensor] | None = None) -> Belief:
        """Ask about places, given the features ``[V_i, D]`` of their views and, where known, the views' azimuths."""
        asked = ask_run(self.run, (self.gallery, self.index), features, azimuths)
        return believe(self.run, self.gallery, asked, Settings(self.card.temperature, self.card.knn, self.card.decoder))

    def refuses(self, belief: Belief) -> NDArray[np.bool_]:
        """Say of each place [P] whether it is too unlike all training places to be answered."""
        return np.asarray(belief.in_region < self.limits(belief))

    def limits(self, belief: Belief) -> Array:
        """Return the open-set score [P] below which each place is refused, by how many of its views were seen."""
        known = np.array(self.card.refuse_below or (-np.inf,))
        return np.asarray(known[np.minimum(belief.views, len(known)) - 1])

    def areas(self, belief: Belief) -> list[list[SearchArea]]:
        """Return the areas that hold each place with the probabilities of ``search_area.LEVELS``."""
        limits = {one.share: one.gathered for one in self.card.area_thresholds}
        return search_areas(self.ground, self.on_ground(belief), limits)

    def on_ground(self, belief: Belief) -> Array:
        """Return the probability of each cell [P, X] of the region's land."""
        return ground_belief(self.ground, belief.classes, belief.near)


@dataclass(frozen=True)
class Asked:
    """What a run and its gallery say of P places of ``views`` [P] each, before anything that is fitted.

    ``posterior`` is [P, C].
    """

    posterior: Array
    found: Neighbours
    views: NDArray[np.intp]


def ask_run(
    run: TrainedRun,
    gallery: tuple[Gallery, Any],
    features: Sequence[torch.Tensor],
    azimuths: Sequence[torch.Tensor] | None,
) -> Asked:
    """Ask the run for its posterior and the gallery, given with its index, for the most similar places."""
    places, index = gallery
    found = nearest(index, places.queries(features), max(OPEN_SET_NEIGHBOURS, KnnConfig().neighbours))
    views = np.array([len(place) for place in features], dtype=np.intp)
    return Asked(np.asarray(run.posterior(features, azimuths), dtype=float), found, views)


@dataclass(frozen=True, slots=True)
class Settings:
    """By what an answer is made: ``decoder`` is a name of ``DECODERS``."""

    temperature: float
    knn: KnnConfig
    decoder: str


def believe(run: TrainedRun, gallery: Gallery, asked: Asked, settings: Settings) -> Belief:
    """Turn what was said into a belief: calibrate, refine, decode."""
    knn, posterior = settings.knn, scaled(asked.posterior, settings.temperature)
    found = Neighbours(asked.found.similarity[:, : knn.neighbours], asked.found.number[:, : knn.neighbours])
    weights = neighbour_weights(posterior, found, gallery.classes, knn.softness)
    lat, lon = gallery.positions
    candidates = class_candidates(posterior, run.classes["lat"].to_numpy(float), run.classes["lon"].to_numpy(float))
    if knn.share:
        candidates = refine(candidates, Candidates(weights, lat[found.number], lon[found.number]), knn.share)
    classes = posterior * (1 - knn.share)
    together = classes.copy()
    np.add.at(together, (np.arange(len(together))[:, None], gallery.classes[found.number]), weights * knn.share)
    at = DECODERS[settings.decoder](candidates.weight, candidates.lat, candidates.lon)
    near = found.number, weights * knn.share
    return Belief(together, asked.posterior, *at, candidates, likeness(asked.found), asked.views, classes, near)


def likeness(found: Neighbours) -> Array:
    """Return the open-set score (P,) of places by their neighbours."""
    return neighbour_score(found.similarity[:, :OPEN_SET_NEIGHBOURS].astype(float))


def is_fitted(run: TrainedRun) -> bool:
    """Say whether ``answering.json`` lies in the run's folder and is about the checkpoint that lies there."""
    path = run.path / ANSWERING
    return path.exists() and _card(path).checkpoint_sha256 == sha256_of_file(run.path / "checkpoint.safetensors")


def read_answering(root: DataRoot, run: TrainedRun, encoder: str) -> Answering | None:
    """Open what was fitted for a run; None where nothing was. ``encoder`` is the cache key of the run's encoder.

    Raises CheckpointError where it was fitted for another checkpoint, or a file is not what was written; DatasetError
    for a gallery that leaks.
    """
    path = run.path / ANSWERING
    if not path.exists():
        return None
    card = _card(path)
    if card.checkpoint_sha256 != sha256_of_file(run.path / "checkpoint.safetensors"):
        raise CheckpointError(f"{path} was fitted for another checkpoint: {_AGAIN}")
    for name, expected in card.files.items():
        if not (run.path / name).exists() or sha256_of_file(run.path / name) != expected:
            raise CheckpointError(f"{run.path / name} is not what was written beside {ANSWERING}: {_AGAIN}")
    return Answering(run, load_gallery(root, run.path, load_region(run.region), encoder), card)


_AGAIN = "delete answering.json and evaluate the run again (`geolocate model evaluate`)"


def _card(path: Path) -> AnsweringCard:
    content = read_json(path)
    met = content.get("format_version")
    if met != FORMAT_VERSION:
        raise CheckpointError(f"{path} has format_version {met!r}, this program reads {FORMAT_VERSION}: {_AGAIN}")
    try:
        return AnsweringCard.model_validate(content)
    except ValidationError as error:
        reason = " ".join(str(error).split())[:100]
        raise CheckpointError(f"{path} is damaged ({reason}): {_AGAIN}") from error
