"""Fit how a run answers, on ground that is neither trained on nor tested on, and write it into the run's folder.

In: a finished run. Out: its gallery and ``answering.json``. On val ground it is chosen how much the neighbours say and
how wide a place's bell is; on calibration ground are found the temperature, the thresholds of conformal sets and search
areas, and the score below which an answer is refused. Test rows are never read here.
"""

import logging
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from geolocate.dataset.rights import check_rights
from geolocate.dataset.versions import DatasetVersion, open_dataset
from geolocate.errors import CheckpointError
from geolocate.evaluation.answering import (
    ANSWERING,
    OPEN_SET_NEIGHBOURS,
    Answering,
    AnsweringCard,
    Asked,
    Belief,
    Settings,
    Threshold,
    ask_run,
    believe,
    likeness,
)
from geolocate.evaluation.calibration import Calibration, fit_calibration, log_loss
from geolocate.evaluation.conformal import block_quantile, class_scores, covered_n
from geolocate.evaluation.decoding import DEFAULT_DECODER
from geolocate.evaluation.gallery import Gallery, build_gallery, place_features, save_gallery
from geolocate.evaluation.knn import KnnConfig, nearest, not_told_apart, search_index
from geolocate.evaluation.openset import refusal_threshold
from geolocate.evaluation.search_area import (
    BANDWIDTHS_KM,
    LEVELS,
    cell_numbers,
    ground_belief,
    lay_on_ground,
    search_cells,
    usual_cell_km,
)
from geolocate.geography.distances import haversine_km
from geolocate.geography.regions import Region, load_region
from geolocate.manifest.panoramas import one_a_panorama
from geolocate.models.features import Progress
from geolocate.storage import DataRoot, sha256_of_file, write_json
from geolocate.training.checkpoints import TrainedRun, load_run
from geolocate.training.config import TrainConfig

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: Views of a place of which every selection is tried.
_VIEWS = 4
#: What is tried on val ground; the first of equals is taken, so that neighbours have to earn their say.
_SHARES, _SOFTNESS = (0.25, 0.5, 0.75), (0.01, 0.03, 0.1)


@dataclass(frozen=True, slots=True)
class AnsweringConfig:
    """Which parts are fitted: ``calibrate`` a temperature, ``neighbours`` that may refine; ``decoder`` by its name."""

    decoder: str = DEFAULT_DECODER
    calibrate: bool = True
    neighbours: bool = True


#: The study answers with the most probable class as its softmax gives it.
STUDY = AnsweringConfig(decoder="argmax", calibrate=False, neighbours=False)


@dataclass(frozen=True)
class Part:
    """One part of the ground, asked: P places with their classes, blocks, positions in degrees, and views."""

    asked: Asked
    classes: NDArray[np.intp]
    blocks: NDArray[np.str_]
    lat: Array
    lon: Array
    features: list[torch.Tensor]

    def __len__(self) -> int:
        return len(self.classes)


def usual_config(config: TrainConfig) -> AnsweringConfig:
    """Return how a run with this training configuration answers unless told otherwise."""
    return STUDY if config.loss == "study" else AnsweringConfig()


def fit_answering(
    root: DataRoot, run: str, config: AnsweringConfig | None = None, progress: Progress | None = None
) -> Answering:
    """Fit how a run answers, and write ``answering.json`` and the gallery into its folder.

    ``progress(done, total)`` counts the pictures that had to be encoded. Raises CheckpointError for a run that is not
    finished or was trained on another dataset version, RightsError where rows may not be used.
    """
    trained = load_run(root, run)
    dataset = open_dataset(root, str(trained.dataset))
    if dataset.ref.sha256 != trained.dataset.sha256:
        raise CheckpointError(f"run {run!r} was trained on another content of {dataset.ref}: train again on it")
    config = config or usual_config(trained.config)
    region = load_region(dataset.region)
    gallery = build_gallery(root, trained, dataset, progress)
    val, calibration = (_asked(root, (trained, gallery), dataset, part, progress) for part in ("val", "calibration"))
    fitted = _Fitting(trained, gallery, region, config)
    card = fitted.card(val, calibration, save_gallery(trained.path, gallery))
    # Written last: its presence means that the gallery is whole.
    write_json(trained.path / ANSWERING, card.model_dump(mode="json"))
    logger.info("run %s: temperature %.2f, neighbours %s", run, card.temperature, card.knn)
    return Answering(trained, gallery, card)


