"""Whether what a run promised held on the blocked test: its sets, its search areas, its refusals.

In: what the run believes about the test panoramas. Out: the figures that stand under ``answering`` in metrics.json.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geolocate.evaluation.answering import Answering, Belief, Threshold
from geolocate.evaluation.calibration import class_calibration_error
from geolocate.evaluation.conformal import class_scores, class_sets, judge
from geolocate.evaluation.metrics import Truth
from geolocate.evaluation.openset import risk_coverage_area
from geolocate.evaluation.search_area import area_to_search, cell_numbers, class_area_km2, recall_by_area
from geolocate.geography.distances import haversine_km
from geolocate.geography.regions import load_region

Array = NDArray[np.float64]

#: Areas at which recall is told: a town, a city, a county, a large county, a region, the larger part of a country.
RECALL_AT_KM2 = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0, 100_000.0)


def answer_quality(answering: Answering, belief: Belief, truth: Truth) -> dict[str, Any]:
    """Return how the promises held: ``conformal``, ``search_area``, ``recall_by_area``, ``refusal``.

    ``belief`` is about the P panoramas of ``truth``. Each entry of the first two says by share what was covered, beside
    the band in which a sound method lands 95 times in 100, and how large the sets were.
    """
    card, ground = answering.card, answering.ground
    on_ground = answering.on_ground(belief)
    cells = cell_numbers(load_region(answering.run.region), card.cell_km, ground.cells, truth.lat, truth.lon)
    searched = area_to_search(ground, on_ground, cells)
    km = haversine_km(truth.lat, truth.lon, belief.lat, belief.lon)
    return {
        "temperature": card.temperature,
        # What the temperature mends: the error of the probabilities as the run itself gives them.
        "uncalibrated_ece": class_calibration_error(belief.uncalibrated, truth.class_index),
        "neighbours_share": card.knn.share,
        "calibration_blocks": card.calibration_blocks,
        "conformal": [_classes(answering, belief, truth, one) for one in card.class_thresholds],
        "search_area": [
            {
                **_judged(class_scores(on_ground, cells, ground.area_km2), truth, one),
                **_sizes(area.km2 for areas in answering.areas(belief) for area in areas if area.share == one.share),
            }
            for one in card.area_thresholds
        ],
        "recall_by_area": recall_by_area(searched, [*RECALL_AT_KM2, float(ground.area_km2.sum())]),
        "refusal": {
            "score": "likeness of the tenth nearest training place",
            "refuse_below": list(card.refuse_below),
            "refused": float(answering.refuses(belief).mean()),
            # How the mean distance falls when only the surest are answered, by either measure of sureness.
            "risk_coverage_area_km": {
                "likeness": risk_coverage_area(belief.in_region, km),
                "probability": risk_coverage_area(belief.posterior.max(axis=1), km),
            },
            "mean_km": float(km.mean()),
        },
    }


def _classes(answering: Answering, belief: Belief, truth: Truth, threshold: Threshold) -> dict[str, Any]:
    sets = class_sets(belief.posterior, threshold.gathered)
    return {
        **_judged(class_scores(belief.posterior, truth.class_index), truth, threshold),
        "mean_classes": float(sets.sum(axis=1).mean()),
        **_sizes(class_area_km2(answering.ground, sets)),
    }


def _judged(scores: Array, truth: Truth, threshold: Threshold) -> dict[str, Any]:
    sound = judge(scores, truth.block_id, threshold.gathered, threshold.share, threshold.calibration_n)
    return {**sound.to_json(), "promised": threshold.limit is not None}


def _sizes(km2: Iterable[float]) -> dict[str, float]:
    sizes = np.array(list(km2), dtype=float)
    return {"median_km2": float(np.median(sizes)), "mean_km2": float(sizes.mean())}
