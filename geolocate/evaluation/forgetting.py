"""Take forgotten places out of what a run looks up: its gallery has their features, positions and creators.

In: a run's folder and panoramas. Out: the gallery without them, and ``answering.json`` that vouches for what is left.
"""

from pathlib import Path

from geolocate.evaluation.answering import ANSWERING
from geolocate.evaluation.gallery import FEATURES, PANORAMAS, drop_from_gallery
from geolocate.storage import atomic_write, read_json, sha256_of, write_json


def forget_in_gallery(folder: Path, panoramas: frozenset[str]) -> int:
    """Take panoramas out of a run's gallery, and return how many it had.

    A run whose whole gallery is forgotten is no longer calibrated. Interrupted, the same call does the rest: the table
    that names them is written last.
    """
    if not (folder / PANORAMAS).exists():
        return 0
    gone, left = drop_from_gallery(folder, panoramas)
    if gone and left:
        _write(folder / FEATURES, left[FEATURES])
        _vouch(folder / ANSWERING, left)
        _write(folder / PANORAMAS, left[PANORAMAS])
    elif gone:
        for name in (ANSWERING, FEATURES, PANORAMAS):
            (folder / name).unlink(missing_ok=True)
    return gone


def _write(path: Path, body: bytes) -> None:
    with atomic_write(path) as file:
        file.write(body)


def _vouch(path: Path, left: dict[str, bytes]) -> None:
    if path.exists():
        card = read_json(path)
        write_json(path, {**card, "files": {name: sha256_of(body) for name, body in left.items()}})
