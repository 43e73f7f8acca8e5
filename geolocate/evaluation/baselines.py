"""Baselines: what simpler ways make of the same features of the same frozen encoder.

``linear-probe``       logistic regression on a place's mean feature
``nearest-neighbour``  the training places that look most alike, by FAISS
``lstm``               GeoguessrLSTM's architecture, its bugs mended: views in azimuth order, split by ground, errors
                       measured from a panorama's own position, all training places in each epoch

In: train and val places. Out: something that gives a posterior, and maybe positions, for any places. Each is fitted to
the train part and tuned on the val part by the mean distance, as our own runs are.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import faiss
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from geolocate.evaluation.decoding import DECODERS, DEFAULT_DECODER
from geolocate.geography.distances import haversine_km
from geolocate.models.batch import Views
from geolocate.models.lstm import GeoguessrLstm
from geolocate.models.threads import one_thread

Array = NDArray[np.float64]
Positions = tuple[Array, Array]

#: What is tried on val: the inverse strength of the probe's regularisation, …
PROBE_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: … how many neighbours speak, and how much louder the more alike ones do, …
NEIGHBOURS = (1, 5, 10, 20, 50)
LOUDNESS = (5.0, 20.0, 80.0)
#: … and the LSTM's learning rates.
LSTM_RATES = (1e-3, 3e-3)
_LSTM_EPOCHS, _LSTM_PATIENCE, _LSTM_BATCH = 100, 8, 32
#: Probability that neighbours leave to the classes that none of them is of.
_REST = 1e-3


@dataclass(frozen=True)
class Seen:
    """P places: their views, classes ``[P]`` and positions ``[P]`` in degrees."""

    views: Views
    classes: NDArray[np.intp]
    lat: Array
    lon: Array

    @property
    def mean(self) -> NDArray[np.float32]:
        """One vector a place, ``[P, D]``: the mean of its views', each normalised, normalised again."""
        return mean_features(self.views)


class Fitted(Protocol):
    """A baseline that has learned."""

    @property
    def chosen(self) -> dict[str, float]:
        """What val ground decided."""
        ...

    def posterior(self, views: Views) -> Array:
        """Give the probability of each class, ``[P, C]``."""
        ...

    def positions(self, views: Views) -> Positions | None:
        """Give positions ``[P]`` in degrees, or None where those of the classes are decoded."""
        ...


@dataclass(frozen=True)
class Task:
    """What a baseline learns from: train and val places, and where the classes lie, ``[C]`` in degrees."""

    train: Seen
    val: Seen
    class_lat: Array
    class_lon: Array
    seed: int

    def val_km(self, fitted: Fitted) -> float:
        """The mean distance on val ground, decoded as the evaluation decodes."""
        own = fitted.positions(self.val.views)
        if own is None:
            own = DECODERS[DEFAULT_DECODER](fitted.posterior(self.val.views), self.class_lat, self.class_lon)
        return float(haversine_km(self.val.lat, self.val.lon, *own).mean())

    def best(self, tried: Iterator[Fitted]) -> Fitted:
        """Return the one that is nearest on val ground, on average; the first of equal ones."""
        return min(tried, key=self.val_km)


def mean_features(views: Views) -> NDArray[np.float32]:
    """Return one normalised vector a place, ``[P, D]``, whatever the order of its views."""
    unit = F.normalize(views.features.float(), dim=2) * views.mask.unsqueeze(2)
    return np.ascontiguousarray(F.normalize(unit.sum(dim=1), dim=1).numpy())


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression on standardised mean features."""

    model: Pipeline
    chosen: dict[str, float]

    def posterior(self, views: Views) -> Array:
        """The regression's own probabilities."""
        return np.asarray(self.model.predict_proba(mean_features(views)), dtype=float)

    def positions(self, views: Views) -> None:
        """None: it knows classes only."""


def linear_probe(task: Task) -> Fitted:
    """Fit a probe of each strength, and keep the one that is best on val ground."""

    def probes() -> Iterator[Fitted]:
        for strength in PROBE_STRENGTHS:
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
            yield LinearProbe(probe.fit(task.train.mean, task.train.classes), {"C": strength})

    return task.best(probes())


