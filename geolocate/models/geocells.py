"""Geocells in a hierarchy, drawn from where the training places lie, and the head that answers in them.

In: positions of training places. Out: nested cells, each with about as many places as its sisters; a head that gives
the probability of each of the finest cells, and where in its cell a place lies.

A k-d tree: a cell is cut at the median of its wider side, so that towns get small cells and moors large ones, as
PIGEON (arXiv 2307.05845) and OpenStreetView-5M (arXiv 2404.18873) adapt theirs to the data. The tree is kept as
numbers, so that any position finds its cell again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import nn

from geolocate.errors import DatasetError
from geolocate.geography.distances import geometric_median

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

#: A cell with fewer places than this is not cut: its offset could not be learned.
FEWEST = 8
#: Levels of the tree, coarse to fine: 8, 32 and 128 cells at most.
DEPTHS = (3, 5, 7)
_KM_PER_DEGREE = 111.195


@dataclass(frozen=True)
class Cells:
    """A hierarchy of cells: a binary tree, and the cells at each of its ``depths``.

    ``axis`` and ``cut`` are one a node in heap order (the children of n are 2n + 1 and 2n + 2): 0 cuts by latitude, 1
    by longitude, -1 cuts no more. ``node`` holds each level's cells as node numbers. ``lat, lon, radius_km`` are of the
    finest cells: the geometric median of their training places, and how far these reach. ``counts`` is ``[n, C]``: how
    many training places of each class each finest cell holds.
    """

    axis: Codes
    cut: Array
    node: tuple[Codes, ...]
    lat: Array
    lon: Array
    radius_km: Array
    counts: Codes

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of cells at each level, coarse to fine."""
        return tuple(len(level) for level in self.node)

    @property
    def parents(self) -> tuple[Codes, ...]:
        """For each level but the first, the cell of the level above that holds each cell."""
        pairs = zip(self.node, self.node[1:], strict=False)
        return tuple(_number_in(above, _lines(below), len(self.axis)) for above, below in pairs)

    def find(self, lat: Array, lon: Array) -> Codes:
        """Return the number of the cell at each level ``[N, L]`` for positions ``[N]`` in degrees."""
        paths = _paths(self, np.stack([lat, lon]))
        return np.stack([_number_in(level, paths, len(self.axis)) for level in self.node], axis=1)

    def to_json(self) -> dict[str, Any]:
        """The cells as JSON values, from which ``cells_from_json`` makes the same ones again, to the bit."""
        table = {name: getattr(self, name).tolist() for name in ("axis", "lat", "lon", "radius_km", "counts")}
        # Where nothing is cut there is no number, which JSON does not know.
        cut = [None if np.isnan(value) else float(value) for value in self.cut]
        return {**table, "cut": cut, "node": [level.tolist() for level in self.node]}


def cells_from_json(table: Mapping[str, Any]) -> Cells:
    """Read what ``to_json`` gave. Raises KeyError, TypeError or ValueError for anything else."""
    axis, counts = (np.array(table[name], dtype=np.int64) for name in ("axis", "counts"))
    cut, lat, lon, radius_km = (np.array(table[name], dtype=float) for name in ("cut", "lat", "lon", "radius_km"))
    node = tuple(np.array(level, dtype=np.int64) for level in table["node"])
    return Cells(axis, cut, node, lat, lon, radius_km, counts)


def cells_from_places(
    lat: Array, lon: Array, classes: Codes | None = None, depths: tuple[int, ...] = DEPTHS, fewest: int = FEWEST
) -> Cells:
    """Draw the hierarchy from training places ``[N]`` in degrees, of these classes ``[N]``.

    Raises DatasetError without places.
    """
    if not len(lat):
        raise DatasetError("no training places: geocells are drawn from them")
    axis, cut = np.full(2 ** (max(depths) + 1) - 1, -1), np.full(2 ** (max(depths) + 1) - 1, np.nan)
    members: dict[int, Codes] = {0: np.arange(len(lat))}
    for node in range(2 ** max(depths) - 1):
        if node in members and len(members[node]) >= 2 * fewest:
            _cut(node, members, np.stack([lat, lon]), (axis, cut))
    levels = tuple(_at_depth(depth, members, axis) for depth in depths)
    medians = np.array([geometric_median(lat[members[node]], lon[members[node]]) for node in levels[-1]])
    reach = [_reach_km(medians[at], lat[members[node]], lon[members[node]]) for at, node in enumerate(levels[-1])]
    counts = np.array([_count(classes, members[node]) for node in levels[-1]])
    return Cells(axis, cut, levels, medians[:, 0], medians[:, 1], np.array(reach), counts)


def _cut(node: int, members: dict[int, Codes], position: Array, tree: tuple[Codes, Array]) -> None:
    """Part a node's places at the median of the side that is wider on the ground."""
    mine = position[:, members[node]]
    wide = np.ptp(mine, axis=1) * (1.0, np.cos(np.radians(mine[0].mean())))
    side = int(wide.argmax())
    at = float(np.median(mine[side]))
    below = mine[side] < at
    # Many places at one spot cannot be parted.
    if not below.any() or below.all():
        return
    tree[0][node], tree[1][node] = side, at
    members[2 * node + 1], members[2 * node + 2] = members[node][below], members[node][~below]


def _at_depth(depth: int, members: dict[int, Codes], axis: Codes) -> Codes:
    """Return the nodes that make the level: those of this depth, and shallower ones that are not cut."""
    depth_of = {node: int(np.log2(node + 1)) for node in members}
    return np.array(sorted(n for n in members if depth_of[n] == depth or (depth_of[n] < depth and axis[n] < 0)))


