"""Tell the pictures of one place: the views cut from one panorama, or several flat photographs.

In: rows with ``source_id`` (the photograph) and ``panorama_id`` (what belongs together). Out: the one row that speaks
for each place. That is a row of its first photograph, after which the place is named; where that one is gone, since
it could not be fetched or was forgotten, the photograph whose id comes first.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

Frame = TypeVar("Frame", bound=pd.DataFrame)


def one_a_panorama(rows: Frame) -> Frame:
    """Return one row a panorama, with the index that it had, in the rows' order."""
    return rows.iloc[np.unique(speakers(rows))]


def speakers(rows: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Return for each row the number, from 0, of the row that speaks for its panorama."""
    panorama = pd.factorize(rows["panorama_id"])[0]
    own = is_first_photograph(rows)
    order = np.arange(len(rows))
    if not own.all():
        order = np.lexsort((pd.factorize(rows["source_id"], sort=True)[0], ~own))
    first = np.unique(panorama[order], return_index=True)[1]
    return np.asarray(order[first][panorama], dtype=np.intp)


def is_first_photograph(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say of each row whether it is of the photograph that its place is named after."""
    return (rows["source_id"] == rows["panorama_id"]).to_numpy(bool)