@dataclass(frozen=True)
class NearestNeighbour:
    """The training places that look most alike, each speaking for its class and its own position."""

    index: Any
    train: Seen
    classes: int
    chosen: dict[str, float]

    def posterior(self, views: Views) -> Array:
        """Give each class the weight of its neighbours, and a thousandth to all alike."""
        weights, rows = self._neighbours(views)
        posterior = np.full((len(rows), self.classes), _REST / self.classes)
        np.add.at(posterior, (np.arange(len(rows))[:, None], self.train.classes[rows]), (1 - _REST) * weights)
        return posterior

    def positions(self, views: Views) -> Positions:
        """Answer with the point that is nearest to the neighbours, on average."""
        weights, rows = self._neighbours(views)
        return DECODERS[DEFAULT_DECODER](weights, self.train.lat[rows], self.train.lon[rows])

    def _neighbours(self, views: Views) -> tuple[Array, NDArray[np.intp]]:
        """Return weights ``[P, k]`` that sum to 1, and row numbers of the training places."""
        alike, rows = self.index.search(mean_features(views), min(int(self.chosen["k"]), len(self.train.lat)))
        louder = np.exp(self.chosen["loudness"] * (alike - alike[:, :1]).astype(float))
        return louder / louder.sum(axis=1, keepdims=True), rows


def nearest_neighbour(task: Task) -> Fitted:
    """Index the training places once; val ground says how many neighbours speak, and how loud the likest."""
    features = task.train.mean
    index = faiss.IndexFlatIP(features.shape[1])
    index.add(features)
    classes = len(task.class_lat)
    return task.best(
        NearestNeighbour(index, task.train, classes, {"k": k, "loudness": loudness})
        for k in NEIGHBOURS
        # One neighbour is as loud as it may be.
        for loudness in (LOUDNESS if k > 1 else LOUDNESS[:1])
    )


@dataclass(frozen=True)
class Lstm:
    """GeoguessrLSTM's architecture, fitted."""

    model: GeoguessrLstm
    chosen: dict[str, float]

    def posterior(self, views: Views) -> Array:
        """Its softmax, views read from north clockwise."""
        self.model.eval()
        with torch.inference_mode():
            return np.asarray(self.model.posterior(views).numpy())

    def positions(self, views: Views) -> None:
        """None: it knows classes only."""


def lstm(task: Task) -> Fitted:
    """Fit an LSTM at each learning rate, stopping by val ground, and keep the best."""
    with one_thread():
        return task.best(_fitted_lstm(task, rate) for rate in LSTM_RATES)


def _fitted_lstm(task: Task, rate: float) -> Lstm:
    views, classes = task.train.views, torch.from_numpy(task.train.classes.astype(np.int64))
    rng = np.random.default_rng(task.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.seed)
        model = GeoguessrLstm(views.features.shape[2], len(task.class_lat))
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    best, kept, best_epoch = np.inf, model.state_dict(), 0
    for epoch in range(1, _LSTM_EPOCHS + 1):
        model.train()
        order = torch.from_numpy(rng.permutation(len(classes)))
        for chosen in torch.split(order, _LSTM_BATCH):
            optimizer.zero_grad(set_to_none=True)
            batch = Views(views.features[chosen], views.mask[chosen], views.azimuth[chosen])
            model.loss(batch, classes[chosen]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        # By likelihood, which moves from the first step on; kilometres decide between the rates.
        loss = _mean_nll(Lstm(model, {}).posterior(task.val.views), task.val.classes)
        if loss < best:
            best, best_epoch = loss, epoch
            kept = {name: value.clone() for name, value in model.state_dict().items()}
        if epoch - best_epoch >= _LSTM_PATIENCE:
            break
    model.load_state_dict(kept)
    return Lstm(model, {"lr": rate, "epochs": best_epoch})


def _mean_nll(posterior: Array, classes: NDArray[np.intp]) -> float:
    return float(-np.log(posterior[np.arange(len(classes)), classes].clip(min=1e-300)).mean())


BASELINES: dict[str, Callable[[Task], Fitted]] = {
    "linear-probe": linear_probe,
    "nearest-neighbour": nearest_neighbour,
    "lstm": lstm,
}
