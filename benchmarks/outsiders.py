"""How well a run tells what does not belong to its region, by four scores.

    python -m benchmarks.outsiders RUN [--places 60] [--seed 0]

The outsiders: panoramas of the other region (three views each, drawn by the emulator at its largest places), and seeded
pictures that are no street: noise, plain colours, rooms. Those who belong: the run's val panoramas, by which a score
may be chosen, and its test panoramas, whose scores stand in its predictions. Prints a table of AUROC, and the share of
each kind that is refused. Emulated world only: photographs of real rooms may be told apart better or worse.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from geolocate.dataset import open_dataset
from geolocate.emulator.camera import Camera
from geolocate.emulator.panoramas import nearest_panorama
from geolocate.emulator.scenes import draw_scene
from geolocate.emulator.world import surroundings_at
from geolocate.evaluation.answering import Answering, read_answering
from geolocate.evaluation.gallery import place_features
from geolocate.evaluation.openset import auroc, energy_score, max_logit_score
from geolocate.geography.places import top_places
from geolocate.geography.regions import load_region
from geolocate.models.batch import padded_views
from geolocate.settings import settings_from_environment
from geolocate.storage import DataRoot
from geolocate.training.checkpoints import TrainedRun, load_run
from tests.serving.outsiders import KINDS, outsider

Array = NDArray[np.float64]
Places = list[torch.Tensor]

_OTHER = {"uk": "us", "us": "uk"}
_VIEWS = (0.0, 90.0, 180.0)


def panoramas_of(region: str, count: int, seed: int, side: int) -> list[list[bytes]]:
    """Draw three views each of panoramas near the largest places of a region."""
    drawn = []
    for place in top_places(load_region(region), 2 * count).itertuples():
        panorama = nearest_panorama(seed, place.lat, place.lon, 500)
        if panorama is None:
            continue
        where = surroundings_at(seed, panorama.lat, panorama.lon, panorama.road_bearing, panorama.road_rank)
        if where is not None:
            views = [Camera(heading, 0.0, 90.0, side, side) for heading in _VIEWS]
            drawn.append([draw_scene(where, view, panorama.nuisance) for view in views])
    return drawn[:count]


def encoded(answering: Answering, places: list[list[bytes]]) -> Places:
    """Encode the views of each place."""
    bodies = [body for place in places for body in place]
    features = answering.run.image_encoder().encode_bodies(bodies)
    return list(torch.split(features, [len(place) for place in places]))


def scores_of(answering: Answering, places: Places) -> dict[str, Array]:
    """Score places by each of the four."""
    belief = answering.ask(places)
    logits = _logits(answering.run, places)
    return {
        "likeness of the tenth neighbour": belief.in_region,
        "energy": energy_score(logits),
        "highest logit": max_logit_score(logits),
        "highest probability": belief.posterior.max(axis=1),
    }


@torch.inference_mode()
def _logits(run: TrainedRun, places: Places) -> Array:
    views = padded_views(places, [torch.zeros(len(place)) for place in places])
    texts = run.clip.embed_texts(run.text_features.float())
    return np.asarray((run.clip.scale * run.clip.embed_places(views) @ texts.T).double().numpy())


def outsiders(answering: Answering, count: int, seed: int) -> dict[str, list[list[bytes]]]:
    """Draw every kind of outsider."""
    other = _OTHER[answering.run.region]
    kinds: dict[str, Callable[[], list[list[bytes]]]] = {
        f"emulated {other}": lambda: panoramas_of(other, count, 0, 320)
    }
    for kind in KINDS:
        kinds[kind] = lambda kind=kind: [[outsider(kind, 1000 * seed + number)] for number in range(count)]  # type: ignore[misc]
    return {name: draw() for name, draw in kinds.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--places", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    root = DataRoot(Path(settings_from_environment().data))
    run = load_run(root, asked.run)
    encoder = run.image_encoder()
    answering = read_answering(root, run, encoder.cache_key)
    if answering is None:
        parser.error(f"run {asked.run!r} was not evaluated: geolocate model evaluate {asked.run}")
    rows = open_dataset(root, str(run.dataset)).rows("val").sort_values(["panorama_id", "heading"])
    val = scores_of(answering, place_features(root, encoder, rows))
    test = pd.read_parquet(run.path / "predictions.parquet")["in_region"].to_numpy(float)
    limits = answering.card.refuse_below or (-np.inf,)
    table = Table(title=f"AUROC of run {asked.run}, {run.world} world; {asked.places} outsiders of each kind")
    for column in ("outsiders", *(f"{name} (val)" for name in val), "likeness (test)", "refused, %"):
        table.add_column(column, justify="left" if column == "outsiders" else "right")
    for name, pictures in outsiders(answering, asked.places, asked.seed).items():
        found = scores_of(answering, encoded(answering, pictures))
        likeness = next(iter(found.values()))
        figures = [auroc(val[score], found[score]) for score in val] + [auroc(test, likeness)]
        limit = limits[min(len(pictures[0]), len(limits)) - 1]
        table.add_row(name, *(f"{figure:.3f}" for figure in figures), f"{100 * float((likeness < limit).mean()):.0f}")
    own = next(iter(val.values()))
    for name, scores in (("val panoramas", own), ("test panoramas", test)):
        table.add_row(name, *("" for _ in range(5)), f"{100 * float((scores < limits[-1]).mean()):.0f}")
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
