"""Tell where photographs of one place were taken, with a trained run.

In: the bytes of one or more photographs of one place. Out: the five most probable classes, the point of least
expected distance, and how far the probability spreads around it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geolocate.errors import CheckpointError, PictureError
from geolocate.evaluation.answers import top_classes
from geolocate.evaluation.decoding import expected_km, least_expected_distance, radius_holding
from geolocate.models.image_encoders import ImageEncoder
from geolocate.records import World
from geolocate.storage import DataRoot
from geolocate.training.checkpoints import TrainedRun, load_run


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph and the name by which errors speak of it."""

    name: str
    body: bytes


@dataclass(frozen=True, slots=True)
class LikelyPlace:
    """A class that the photographs may belong to; its position is the median of its training panoramas."""

    class_id: str
    name: str
    lat: float
    lon: float
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where the photographs were probably taken.

    ``lat, lon`` is the point of least expected distance; ``spread_km`` the probability-weighted mean distance to
    it; ``radius_50_km`` and ``radius_90_km`` hold half and nine tenths of the probability. ``world`` is the one that
    the model knows.
    """

    run: str
    world: World
    region: str
    photos: int
    places: tuple[LikelyPlace, ...]
    lat: float
    lon: float
    spread_km: float
    radius_50_km: float
    radius_90_km: float

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Predictor:
    """A run with its image encoder in memory; captions were encoded once, when it was trained."""

    run: TrainedRun
    encoder: ImageEncoder

    def predict(self, bodies: Sequence[bytes], *, emulated: bool = False) -> Prediction:
        """Predict from photographs of one place, given as bytes; they are called photo 1, photo 2, … in errors."""
        return self.predict_photos(
            [Photo(f"photo {number}", body) for number, body in enumerate(bodies, 1)], emulated=emulated
        )

    def predict_photos(self, photos: Sequence[Photo], *, emulated: bool = False) -> Prediction:
        """Predict from photographs of one place.

        Raises CheckpointError for a model of the emulated world unless ``emulated``, PictureError when there is no
        photograph or one cannot be read.
        """
        self._check_world(emulated=emulated)
        if not photos:
            raise PictureError("no photograph given: give one or more of the same place")
        views = self.encoder.encode(torch.stack([self._picture(photo) for photo in photos]))
        posterior = np.asarray(self.run.posterior([views]), dtype=float)
        lat, lon = self.run.classes["lat"].to_numpy(float), self.run.classes["lon"].to_numpy(float)
        at = least_expected_distance(posterior, lat, lon)
        return Prediction(
            run=self.run.run,
            world=self.run.world,
            region=self.run.region,
            photos=len(photos),
            places=self._places(posterior),
            lat=float(at[0][0]),
            lon=float(at[1][0]),
            spread_km=float(expected_km(posterior, lat, lon, at)[0]),
            radius_50_km=float(radius_holding(0.5, posterior, lat, lon, at)[0]),
            radius_90_km=float(radius_holding(0.9, posterior, lat, lon, at)[0]),
        )

    def _check_world(self, *, emulated: bool) -> None:
        if self.run.world is World.EMULATED and not emulated:
            raise CheckpointError(
                f"run {self.run.run!r} was trained on the emulated world and has never seen a photograph, so its "
                "answer to one would be arbitrary: give --emulated to ask it all the same, or train on real imagery"
            )

    def _picture(self, photo: Photo) -> torch.Tensor:
        try:
            return self.encoder.preprocess(photo.body)
        except PictureError as error:
            raise PictureError(f"{photo.name}: {error}") from error

    def _places(self, posterior: np.ndarray) -> tuple[LikelyPlace, ...]:
        best = top_classes(posterior)[0]
        rows = self.run.classes.iloc[best]
        return tuple(
            LikelyPlace(str(class_id), str(name), float(lat), float(lon), float(probability))
            for class_id, name, lat, lon, probability in zip(
                rows["class_id"], rows["class_name"], rows["lat"], rows["lon"], posterior[0, best], strict=True
            )
        )


def load_predictor(root: DataRoot, run: str | None = None) -> Predictor:
    """Load a run, or the one that was finished last. Raises CheckpointError when there is none."""
    trained = load_run(root, run or latest_run(root))
    encoder = trained.image_encoder()
    encoder.module.eval()
    return Predictor(trained, encoder)


def latest_run(root: DataRoot) -> str:
    """Return the name of the run that was finished last. Raises CheckpointError when none is finished."""
    # checkpoint.json is written last, so its time is that of the run's end.
    finished = sorted(
        (root.path / "runs").glob("*/checkpoint.json"), key=lambda path: (path.stat().st_mtime, path.parent.name)
    )
    if not finished:
        raise CheckpointError(f"no finished run under {root.path / 'runs'}: train one with `geolocate model train`")
    return finished[-1].parent.name


def read_photo(path: Path) -> Photo:
    """Read a photograph from a file. Raises PictureError naming the file."""
    try:
        return Photo(str(path), path.read_bytes())
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror or error}; give the path of a picture") from error
