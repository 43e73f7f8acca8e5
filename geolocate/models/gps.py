"""Pictures beside coordinates: a place is found by what its position looks like.

In: embeddings of places, and positions in degrees. Out: a contrast between the two to train with, and the probability
of each of a list of positions. The idea is GeoCLIP's (arXiv 2309.16020).

Two encoders of positions. ``fourier``: random Fourier features at three lengths, learned from there. ``geoclip``:
GeoCLIP's own, trained on pictures of the whole world, frozen; its weights are inside its package.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from geolocate.geography.distances import EARTH_RADIUS_KM
from geolocate.models.losses import infonce_loss
from geolocate.models.weights import package, random_weights

GpsEncoderName = Literal["fourier", "geoclip"]

#: Positions so many kilometres apart begin to look different: across a country, a county, a town.
LENGTHS_KM = (1000.0, 100.0, 10.0)
_WAVES = 64
_HIDDEN = 512
#: Width of the space in which embeddings and positions meet.
_COMMON = 128
_TEMPERATURE = 0.07
_MAX_LOG_SCALE = math.log(100)
_ADVICE = (
    "GPS encoder 'geoclip' needs its package: pip install --no-deps geoclip==1.3.0, and pip install "
    "'street-geolocate[encoders]'; or choose 'fourier'"
)


class FourierEncoder(nn.Module):
    """Random Fourier features of the position on the sphere, and two layers on them.

    At each length L the products of two positions' features fall with their distance d as exp(−d² / 2L²).
    """

    dim = 256

    def __init__(self) -> None:
        super().__init__()
        self.waves: torch.Tensor
        self.register_buffer("waves", _waves(LENGTHS_KM))
        self.layers = nn.Sequential(
            nn.Linear(2 * self.waves.shape[1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, self.dim)
        )

    def forward(self, lat: torch.Tensor, lon: torch.Tensor) -> torch.Tensor:
        """Encode positions ``[N]`` in degrees to ``[N, 256]``."""
        encoded: torch.Tensor = self.layers(self.features(lat, lon))
        return encoded

    def features(self, lat: torch.Tensor, lon: torch.Tensor) -> torch.Tensor:
        """Return the Fourier features themselves, ``[N, 384]``: cosines, then sines, each by length."""
        # In double precision: single tells places apart by half a metre only, before it is multiplied.
        angles = _on_sphere(lat.double(), lon.double()) @ self.waves
        return torch.cat([angles.cos(), angles.sin()], dim=1).float()


class GeoClipEncoder(nn.Module):
    """GeoCLIP's location encoder with its published weights, frozen. Raises EncoderError without its package."""

    dim = 512

    def __init__(self) -> None:
        super().__init__()
        with random_weights():
            module: nn.Module = package("geoclip", _ADVICE).LocationEncoder()
        # In a tuple it is no part of this module's state: 37 MB that never change need not be in each checkpoint.
        self._frozen = (module.eval().requires_grad_(False),)

    @torch.no_grad()
    def forward(self, lat: torch.Tensor, lon: torch.Tensor) -> torch.Tensor:
        """Encode positions ``[N]`` in degrees to ``[N, 512]``."""
        encoded: torch.Tensor = self._frozen[0].to(lat.device)(torch.stack([lat, lon], dim=1).float())
        return encoded


GPS_ENCODERS: dict[str, type[FourierEncoder | GeoClipEncoder]] = {"fourier": FourierEncoder, "geoclip": GeoClipEncoder}


class GpsHead(nn.Module):
    """Brings embeddings of places and coordinates into one space; both are normalised, the temperature is learned."""

    def __init__(self, dim: int, encoder: GpsEncoderName) -> None:
        super().__init__()
        self.positions = GPS_ENCODERS[encoder]()
        self.from_place = nn.Linear(dim, _COMMON)
        self.from_position = nn.Linear(self.positions.dim, _COMMON)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(_TEMPERATURE)))

    @property
    def scale(self) -> torch.Tensor:
        """One over the temperature, at most 100 as in CLIP."""
        return self.log_scale.clamp(0.0, _MAX_LOG_SCALE).exp()

    def embed_positions(self, lat: torch.Tensor, lon: torch.Tensor) -> torch.Tensor:
        """Bring positions ``[N]`` in degrees into the common space, ``[N, 128]``."""
        return F.normalize(self.from_position(self.positions(lat, lon)), dim=1)

    def embed_places(self, embedding: torch.Tensor) -> torch.Tensor:
        """Bring embeddings of places ``[B, dim]`` into the common space, ``[B, 128]``."""
        return F.normalize(self.from_place(embedding), dim=1)

    def loss(self, embedding: torch.Tensor, lat: torch.Tensor, lon: torch.Tensor) -> torch.Tensor:
        """Contrast of B places with their positions ``[B]`` in degrees.

        Views of one spot meet the same position, so that they are never pushed away from their own.
        """
        rows = torch.arange(len(lat), device=lat.device)
        return infonce_loss(self.embed_places(embedding), self.embed_positions(lat, lon), self.scale, rows)

    def log_posterior(self, embedding: torch.Tensor, lat: torch.Tensor, lon: torch.Tensor) -> torch.Tensor:
        """Return log probabilities ``[B, N]`` of N positions in degrees, taken as the only ones there are."""
        return F.log_softmax(self.scale * self.embed_places(embedding) @ self.embed_positions(lat, lon).T, dim=1)


def _waves(lengths_km: tuple[float, ...]) -> torch.Tensor:
    """Draw the directions and frequencies ``[3, waves]`` on the unit sphere, the same ones each time."""
    draw = torch.Generator().manual_seed(0)
    scales = [EARTH_RADIUS_KM / length for length in lengths_km]
    return torch.cat([scale * torch.randn(3, _WAVES, generator=draw).double() for scale in scales], dim=1)


def _on_sphere(lat: torch.Tensor, lon: torch.Tensor) -> torch.Tensor:
    """Unit vectors ``[N, 3]``: no seam at 180 degrees, and a degree at 60 degrees north is half as wide."""
    north, east = torch.deg2rad(lat), torch.deg2rad(lon)
    return torch.stack([north.cos() * east.cos(), north.cos() * east.sin(), north.sin()], dim=1)
