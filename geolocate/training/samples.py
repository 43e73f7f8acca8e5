"""Turn the train and val parts of a dataset version into numbered samples.

Each image has a number. What is learned from at once is a place: one view, or several of a panorama. Test rows are
never read here.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch

from geolocate.dataset.versions import DatasetVersion
from geolocate.errors import DatasetError
from geolocate.geography.distances import geometric_median
from geolocate.manifest.panoramas import one_a_panorama

ViewsName = Literal["single", "all", "any"]


@dataclass(frozen=True)
class Samples:
    """The images of one part: ``rows`` in a fixed order, and the class number of each, ``[N]``."""

    rows: pd.DataFrame
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sha256s(self) -> list[str]:
        """The hash of each picture."""
        return [str(sha256) for sha256 in self.rows["sha256"]]

    def panoramas(self) -> list[np.ndarray]:
        """The sample numbers of each panorama's views, in order of heading; panoramas by their id."""
        code, _ = pd.factorize(self.rows["panorama_id"], sort=True)
        order = np.lexsort((self.rows["heading"].to_numpy(float), code))
        return np.split(order, np.flatnonzero(np.diff(code[order])) + 1)

    def places(self, views: ViewsName) -> list[np.ndarray]:
        """The sample numbers of what is learned from at once; for ``any``, each view and then the panorama's others."""
        panoramas = self.panoramas()
        if views == "all":
            return panoramas
        if views == "any":
            return [np.roll(panorama, -at) for panorama in panoramas for at in range(len(panorama))]
        return list(np.arange(len(self))[:, None])

    def column(self, name: str) -> torch.Tensor:
        """A column of the rows, ``[N]`` in double precision."""
        return torch.tensor(self.rows[name].to_numpy(float))


def trained_classes(dataset: DatasetVersion) -> pd.DataFrame:
    """Give the classes that have a training place: ``class_id, class_name, caption, lat, lon``, by ``class_id``.

    A class lies at the geometric median of its training panoramas. Raises DatasetError without training rows, and when
    they are all of one class, which leaves nothing to tell apart.
    """
    panoramas = one_a_panorama(_rows(dataset, "train")).sort_values("panorama_id")
    if panoramas["class_id"].nunique() < 2:
        raise DatasetError(
            f"dataset {dataset.ref}: all training rows are of class {panoramas['class_id'].iloc[0]!r}, two or more "
            "are needed: collect more places, or publish with a larger top"
        )
    medians = {
        str(class_id): geometric_median(group["lat"].to_numpy(float), group["lon"].to_numpy(float))
        for class_id, group in panoramas.groupby("class_id")
    }
    classes = dataset.classes[dataset.classes["class_id"].isin(list(medians))].sort_values("class_id")
    positions = np.array([medians[str(class_id)] for class_id in classes["class_id"]])
    return classes.assign(lat=positions[:, 0], lon=positions[:, 1])[
        ["class_id", "class_name", "caption", "lat", "lon"]
    ].reset_index(drop=True)


def samples_of(dataset: DatasetVersion, part: str, classes: pd.DataFrame) -> Samples:
    """Give the samples of one part whose class is among ``classes``. Raises DatasetError when there are none."""
    rows = _rows(dataset, part)
    numbers = pd.Index(classes["class_id"]).get_indexer(pd.Index(rows["class_id"]))
    known = numbers >= 0
    if not known.any():
        raise DatasetError(f"no {part} row of dataset {dataset.ref} is of a trained class: collect more places")
    return Samples(rows[known].reset_index(drop=True), numbers[known].astype(np.int64))


def _rows(dataset: DatasetVersion, part: str) -> pd.DataFrame:
    rows = dataset.rows(part)
    if rows.empty:
        raise DatasetError(
            f"dataset {dataset.ref} has no {part} rows: collect more places a class, so that every part gets some"
        )
    # The image id, not the order in which collections were merged, decides the order of the samples.
    return rows.sort_values("image_id").reset_index(drop=True)
