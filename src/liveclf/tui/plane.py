"""Points in the plane, in the eight dots of a Braille character."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Of row and column. Source: The Unicode Standard 15, 24.1, Braille Patterns."""
_BRAILLE = 0x2800
_DENSITY = " .:*#"


def plane(
    points: Sequence[Sequence[float]], n_lines: int, n_columns: int, *, ascii_only: bool
) -> list[str]:
    """Draw points, the origin in the middle and one unit of I as long as one of Q.

    Args:
        points: Pairs of I and Q.
        n_lines: Of the drawing.
        n_columns: Twice as many make it square.
        ascii_only: Draw with the density of full cells.

    Returns:
        Lines of so many characters.
    """
    across, down = (n_columns, n_lines) if ascii_only else (2 * n_columns, 4 * n_lines)
    xy = np.asarray(points, float).reshape(-1, 2)
    xy = xy[np.isfinite(xy).all(axis=1)]
    # Nearly all of them: one far point would leave the others no room.
    reach = float(np.quantile(np.abs(xy).max(axis=1), 0.98)) * 1.15 if len(xy) else 1.0
    reach = reach or 1.0
    x = np.floor((xy[:, 0] / reach + 1) / 2 * across).astype(int)
    y = np.floor((1 - xy[:, 1] / reach) / 2 * down).astype(int)
    inside = (x >= 0) & (x < across) & (y >= 0) & (y < down)
    x, y = x[inside], y[inside]
    if ascii_only:
        counts = np.zeros((down, across), int)
        np.add.at(counts, (y, x), 1)
        return ["".join(_DENSITY[min(n, 4)] for n in line) for line in counts.tolist()]
    cells = np.zeros((n_lines, n_columns), int)
    np.bitwise_or.at(cells, (y // 4, x // 2), _DOTS[y % 4, x % 2])
    return ["".join(chr(_BRAILLE + n) if n else " " for n in line) for line in cells.tolist()]
