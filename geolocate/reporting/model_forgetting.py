"""Forget in promoted models: cards name creators, reports show pictures, and both are copies of what a run had.

In: the promoted versions whose dataset held what is forgotten. Out: their cards and reports without it; a card says
that the weights had learned from it, which nothing here undoes.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from geolocate.dataset.forgetting import HeldModel
from geolocate.errors import GeolocateError
from geolocate.reporting.model_card import ANSWERING, CARD, promoted_card, without_credits
from geolocate.storage import DataRoot, atomic_write, read_json

_SHOWN = ("report.html", "map.png")


def forget_in_models(root: DataRoot, held: Sequence[HeldModel], creators: Iterable[str] = ()) -> dict[str, str]:
    """Make cards and reports of promoted models again, and return what became of each, by ``name@version``.

    A card of a dataset that is gone cannot be made again: it loses its credits where one of the ``creators`` is named.
    """
    became = {one.model: _forget_in_model(root, one) for one in held}
    known = {one.path for one in held}
    for path in sorted(root.path.glob(f"models/[!.]*/[!.]*/{CARD}")):
        text = path.read_text()
        if path.parent not in known and any(creator in text for creator in creators):
            _write(path, without_credits(text))
            became[f"{path.parents[1].name}@{path.parent.name}"] = "its card has lost its credits"
    return became


def _forget_in_model(root: DataRoot, held: HeldModel) -> str:
    _follow_run(held.path, root.run(held.run))
    card = held.path / CARD
    try:
        _write(card, promoted_card(root, held.path, read_json(held.path / "promotion.json")))
        done = "its card and report show none of it"
    except GeolocateError as error:
        if card.exists():
            _write(card, without_credits(card.read_text()))
        done = f"its card could not be made again and has lost its credits ({error})"
    use = ", in use" if held.in_use else ""
    if not held.learned:
        return f"run {held.run}{use}: had not learned from it; {done}"
    return f"run {held.run}{use}: had learned from {held.learned:,} of these images, and weights do not unlearn; {done}"


def _follow_run(folder: Path, run: Path) -> None:
    """Take over what the run has by now, or drop the copies that nobody can make again."""
    ours, theirs = (where / "checkpoint.json" for where in (folder, run))
    same = theirs.exists() and read_json(ours)["checkpoint_sha256"] == read_json(theirs)["checkpoint_sha256"]
    for name in (*_SHOWN, ANSWERING) if same else _SHOWN:
        if same and (run / name).exists():
            with (run / name).open("rb") as source, atomic_write(folder / name) as copy:
                shutil.copyfileobj(source, copy)
        else:
            (folder / name).unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as page:
        page.write(text.encode())
