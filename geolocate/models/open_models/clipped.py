"""An open model that may only answer within a region: what it can name or point at lies in the region's polygon.

In: a loaded model, the region, what is known of its classes (``dataset.captions.class_facts``). Out: probabilities of
the classes, and for a model with a gallery a position too.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from geolocate.dataset.captions import STREETCLIP_CITY, country_prompt
from geolocate.errors import EncoderError
from geolocate.geography.boundaries import boundary_of
from geolocate.geography.distances import haversine_km
from geolocate.geography.regions import Region
from geolocate.models.open_models.catalogue import GalleryEncoder, OpenModel

Array = NDArray[np.float64]

#: So much of a gallery is compared with all of it at a time, for so many places.
_CANDIDATES = 256
_PLACES_AT_ONCE = 1024


class Clipped(Protocol):
    """A model that answers within a region."""

    @property
    def candidates(self) -> int:
        """How many things it can answer with."""
        ...

    def posterior(self, images: torch.Tensor, temperature: float) -> Array:
        """Give the probability of each class ``[P, C]`` for fused image features ``[P, D]``."""
        ...

    def positions(self, images: torch.Tensor, temperature: float) -> tuple[Array, Array] | None:
        """Give lat and lon ``[P]`` in degrees where the model has places of its own to point at, else None."""
        ...


def clip_to_region(model: OpenModel, region: Region, facts: pd.DataFrame) -> Clipped:
    """Return the model with its prompts or its gallery restricted to the region.

    ``facts`` has the classes' ``name, admin1, lat, lon``, in the order of a posterior's columns. Raises EncoderError
    when no point of the gallery lies in the region.
    """
    if model.gallery is not None:
        return _gallery(model.gallery, model, region, facts)
    cities = model.clip.texts([STREETCLIP_CITY.format(city=name) for name in facts["name"]])
    if model.entry.steps == "one":
        return Prompts(cities, model.scale)
    units, unit = np.unique(facts["admin1"].replace("", region.title).to_numpy(str), return_inverse=True)
    prompts = model.clip.texts([country_prompt(name) for name in units])
    return TwoSteps(prompts, torch.from_numpy(unit), cities, model.scale)


def fused(features: torch.Tensor, groups: list[NDArray[np.intp]]) -> torch.Tensor:
    """Average each panorama's views, ``[P, D]``, each view normalised: the logits are the views' mean logits."""
    views = F.normalize(features.float(), dim=1)
    return torch.stack([views[torch.from_numpy(group)].mean(dim=0) for group in groups])


@dataclass(frozen=True)
class Prompts:
    """One prompt a class, ``[C, D]``."""

    classes: torch.Tensor
    scale: float

    @property
    def candidates(self) -> int:
        """How many prompts there are."""
        return len(self.classes)

    def posterior(self, images: torch.Tensor, temperature: float) -> Array:
        """Softmax over the prompts."""
        return _numpy((_logits(images, self.classes, self.scale) / temperature).softmax(dim=1))

    def positions(self, images: torch.Tensor, temperature: float) -> None:
        """None: a prompt lies where its class does."""


@dataclass(frozen=True)
class TwoSteps:
    """StreetCLIP's two prompts: first which unit, ``[U, D]``, then which class within it; ``unit`` [C] of each class.

    The probability of a class is its unit's times its own among the unit's classes. Before anything is seen a unit is
    as likely as it has classes: were all units alike, Wales with two cities would weigh as much as England with thirty.
    """

    units: torch.Tensor
    unit: torch.Tensor
    classes: torch.Tensor
    scale: float

    @property
    def candidates(self) -> int:
        """How many prompts there are."""
        return len(self.units) + len(self.classes)

    def posterior(self, images: torch.Tensor, temperature: float) -> Array:
        """First step times second step."""
        before = self.unit.bincount(minlength=len(self.units)).double().log()
        first = (_logits(images, self.units, self.scale) / temperature + before).softmax(dim=1)
        logits = _logits(images, self.classes, self.scale) / temperature
        within = torch.zeros_like(logits)
        for number in range(len(self.units)):
            mine = self.unit == number
            within[:, mine] = logits[:, mine].softmax(dim=1)
        return _numpy(first[:, self.unit] * within)

    def positions(self, images: torch.Tensor, temperature: float) -> None:
        """None: a prompt lies where its class does."""


@dataclass(frozen=True)
class Gallery:
    """Coordinates of the region, encoded ``[G, D]``; ``owner`` [G] is the class that each is nearest to."""

    points: torch.Tensor
    lat: Array
    lon: Array
    owner: torch.Tensor
    classes: int
    scale: float

    @property
    def candidates(self) -> int:
        """How many coordinates there are."""
        return len(self.points)

    def posterior(self, images: torch.Tensor, temperature: float) -> Array:
        """Give each class the probability of the coordinates that are nearest to it."""
        shares = self._shares(images, temperature)
        return _numpy(shares.new_zeros(len(shares), self.classes).index_add_(1, self.owner, shares))

    def positions(self, images: torch.Tensor, temperature: float) -> tuple[Array, Array]:
        """Answer with the coordinate of the gallery that is nearest, on average, to all of it as it is weighted."""
        found = [
            self._nearest_on_average(self._shares(images[start : start + _PLACES_AT_ONCE], temperature).numpy())
            for start in range(0, len(images), _PLACES_AT_ONCE)
        ]
        best = np.concatenate(found) if found else np.empty(0, dtype=np.intp)
        return self.lat[best], self.lon[best]

    def _shares(self, images: torch.Tensor, temperature: float) -> torch.Tensor:
        return (_logits(images, self.points, self.scale) / temperature).softmax(dim=1)

    def _nearest_on_average(self, shares: Array) -> NDArray[np.intp]:
        """Compare all coordinates, some at a time; among the likeliest alone, an unsure answer would be random."""
        best, least = np.zeros(len(shares), dtype=np.intp), np.full(len(shares), np.inf)
        for start in range(0, self.candidates, _CANDIDATES):
            lat, lon = self.lat[start : start + _CANDIDATES], self.lon[start : start + _CANDIDATES]
            expected = shares @ haversine_km(self.lat[:, None], self.lon[:, None], lat[None], lon[None])
            nearest = expected.argmin(axis=1)
            km = np.take_along_axis(expected, nearest[:, None], axis=1)[:, 0]
            best, least = np.where(km < least, start + nearest, best), np.minimum(km, least)
        return best


def _gallery(gallery: GalleryEncoder, model: OpenModel, region: Region, facts: pd.DataFrame) -> Gallery:
    inside = torch.from_numpy(np.flatnonzero(boundary_of(region).contains(gallery.lat.numpy(), gallery.lon.numpy())))
    if not len(inside):
        raise EncoderError(f"no coordinate of {model.name}'s gallery lies in region {region.name!r}: ask another model")
    lat, lon = gallery.lat[inside].numpy(), gallery.lon[inside].numpy()
    at = facts["lat"].to_numpy(float), facts["lon"].to_numpy(float)
    km = haversine_km(lat[:, None], lon[:, None], at[0][None], at[1][None])
    owner = torch.from_numpy(km.argmin(axis=1))
    return Gallery(gallery.encode(inside), lat, lon, owner, len(facts), model.scale)


def _logits(images: torch.Tensor, others: torch.Tensor, scale: float) -> torch.Tensor:
    # Double precision, so that probabilities sum to 1 for whoever checks it.
    return scale * images.double() @ others.double().T


def _numpy(probabilities: torch.Tensor) -> Array:
    return np.asarray(probabilities.numpy(), dtype=float)
