"""Standard identifiers of square cells of ground, and their everyday names.

In: projected metres. Out: codes in the style of the European reference grid, such as ``10kmE348N313``: the cell's
size, and its lower-left corner without the zeros that every corner of that size has. Codes outside Europe carry
the number of their CRS in front (``5070-200kmW8N14``; west and south of the origin are W and S).
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


def cell_code(prefix: str, size_m: int, column: int, row: int) -> str:
    """Return the code of one cell; ``column`` and ``row`` count cells from the CRS's origin."""
    return cell_codes(prefix, size_m, np.array([column]), np.array([row]))[0]


def cell_codes(prefix: str, size_m: int, column: Ints, row: Ints) -> list[str]:
    """Return the codes of cells; ``column`` and ``row`` count cells from the CRS's origin."""
    divisor = _shared_zeros(size_m)
    head = f"{prefix}{size_m // 1000}km" if size_m % 1000 == 0 else f"{prefix}{size_m}m"
    easts, norths = (column * size_m // divisor).tolist(), (row * size_m // divisor).tolist()
    return [
        f"{head}{'E' if east >= 0 else 'W'}{abs(east)}{'N' if north >= 0 else 'S'}{abs(north)}"
        for east, north in zip(easts, norths, strict=True)
    ]


def _shared_zeros(size_m: int) -> int:
    divisor = 1
    while size_m % (divisor * 10) == 0:
        divisor *= 10
    return divisor


def cell_index(size_m: int, metres: npt.NDArray[np.float64]) -> Ints:
    """Return the column of x, or the row of y; a position on a border belongs to the cell east or north of it."""
    return np.floor(metres / size_m).astype(np.int64)


def unique_cells(column: Ints, row: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the columns and rows of the different cells in order, and for each position the number of its cell."""
    cells, number = np.unique(cell_keys(column, row), return_inverse=True)
    return cells >> 32, (cells & 0xFFFFFFFF) - 2**31, np.asarray(number).reshape(-1)


def cell_keys(column: Ints, row: Ints) -> Ints:
    """Return one integer a cell, in the order of (column, row)."""
    # One integer sorts ten times faster than a pair; columns and rows of metres need far less than 32 bits each.
    return (column << 32) + (row + 2**31)
