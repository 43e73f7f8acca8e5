"""Tell where photographs of one place were taken, with a trained run.

In: the bytes of one or more photographs of one place. Out: the five most probable classes, one point, how far the
probability spreads around it, and the ground to search; or that the photographs do not belong here.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geolocate.errors import CheckpointError, PictureError, SettingsError
from geolocate.evaluation.answering import Answering, read_answering
from geolocate.evaluation.answers import top_classes
from geolocate.evaluation.decoding import expected_km, least_expected_distance, radius_holding
from geolocate.evaluation.knn import Candidates, class_candidates
from geolocate.evaluation.search_area import SearchArea, check_area_path, write_areas
from geolocate.geography.regions import load_region
from geolocate.models.image_encoders import ImageEncoder
from geolocate.models.threads import one_thread
from geolocate.records import World
from geolocate.storage import DataRoot
from geolocate.training.checkpoints import TrainedRun, load_run


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph and the name by which errors speak of it.

    ``heading`` is where it looks, in degrees clockwise from true north; None where nobody has said.
    """

    name: str
    body: bytes
    heading: float | None = None


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

    ``lat, lon`` is the best single point; ``spread_km`` the probability-weighted mean distance to it; ``radius_50_km``
    and ``radius_90_km`` hold half and nine tenths of the probability. ``areas`` are the ground to search, the smallest
    first. ``world`` is the one that the model knows. ``refused`` says that the photographs are too unlike all training
    places: ``in_region`` fell below ``refuse_below``, and the rest is a guess. ``calibrated`` is false for a run that
    was never evaluated: it has no areas, and refuses nothing.
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
    calibrated: bool = False
    refused: bool = False
    in_region: float | None = None
    refuse_below: float | None = None
    areas: tuple[SearchArea, ...] = ()
    cell_km: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as JSON values; areas by their km², since their outline is a file of its own."""
        areas = [{"share": area.share, "km2": area.km2} for area in self.areas]
        return {**asdict(self), "areas": areas}

    def unguessed(self) -> dict[str, Any]:
        """Return what is known of photographs that were refused, as JSON values: no place is named."""
        told = self.to_json()
        kept = ("run", "world", "region", "photos", "calibrated", "refused", "in_region", "refuse_below")
        return {name: told[name] for name in kept}


@dataclass(frozen=True)
class Predictor:
    """A run with its image encoder in memory; captions and gallery were encoded once, when it was trained.

    ``answering`` is None for a run that was never evaluated.
    """

    run: TrainedRun
    encoder: ImageEncoder
    answering: Answering | None = None

    def predict(self, bodies: Sequence[bytes], *, emulated: bool = False) -> Prediction:
        """Predict from photographs of one place, given as bytes; they are called photo 1, photo 2, … in errors."""
        return self.predict_photos(
            [Photo(f"photo {number}", body) for number, body in enumerate(bodies, 1)], emulated=emulated
        )

    def predict_photos(self, photos: Sequence[Photo], *, emulated: bool = False) -> Prediction:
        """Predict from photographs of one place; their headings count where the model tells views apart by them.

        A refused prediction still holds the guess; who shows it says so. Raises CheckpointError for a model of the
        emulated world unless ``emulated``, PictureError when there is no photograph, when one cannot be read, and when
        some have a heading and others have none.
        """
        self._check_world(emulated=emulated)
        if not photos:
            raise PictureError("no photograph given: give one or more of the same place")
        azimuths = _azimuths(photos)
        # A few pictures: on a busy machine two cores that share them take several times as long as one.
        with one_thread():
            views = self.encoder.encode(torch.stack([self._picture(photo) for photo in photos]))
        if self.answering is None:
            posterior = np.asarray(self.run.posterior([views], azimuths), dtype=float)
            lat, lon = self.run.classes["lat"].to_numpy(float), self.run.classes["lon"].to_numpy(float)
            at = least_expected_distance(posterior, lat, lon)
            return self._prediction(len(photos), posterior, class_candidates(posterior, lat, lon), at)
        belief = self.answering.ask([views], azimuths)
        limit = float(self.answering.limits(belief)[0])
        plain = self._prediction(len(photos), belief.posterior, belief.candidates, (belief.lat, belief.lon))
        return replace(
            plain,
            calibrated=True,
            refused=bool(self.answering.refuses(belief)[0]),
            in_region=float(belief.in_region[0]),
            refuse_below=limit if np.isfinite(limit) else None,
            areas=tuple(self.answering.areas(belief)[0]),
            cell_km=self.answering.card.cell_km,
        )

    def _prediction(
        self, photos: int, posterior: np.ndarray, candidates: Candidates, at: tuple[np.ndarray, np.ndarray]
    ) -> Prediction:
        weight, lat, lon = candidates.weight, candidates.lat, candidates.lon
        return Prediction(
            run=self.run.run,
            world=self.run.world,
            region=self.run.region,
            photos=photos,
            places=self._places(posterior),
            lat=float(at[0][0]),
            lon=float(at[1][0]),
            spread_km=float(expected_km(weight, lat, lon, at)[0]),
            radius_50_km=float(radius_holding(0.5, weight, lat, lon, at)[0]),
            radius_90_km=float(radius_holding(0.9, weight, lat, lon, at)[0]),
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


def with_headings(photos: Sequence[Photo], headings: Sequence[float]) -> list[Photo]:
    """Say where each photograph looks, in their order; degrees clockwise from true north.

    Raises SettingsError for another number of headings than photographs, and for one that is no direction.
    """
    if len(headings) != len(photos):
        raise SettingsError(
            f"{len(headings)} headings for {len(photos)} photographs: give --heading once for each photograph, in "
            "their order, or not at all"
        )
    for heading in headings:
        if not 0 <= heading <= 360:
            raise SettingsError(f"heading {heading:g}: give degrees clockwise from true north, from 0 to 360")
    return [replace(photo, heading=heading % 360) for photo, heading in zip(photos, headings, strict=True)]


def _azimuths(photos: Sequence[Photo]) -> list[torch.Tensor] | None:
    """Return the headings of one place's photographs, None where they have none.

    A camera's own compass (EXIF GPSImgDirection) is not asked: it may be of magnetic north, and is often far off.
    """
    known = [photo.heading for photo in photos if photo.heading is not None]
    if not known:
        return None
    if len(known) != len(photos):
        without = next(photo.name for photo in photos if photo.heading is None)
        raise PictureError(f"{without} has no heading and others have one: give one for each photograph, or for none")
    return [torch.tensor(known)]


def load_predictor(root: DataRoot, run: str | None = None) -> Predictor:
    """Load a run, or the one that was finished last, with how it answers where that was fitted.

    Raises CheckpointError when there is none, and for a gallery of another encoder or partition.
    """
    trained = load_run(root, run or latest_run(root))
    encoder = trained.image_encoder()
    encoder.module.eval()
    return Predictor(trained, encoder, read_answering(root, trained, encoder.cache_key))


def write_search_areas(path: Path, prediction: Prediction) -> None:
    """Write a prediction's areas as GeoJSON or KML, by the file's name.

    Raises SettingsError for another ending, CheckpointError for a run that has no areas, StorageError where the file
    cannot be written.
    """
    check_area_path(path)
    if prediction.cell_km is None:
        raise CheckpointError(
            f"run {prediction.run!r} has no search areas yet: `geolocate model evaluate {prediction.run}` fits them"
        )
    about = f"run {prediction.run}, {prediction.world} world"
    write_areas(path, load_region(prediction.region), prediction.cell_km, prediction.areas, about)


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
