"""(e) nearest neighbours by FAISS: 2,000 queries against 1,000,000 features of 256 dimensions, the 50 nearest.

In a process of its own, so that its peak memory is its own, the features, which lie in it once, included. Features are
drawn around one centre for each 50 of them, as places lie in towns; without such order no approximate search could
work.
"""

import resource
import time
from typing import Any

import faiss
import numpy as np

TOP, DIMENSIONS, PART = 50, 256, 50_000
FULL_QUERIES = 100_000


def searches(gallery: int, queries: int) -> list[dict[str, Any]]:
    """Seconds, recall and memory of exact and approximate search."""
    faiss.omp_set_num_threads(2)
    wanted = _features(queries, gallery, seed=-1)
    lists = max(16, int(4 * gallery**0.5) // 4)
    exact = faiss.IndexFlatIP(DIMENSIONS)
    rows = [_row("exact (IndexFlatIP)", exact, gallery, wanted, None)]
    truth = rows[0].pop("found")
    del exact
    coarse = faiss.IndexFlatIP(DIMENSIONS)
    halves = faiss.IndexIVFScalarQuantizer(
        coarse, DIMENSIONS, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    halves.nprobe = max(4, lists // 32)
    name = f"approximate (IVF{lists}, {halves.nprobe} probed, fp16)"
    rows.append(_row(name, halves, gallery, wanted, truth))
    rows[-1].pop("found")
    rows[1]["ratio"] = rows[1]["images/s"] / rows[0]["images/s"]
    return rows


def _row(what: str, index: Any, gallery: int, wanted: np.ndarray, truth: np.ndarray | None) -> dict[str, Any]:
    started = time.perf_counter()
    if not index.is_trained:
        index.train(_features(min(gallery, 4 * PART), gallery, seed=0))
    for part in range(0, gallery, PART):
        index.add(_features(min(PART, gallery - part), gallery, seed=part))
    built = time.perf_counter() - started
    started = time.perf_counter()
    _, found = index.search(wanted, TOP)
    seconds = time.perf_counter() - started
    same = 1.0 if truth is None else _overlap(found, truth)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    bulk = seconds / len(wanted) * FULL_QUERIES
    note = (
        f"built in {built:.0f} s, {1e3 * seconds / len(wanted):.2f} ms a query, recall@{TOP} {same:.3f}, peak so far "
        f"{peak:.2f} GB; {FULL_QUERIES:,} queries, extrapolated: {bulk:.0f} s"
    )
    part = "(e) kNN" if truth is None else ""
    return {
        "part": part,
        "what": what,
        "images/s": len(wanted) / seconds,
        "ratio": 1.0,
        "note": note,
        "recall": same,
        "gb": peak,
        "found": found,
    }


def _features(count: int, gallery: int, seed: int) -> np.ndarray:
    """Unit vectors around the centres of a gallery of this size; the same for the same seed."""
    centres = np.random.default_rng(0).standard_normal((gallery // TOP, DIMENSIONS), dtype=np.float32)
    rng = np.random.default_rng([1, seed + 1])
    features = centres[rng.integers(len(centres), size=count)]
    features += 0.6 * rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return features


def _overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len(np.intersect1d(one, other)) / TOP for one, other in zip(found, truth, strict=True)]))
