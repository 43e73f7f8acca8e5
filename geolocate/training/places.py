"""What is learned from at once: the views of a place, and what is known of where it is.

In: the samples of one part. Out: batches of places. A place is one view, or several of a panorama.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from geolocate.models.batch import PlaceBatch, grouped_views
from geolocate.models.geocells import Cells, cells_from_places
from geolocate.training.config import TrainConfig
from geolocate.training.samples import Samples

#: Gives the features ``[N, D]`` of samples by their numbers ``[N]``.
Features = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Places:
    """The places of one part.

    ``views`` holds the sample numbers of each place's views; the other fields are one a sample, ``[N]``, and ``cells``
    ``[N, L]``. With ``draws`` only the first view of each place is sure to be learned from.
    """

    views: list[np.ndarray]
    azimuth: torch.Tensor
    lat: torch.Tensor
    lon: torch.Tensor
    classes: torch.Tensor
    cells: torch.Tensor
    draws: bool = False

    def __len__(self) -> int:
        return len(self.views)

    def drawn(self, rng: np.random.Generator) -> "Places":
        """Return the places of one epoch: where they are drawn, each first view with any number of the others."""
        if not self.draws:
            return self
        views = [np.append(place[:1], rng.permutation(place[1:])[: rng.integers(len(place))]) for place in self.views]
        return replace(self, views=views, draws=False)

    def numbers(self, chosen: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the sample numbers of these places' views, as ``batch`` asks for them."""
        return np.concatenate([self.views[number] for number in chosen])

    def batch(self, chosen: Sequence[int] | np.ndarray, features: Features) -> PlaceBatch:
        """Return the batch of these places, with what ``features`` gives for the numbers of their views."""
        mine = [self.views[number] for number in chosen]
        numbers = torch.from_numpy(np.concatenate(mine))
        views = grouped_views(features(numbers), self.azimuth[numbers], [len(place) for place in mine])
        first = torch.tensor([place[0] for place in mine])
        truth = PlaceBatch(views, self.lat[first], self.lon[first], self.classes[first], self.cells[first])
        return truth.to(views.features.device)


def places_of(samples: Samples, config: TrainConfig, cells: Cells | None) -> Places:
    """Return a part's places, as many views at once as the configuration says."""
    lat, lon = samples.rows["lat"].to_numpy(float), samples.rows["lon"].to_numpy(float)
    number_of_cell = cells.find(lat, lon) if cells else np.zeros((len(samples), 0), dtype=np.int64)
    return Places(
        samples.places(config.views),
        samples.column("heading"),
        samples.column("lat"),
        samples.column("lon"),
        torch.from_numpy(samples.classes),
        torch.from_numpy(number_of_cell),
        draws=config.views == "any",
    )


def cells_of(train: Samples, config: TrainConfig) -> Cells | None:
    """Draw geocells from the training places, where a loss or a head asks for them."""
    if not config.region and not config.cells:
        return None
    # A place counts once, however many views of it there are.
    first = [views[0] for views in train.panoramas()]
    lat, lon = (train.rows[name].to_numpy(float)[first] for name in ("lat", "lon"))
    return cells_from_places(lat, lon, train.classes[first])