@dataclass(frozen=True)
class _Fitting:
    run: TrainedRun
    gallery: Gallery
    region: Region
    config: AnsweringConfig

    def card(self, val: Part, calibration: Part, files: dict[str, str]) -> AnsweringCard:
        known = Calibration(1.0, 0)
        if self.config.calibrate:
            known = fit_calibration(calibration.asked.posterior, calibration.classes)
        knn, tried = self._knn(val, known.temperature)
        if self.config.calibrate and knn.share:
            # Neighbours are surer than the model is: with their say the answer is calibrated once more.
            answered = partial(self._posterior, calibration, knn)
            known = fit_calibration(calibration.asked.posterior, calibration.classes, answered)
        cell_km = usual_cell_km(self.region)
        bandwidth = self._bandwidth(val, self._belief(val, known.temperature, knn), cell_km)
        belief = self._belief(calibration, known.temperature, knn)
        return AnsweringCard(
            run=self.run.run,
            dataset=asdict(self.run.dataset),
            checkpoint_sha256=sha256_of_file(self.run.path / "checkpoint.safetensors"),
            partition_version=self.run.partition_version,
            encoder=self.gallery.encoder,
            decoder=self.config.decoder,
            temperature=known.temperature,
            calibration=asdict(known),
            calibration_blocks=len(np.unique(calibration.blocks)),
            knn=knn,
            knn_tried=tried,
            class_thresholds=_thresholds(class_scores(belief.posterior, calibration.classes), calibration.blocks),
            area_thresholds=_thresholds(self._area_scores(calibration, belief, cell_km, bandwidth), calibration.blocks),
            cell_km=cell_km,
            bandwidth_km=bandwidth,
            refuse_below=_limits(self.gallery, calibration),
            files=files,
        )

    def _belief(self, part: Part, temperature: float, knn: KnnConfig) -> Belief:
        return believe(self.run, self.gallery, part.asked, Settings(temperature, knn, self.config.decoder))

    def _posterior(self, part: Part, knn: KnnConfig, temperature: float) -> Array:
        return self._belief(part, temperature, knn).posterior

    def _knn(self, val: Part, temperature: float) -> tuple[KnnConfig, list[dict[str, float]]]:
        """Choose how much the neighbours say: of what is not told apart from the nearest on val ground, the likeliest.

        A few dozen val places tell distances apart only roughly, and by distance alone the surest neighbours win.
        """
        tried = [KnnConfig(share=0.0)]
        if self.config.neighbours and len(val):
            tried += [KnnConfig(share=share, softness=softness) for share in _SHARES for softness in _SOFTNESS]
        if not len(val):
            return tried[0], []
        beliefs = [self._belief(val, temperature, knn) for knn in tried]
        km = np.stack([haversine_km(val.lat, val.lon, belief.lat, belief.lon) for belief in beliefs])
        nll = np.array([log_loss(belief.posterior, val.classes) for belief in beliefs])
        best = int(np.where(not_told_apart(km, val.blocks), nll, np.inf).argmin())
        figures = zip(km.mean(axis=1), nll, strict=True)
        found = [{"val_mean_km": float(mean), "val_nll": float(loss)} for mean, loss in figures]
        return tried[best], [{**asdict(knn), **one} for knn, one in zip(tried, found, strict=True)]

    def _bandwidth(self, val: Part, belief: Belief, cell_km: float) -> float:
        """Choose how wide the bells are, by how much belief per km² lies where the val places are."""
        if not len(val):
            return BANDWIDTHS_KM[1]
        return max(BANDWIDTHS_KM, key=lambda width: float(np.log(self._density(val, belief, cell_km, width)).mean()))

    def _density(self, part: Part, belief: Belief, cell_km: float, bandwidth_km: float) -> Array:
        cells = search_cells(self.region, cell_km)
        at = cell_numbers(self.region, cell_km, cells, part.lat, part.lon)
        ground = self._ground(cells, bandwidth_km)
        found = ground_belief(ground, belief.classes, belief.near) / ground.area_km2
        return np.asarray(found[np.arange(len(part))[at >= 0], at[at >= 0]])

    def _area_scores(self, part: Part, belief: Belief, cell_km: float, bandwidth_km: float) -> Array:
        if not len(part):
            return np.empty(0)
        cells = search_cells(self.region, cell_km)
        ground = self._ground(cells, bandwidth_km)
        at = cell_numbers(self.region, cell_km, cells, part.lat, part.lon)
        return class_scores(ground_belief(ground, belief.classes, belief.near), at, ground.area_km2)

    def _ground(self, cells: pd.DataFrame, bandwidth_km: float) -> Any:
        places = self.gallery.positions, self.gallery.classes
        return lay_on_ground(cells, *places, len(self.run.classes), bandwidth_km)


def _thresholds(scores: Array, blocks: NDArray[np.str_]) -> tuple[Threshold, ...]:
    limits = {level: block_quantile(scores, blocks, level) for level in LEVELS}
    return tuple(
        Threshold(
            share=level, limit=limit if np.isfinite(limit) else None, calibration_n=covered_n(scores, blocks, limit)
        )
        for level, limit in limits.items()
    )


def _limits(gallery: Gallery, part: Part) -> tuple[float, ...]:
    """Find the limits of refusal for places of one view, of two, …, as many as the places of the part have."""
    index, limits = search_index(gallery.features), []
    for count in range(1, min(_VIEWS, max((len(place) for place in part.features), default=0)) + 1):
        seen = [list(combinations(range(min(len(place), _VIEWS)), count)) for place in part.features]
        queries = [place[list(views)] for place, some in zip(part.features, seen, strict=True) for views in some]
        found = nearest(index, gallery.queries(queries), OPEN_SET_NEIGHBOURS)
        limits.append(refusal_threshold(likeness(found), np.repeat(part.blocks, [len(some) for some in seen])))
    return tuple(limits) if np.isfinite(limits).all() else ()


def _asked(
    root: DataRoot, run: tuple[TrainedRun, Gallery], dataset: DatasetVersion, part: str, progress: Progress | None
) -> Part:
    """Ask the run about the places of a part whose class was trained."""
    trained, gallery = run
    rows = dataset.rows(part)
    rows = rows[rows["class_id"].isin(trained.classes["class_id"])]
    rows = rows.sort_values(["panorama_id", "heading"], ignore_index=True)
    check_rights(rows, "evaluate")
    panoramas = one_a_panorama(rows).sort_values("panorama_id")
    features = place_features(root, trained.image_encoder(), rows, progress) if len(rows) else []
    azimuths = [torch.tensor(group.to_numpy(float)) for _, group in rows.groupby("panorama_id", sort=True)["heading"]]
    return Part(
        ask_run(trained, (gallery, search_index(gallery.features)), features, azimuths),
        pd.Index(trained.classes["class_id"]).get_indexer(pd.Index(panoramas["class_id"])),
        panoramas["block_id"].to_numpy(str),
        panoramas["lat"].to_numpy(float),
        panoramas["lon"].to_numpy(float),
        features,
    )
