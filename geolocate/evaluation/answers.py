"""What any system answered about P panoramas: the one thing that is scored.

In: whatever answers: a trained run, an open model, a file of another program's predictions, a baseline. Out: one
record of the same shape, so that all are scored by the same code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolocate.errors import DatasetError
from geolocate.evaluation.chance import TrainingPlaces
from geolocate.evaluation.decoding import DECODERS, DEFAULT_DECODER
from geolocate.geography.distances import haversine_km

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

#: How many classes are named at most, the most probable first.
TOP = 5


@dataclass(frozen=True)
class Answers:
    """The answers of ``system`` about P panoramas, among C classes.

    ``lat, lon`` [P] are degrees. ``class_index`` [P] is -1 where no class was named; ``top5`` [P, 5 or fewer] holds
    the most probable classes, the best first, -1 where there is none; ``posterior`` [P, C] sums to 1 a row.
    ``in_region`` [P] is an open-set score: the higher, the surer that the picture belongs to this region.
    ``confidence`` [P] is the probability of the class that was named, where there is no posterior.

    Raises DatasetError for arrays of other lengths, positions that are none, and panoramas that are named twice.
    """

    system: str
    panorama_ids: NDArray[np.str_]
    lat: Array
    lon: Array
    class_index: Codes
    top5: Codes | None = None
    posterior: Array | None = None
    in_region: Array | None = None
    confidence: Array | None = None

    def __post_init__(self) -> None:
        expected = len(self.panorama_ids)
        for name, values in self._columns().items():
            if len(values) != expected:
                raise DatasetError(
                    f"answers of {self.system!r}: {name} has {len(values)} rows for {expected} panoramas: give one each"
                )
        _check_positions(self)
        ids = pd.Index(self.panorama_ids)
        if ids.has_duplicates:
            twice = str(ids[ids.duplicated()][0])
            raise DatasetError(f"answers of {self.system!r}: panorama {twice!r} is answered twice: give one row each")

    def __len__(self) -> int:
        return len(self.panorama_ids)

    @property
    def sureness(self) -> Array:
        """The probability [P] of the class that was named; NaN where the system does not say."""
        if self.posterior is not None:
            return np.asarray(np.take_along_axis(self.posterior, self.class_index[:, None], axis=1)[:, 0])
        return np.full(len(self), np.nan) if self.confidence is None else self.confidence

    def about(self, panorama_ids: Sequence[str] | NDArray[np.str_]) -> "Answers":
        """Return the answers about these panoramas, in their order. Raises DatasetError where one is missing."""
        rows = pd.Index(self.panorama_ids).get_indexer(pd.Index(panorama_ids))
        if (rows < 0).any():
            missing = np.asarray(panorama_ids)[rows < 0]
            raise DatasetError(
                f"answers of {self.system!r}: {len(missing)} of {len(rows)} panoramas have no answer, such as "
                f"{str(missing[0])!r}: answer all of them"
            )
        return Answers(self.system, **{name: values[rows] for name, values in self._columns().items()})

    def _columns(self) -> dict[str, Any]:
        named = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "system"}
        return {name: values for name, values in named.items() if values is not None}


def answers_from_posterior(
    system: str,
    panorama_ids: Sequence[str] | NDArray[np.str_],
    posterior: Array,
    class_lat: Array,
    class_lon: Array,
    decoder: str = DEFAULT_DECODER,
) -> Answers:
    """Make answers of a posterior [P, C] over classes at ``class_lat, class_lon`` [C] degrees.

    The position is what a decoder of ``DECODERS`` makes of it, the class the most probable one.
    """
    lat, lon = DECODERS[decoder](posterior, class_lat, class_lon)
    best = top_classes(posterior)
    return Answers(system, np.asarray(panorama_ids, dtype=str), lat, lon, best[:, 0], best, np.asarray(posterior))


def top_classes(posterior: Array, top: int = TOP) -> Codes:
    """Return the ``top`` most probable classes [P, top], the best first; equal ones in the order of their index."""
    return np.argsort(-posterior, axis=1, kind="stable")[:, :top]


def fill_classes(answers: Answers, places: TrainingPlaces) -> Answers:
    """Name the class nearest to the position, and the five nearest, where no class was named.

    So a system that answers with positions only has an accuracy too.
    """
    unnamed = answers.class_index < 0
    if not unnamed.any():
        return answers
    lat, lon = answers.lat[:, None], answers.lon[:, None]
    near = haversine_km(lat, lon, places.class_lat, places.class_lon).argsort(axis=1, kind="stable")[:, :TOP]
    top5 = near if unnamed.all() else answers.top5
    if top5 is not None:
        top5 = np.where(unnamed[:, None], near[:, : top5.shape[1]], top5)
    return replace(answers, class_index=np.where(unnamed, near[:, 0], answers.class_index), top5=top5)


def _check_positions(answers: Answers) -> None:
    for name, values, limit in (("lat", answers.lat, 90.0), ("lon", answers.lon, 180.0)):
        wrong = np.flatnonzero(~(np.abs(values) <= limit))
        if len(wrong):
            at = int(wrong[0])
            raise DatasetError(
                f"answers of {answers.system!r}: panorama {str(answers.panorama_ids[at])!r} has {name} {values[at]}: "
                f"a number from -{limit:g} to {limit:g} is needed ({len(wrong)} such rows)"
            )