def _paths(cells: Cells, position: Array) -> Codes:
    """Return the nodes that hold each position ``[2, N]``, from the root down, ``[N, depth]``; the last may repeat."""
    paths = [np.zeros(position.shape[1], dtype=np.int64)]
    while (cells.axis[paths[-1]] >= 0).any():
        here = paths[-1]
        side = cells.axis[here]
        beyond = np.where(side == 1, position[1], position[0]) >= cells.cut[here]
        paths.append(np.where(side >= 0, 2 * here + 1 + beyond, here))
    return np.stack(paths, axis=1)


def _lines(nodes: Codes) -> Codes:
    """Return each node and all above it, ``[n, depth]``; the root may repeat."""
    lines = [nodes]
    while lines[-1].any():
        lines.append(np.maximum(lines[-1] - 1, 0) // 2)
    return np.stack(lines, axis=1)


def _number_in(level: Codes, paths: Codes, nodes: int) -> Codes:
    """Return the number that the level gives to the one of its cells that lies on each path."""
    number = np.full(nodes, -1)
    number[level] = np.arange(len(level))
    return np.asarray(number[paths].max(axis=1))


def _count(classes: Codes | None, members: Codes) -> Codes:
    if classes is None:
        return np.empty(0, dtype=np.int64)
    return np.bincount(classes[members], minlength=int(classes.max()) + 1)


def _reach_km(median: Array, lat: Array, lon: Array) -> float:
    east = (lon - median[1]) * np.cos(np.radians(median[0]))
    # A cell of one spot still needs a unit for its offsets.
    return max(1.0, float(np.hypot(lat - median[0], east).max()) * _KM_PER_DEGREE)


class CellHead(nn.Module):
    """The probability of each finest cell, by way of the cells above it, and the place's offset in its cell."""

    def __init__(self, dim: int, cells: Cells) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Linear(dim, size) for size in cells.sizes)
        self.offset = nn.Linear(dim, 2 * cells.sizes[-1])
        for number, parents in enumerate(cells.parents):
            self.register_buffer(f"parents_{number}", torch.from_numpy(parents), persistent=False)
        centre = np.stack([cells.lat, cells.lon], axis=1)
        self.centre: torch.Tensor
        self.radius_km: torch.Tensor
        self.class_share: torch.Tensor
        share = cells.counts / cells.counts.sum(axis=1, keepdims=True).clip(min=1)
        self.register_buffer("class_share", torch.from_numpy(share), persistent=False)
        self.register_buffer("centre", torch.from_numpy(centre), persistent=False)
        self.register_buffer("radius_km", torch.from_numpy(cells.radius_km), persistent=False)

    def log_posterior(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return log probabilities of the finest cells ``[B, n]``: products of each step down the hierarchy."""
        found = F.log_softmax(self.levels[0](embedding), dim=1)
        for number, level in enumerate(list(self.levels)[1:]):
            parents: torch.Tensor = getattr(self, f"parents_{number}")
            logits = level(embedding)
            # The softmax of sisters: what all of a parent's cells have together is taken off.
            family = torch.zeros(len(logits), found.shape[1], device=logits.device, dtype=logits.dtype)
            top = logits.detach().max(dim=1, keepdim=True).values
            family = family.index_add(1, parents, (logits - top).exp()).clamp(min=1e-30).log() + top
            found = found[:, parents] + logits - family[:, parents]
        return found

    def class_posterior(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return the probability of each class ``[B, C]`` in double precision, rows summing to 1.

        A cell speaks for the classes of its training places, in proportion.
        """
        return self.log_posterior(embedding).double().softmax(dim=1) @ self.class_share

    def positions(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return where in each finest cell the place would lie: latitude and longitude ``[B, n, 2]`` in degrees."""
        offset = self._offsets(embedding) * self.radius_km[None, :, None] / _KM_PER_DEGREE
        stretch = torch.stack([torch.ones_like(self.centre[:, 0]), 1 / torch.deg2rad(self.centre[:, 0]).cos()], dim=1)
        return self.centre + offset * stretch

    def loss(self, embedding: torch.Tensor, lat: torch.Tensor, lon: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        """Return the mean of −log of the true finest cell's probability, and the loss of the offset in it.

        ``embedding`` is ``[B, dim]``, ``lat, lon`` are ``[B]`` degrees, ``cells`` is ``[B, L]``. As the finest cell's
        probability is a product down the hierarchy, each level is learned.
        """
        finest = cells[:, -1]
        return F.nll_loss(self.log_posterior(embedding), finest) + self.offset_loss(embedding, lat, lon, finest)

    def offset_loss(
        self, embedding: torch.Tensor, lat: torch.Tensor, lon: torch.Tensor, cell: torch.Tensor
    ) -> torch.Tensor:
        """Smooth L1 of the offset in the true finest cell ``[B]``, in units of the cell's radius."""
        centre = self.centre[cell]
        north = lat - centre[:, 0]
        east = (lon - centre[:, 1]) * torch.deg2rad(centre[:, 0]).cos()
        wanted = torch.stack([north, east], dim=1) * _KM_PER_DEGREE / self.radius_km[cell, None]
        given = self._offsets(embedding)[torch.arange(len(cell), device=cell.device), cell]
        return F.smooth_l1_loss(given, wanted.to(given.dtype))

    def _offsets(self, embedding: torch.Tensor) -> torch.Tensor:
        """Offsets ``[B, n, 2]``, north and east, in radii of the cell, never beyond it."""
        return torch.tanh(self.offset(embedding)).view(len(embedding), -1, 2)
