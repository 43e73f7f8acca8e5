"""Refine a model's belief by the training places that look most alike, found by FAISS.

In: a posterior over classes, and each place's most similar gallery panoramas. Out: candidates with positions of their
own, [P, C + K], which any decoder turns into coordinates.

A panorama counts by its similarity, never by a distance: whoever takes the argmax of a distance answers with the image
that is least alike. It also counts by what the model believes of its class, so that a look-alike at the other end of
the country moves little.
"""

from dataclasses import dataclass
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from geolocate.errors import SettingsError

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Codes = NDArray[np.int64]

IndexKind = Literal["exact", "ivf", "hnsw"]

#: Cells that are looked into, of all cells of an inverted file: of 1,000, about a sixteenth.
_PROBED_SHARE = 16
_LINKS, _BREADTH = 32, 128


@dataclass(frozen=True, slots=True)
class KnnConfig:
    """How much the neighbours say: ``share`` of the belief is theirs, 0 none and 1 all.

    ``neighbours`` are looked at; one that is ``softness`` less alike in cosine weighs e times less.
    """

    share: float = 0.5
    neighbours: int = 20
    softness: float = 0.03

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and self.neighbours >= 1 and self.softness > 0):
            raise SettingsError(
                f"share {self.share:g}, neighbours {self.neighbours}, softness {self.softness:g}: share lies between 0 "
                "and 1, neighbours is 1 or more, softness more than 0"
            )


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The K most similar gallery panoramas of each place: ``similarity`` [P, K], the highest first, ``number`` [P, K].

    A number is a row of the gallery, -1 where an approximate search found fewer.
    """

    similarity: Floats
    number: Codes


@dataclass(frozen=True, slots=True)
class Candidates:
    """Where each place may be: ``weight`` [P, N] summing to 1 a row, ``lat`` and ``lon`` [P, N] in degrees."""

    weight: Array
    lat: Array
    lon: Array


def search_index(features: Floats, kind: IndexKind = "exact", seed: int = 0) -> Any:
    """Index features ``[G, D]`` of length 1 for the greatest inner product, which is their cosine.

    ``exact`` compares with all; ``ivf`` looks only into the nearest sixteenth of some sqrt(G) cells, ``hnsw`` follows a
    graph. Galleries of less than some 100,000 panoramas gain nothing from the latter two.
    """
    features = np.ascontiguousarray(features, dtype=np.float32)
    index = _INDEXES[kind](features.shape[1], len(features))
    if not index.is_trained:
        index.cp.seed = seed
        index.train(features)
    index.add(features)
    return index


def nearest(index: Any, queries: Floats, neighbours: int) -> Neighbours:
    """Find the most similar panoramas of each query ``[P, D]``, no more than there are."""
    found = index.search(np.ascontiguousarray(queries, dtype=np.float32), min(neighbours, index.ntotal))
    return Neighbours(np.asarray(found[0], dtype=np.float32), np.asarray(found[1], dtype=np.int64))


def neighbour_weights(posterior: Array, found: Neighbours, classes: NDArray[np.intp], softness: float) -> Array:
    """Weigh the neighbours, [P, K] summing to 1 a row: by similarity, times what the model believes of their class.

    ``posterior`` is [P, C]; ``classes`` [G] are those of the gallery's panoramas.
    """
    belief = np.take_along_axis(posterior, classes[found.number], axis=1)
    present = found.number >= 0
    # A neighbour of a class that is out of the question stays, by a hair: all of them may be.
    logits = found.similarity.astype(float) / softness + np.log(belief.clip(min=1e-12))
    logits = np.where(present, logits, -np.inf)
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def refine(candidates: Candidates, near: Candidates, share: float) -> Candidates:
    """Mix candidates [P, N] with neighbours [P, K], whose ``share`` of the whole is from 0 to 1."""
    total = candidates.weight.sum(axis=1, keepdims=True)
    return Candidates(
        np.hstack([candidates.weight / total * (1 - share), near.weight * share]),
        np.hstack([candidates.lat, near.lat]),
        np.hstack([candidates.lon, near.lon]),
    )


def class_candidates(posterior: Array, lat: Array, lon: Array) -> Candidates:
    """Return the classes [P, C] at their positions [C] in degrees."""
    return Candidates(posterior, *(np.tile(degrees, (len(posterior), 1)) for degrees in (lat, lon)))


def not_told_apart(km: Array, blocks: NDArray[Any]) -> NDArray[np.bool_]:
    """Say of each of A alternatives whether it is within one standard error of the nearest, [A].

    ``km`` [A, P] are the distances of P places in ``blocks`` [P]; the error is that of the mean paired difference, with
    places of one block counted as alike (Breiman and others 1984, the rule of one standard error).
    """
    _, number = np.unique(blocks, return_inverse=True)
    more = km - km[km.mean(axis=1).argmin()]
    mean = more.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(number, weights=row) for row in more - mean])
    return np.asarray(mean[:, 0] <= np.sqrt((sums**2).sum(axis=1)) / km.shape[1])


def _exact(dimensions: int, _: int) -> Any:
    return faiss.IndexFlatIP(dimensions)


def _inverted(dimensions: int, count: int) -> Any:
    cells = max(1, int(np.sqrt(count)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dimensions), dimensions, cells, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = max(1, cells // _PROBED_SHARE)
    return index


def _graph(dimensions: int, _: int) -> Any:
    index = faiss.IndexHNSWFlat(dimensions, _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = _BREADTH, _BREADTH
    return index


_INDEXES = {"exact": _exact, "ivf": _inverted, "hnsw": _graph}
