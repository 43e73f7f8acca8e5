"""Score what another program predicted: a table of positions, by the same path as every model of this project.

In: a Parquet or CSV file with ``panorama_id, lat, lon``, one row a test panorama, and where the program has them
``class_id``, ``confidence`` (the probability of that class), ``probabilities`` (a list over the classes in the order
of their ids; Parquet only) and ``world``. Out: metrics and predictions as of a run, under ``runs/<name>/``.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolocate.dataset.versions import open_dataset
from geolocate.errors import CheckpointError, DatasetError
from geolocate.evaluation.answers import Answers, top_classes
from geolocate.evaluation.assess import Bootstrap
from geolocate.evaluation.chance import best_constant_position
from geolocate.evaluation.held_out import HeldOut, read_held_out
from geolocate.evaluation.scoring import MODEL, Source, record
from geolocate.storage import DataRoot, sha256_of_file
from geolocate.training.samples import trained_classes

Array = NDArray[np.float64]

KIND = "predictions file"
_NEEDED = ("panorama_id", "lat", "lon")
_SUM_TOLERANCE = 1e-3


def score_file(
    root: DataRoot, file: Path, dataset: str, *, name: str | None = None, bootstrap: Bootstrap | None = None
) -> dict[str, Any]:
    """Score a file of predictions on the test sets of a dataset version, and return the metrics.

    ``name`` is that of the folder under runs/; the file's own name is taken if it is left out. Test panoramas without
    a row are answered with the best constant: what is left out must not make a program look better.
    Raises DatasetError for a file that is no such table, panoramas that are not in the test sets, positions that are
    none, unknown classes, and another world; CheckpointError for the name of a trained run.
    """
    table = _read(file)
    version = open_dataset(root, dataset)
    name = name or file.stem
    if (root.run(name) / "config.json").exists():
        raise CheckpointError(f"{name!r} is a trained run: give the predictions another name with --name")
    _check_world(table, file, version.world.value)
    held = read_held_out(root, version, trained_classes(version), name)
    answers, missing = _answers(table, held, file)
    facts = {
        "predictions_file": {"name": file.name, "sha256": sha256_of_file(file)},
        "unanswered": missing,
        "class_from": "the file" if "class_id" in table or "probabilities" in table else "the nearest class",
    }
    return record(root, held, {MODEL: answers}, Source(name=name, kind=KIND, system=name, facts=facts), bootstrap)


def _read(file: Path) -> pd.DataFrame:
    if file.suffix not in (".parquet", ".csv"):
        raise DatasetError(f"predictions {file}: a .parquet or .csv file is needed")
    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, dtype={"class_id": str})
    except (OSError, ValueError) as error:
        raise DatasetError(f"predictions {file} cannot be read: {str(error).splitlines()[0]}") from None
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise DatasetError(
            f"predictions {file} have no column {', '.join(missing)}: {', '.join(_NEEDED)} are needed, and class_id, "
            f"confidence, probabilities may be there (there is {', '.join(map(str, table.columns)) or 'none'})"
        )
    if table.empty:
        raise DatasetError(f"predictions {file} have no row: write one a test panorama")
    return table.assign(panorama_id=table["panorama_id"].astype(str))


def _check_world(table: pd.DataFrame, file: Path, world: str) -> None:
    if "world" in table:
        others = sorted(set(table["world"].astype(str)) - {world})
        if others:
            raise DatasetError(
                f"predictions {file} are of the {others[0]} world, the dataset's is {world}: figures of two worlds "
                "are no comparison; predict on this dataset's pictures"
            )


def _answers(table: pd.DataFrame, held: HeldOut, file: Path) -> tuple[Answers, int]:
    """Return answers about every test panorama, and how many had none and got the best constant."""
    _check_known(table, held, file)
    given = Answers(
        file.name,
        table["panorama_id"].to_numpy(str),
        _numbers(table, "lat", file),
        _numbers(table, "lon", file),
        *_classes(table, held, file),
        confidence=_numbers(table, "confidence", file) if "confidence" in table else None,
    )
    missing = np.setdiff1d(held.panorama_ids, given.panorama_ids)
    return _with_constant(given, missing, held), len(missing)


def _with_constant(given: Answers, missing: NDArray[np.str_], held: HeldOut) -> Answers:
    if not len(missing):
        return given
    lat, lon = best_constant_position(held.places)
    unknown = -np.ones(len(missing), dtype=np.intp)
    classes = held.places.classes

    def joined(values: Any, filled: Any) -> Any:
        return None if values is None else np.concatenate([values, filled])

    return Answers(
        given.system,
        np.concatenate([given.panorama_ids, missing]),
        np.append(given.lat, np.full(len(missing), lat)),
        np.append(given.lon, np.full(len(missing), lon)),
        np.append(given.class_index, unknown),
        joined(given.top5, np.full((len(missing), 0 if given.top5 is None else given.top5.shape[1]), -1)),
        joined(given.posterior, np.full((len(missing), classes), 1 / classes)),
        confidence=joined(given.confidence, np.full(len(missing), 0.0)),
    )


def _check_known(table: pd.DataFrame, held: HeldOut, file: Path) -> None:
    known = np.isin(table["panorama_id"].to_numpy(str), held.panorama_ids)
    if known.all():
        return
    first = str(table["panorama_id"][~known].iloc[0])
    parts = held.dataset.frame.drop_duplicates("panorama_id").set_index("panorama_id")["part"]
    why = f"it is of the part {parts[first]!r}" if first in parts.index else "the dataset does not have it"
    raise DatasetError(
        f"predictions {file}: {(~known).sum()} of {len(known)} panoramas are not in the test sets of "
        f"{held.dataset.ref}, such as {first!r} ({why}): leave them out"
    )


def _numbers(table: pd.DataFrame, name: str, file: Path) -> Array:
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        at = int(wrong[0])
        raise DatasetError(
            f"predictions {file}: panorama {table['panorama_id'].iloc[at]!r} has {name} {table[name].iloc[at]}, "
            f"which is no number ({len(wrong)} such rows): leave the row out, or give a number"
        )
    return numbers


def _classes(
    table: pd.DataFrame, held: HeldOut, file: Path
) -> tuple[NDArray[np.intp], NDArray[np.intp] | None, Array | None]:
    """Return class_index, top5 and posterior, as far as the file has them."""
    if "probabilities" in table:
        posterior = _posterior(table, held, file)
        best = top_classes(posterior)
        return best[:, 0], best, posterior
    if "class_id" not in table:
        return -np.ones(len(table), dtype=np.intp), None, None
    ids = table["class_id"].astype(str)
    index = np.asarray(pd.Index(held.classes["class_id"].astype(str)).get_indexer(pd.Index(ids)), dtype=np.intp)
    if (index < 0).any():
        first = ids[index < 0].iloc[0]
        raise DatasetError(
            f"predictions {file}: class_id {first!r} is none of the {len(held.classes)} trained classes of "
            f"{held.dataset.ref} ({(index < 0).sum()} such rows): see classes.parquet in {held.dataset.path}"
        )
    return index, None, None


def _posterior(table: pd.DataFrame, held: HeldOut, file: Path) -> Array:
    classes, rows = len(held.classes), [np.asarray(row, dtype=float) for row in table["probabilities"]]
    for panorama, row in zip(table["panorama_id"], rows, strict=True):
        if row.shape != (classes,) or not (row >= 0).all() or abs(row.sum() - 1) > _SUM_TOLERANCE:
            raise DatasetError(
                f"predictions {file}: the probabilities of panorama {panorama!r} are {row.size} numbers that "
                f"sum to {row.sum():.4g}: {classes} of at least 0 that sum to 1 are needed, by order of class id"
            )
    return np.stack(rows)
