"""Which cells of the spectrogram hold a signal, and the boxes that these form.

A constant false alarm rate test (H. Rohling, IEEE Trans. Aerosp. Electron. Syst. 19(4), 1983)
over two sizes of cell, one for short pulses and one for weak signals, with hysteresis: a box
is what lies over the lower threshold and touches something over the upper one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from liveclf.records import FloatArray

# Rows and bins averaged, and the thresholds over the floor. Of noise alone, averages of K
# independent cells exceed T with the upper tail of a gamma distribution; by half overlapping
# Hann windows K is 0.6 of the rows and of the bins. Both are about 1e-9 a cell.
FAST, SLOW = (4, 3), (16, 5)
_FAST_SEED, _SLOW_SEED = 7.0, 2.7
_FAST_LOW, _SLOW_LOW = 3.5, 1.9
# Cells so far below the strongest of their row may be its leakage, or its image.
_RANGE = 10**-3.5
CONTEXT_ROWS = SLOW[0]
_JOIN_ROWS = 3  # small pauses inside a box
MOST_BOXES = 256


@dataclass(frozen=True, slots=True)
class Box:
    """A group of cells.

    Attributes:
        first_row: Of the chunk.
        stop_row: Behind the last.
        is_sure: Whether it touches the upper threshold.
        profile: Power over noise, summed over its rows, shape (n_bins,) float32.
        row_power: Power over noise of each of its rows, shape (stop_row - first_row,); 0 where a
            row holds nothing of it.
    """

    first_row: int
    stop_row: int
    is_sure: bool
    profile: FloatArray
    row_power: FloatArray


def find(
    power: FloatArray, floor: FloatArray, around: int, *, goes_on: bool
) -> tuple[list[Box], NDArray[np.bool_], int]:
    """Find the boxes of a chunk.

    Args:
        power: Shape (around + rows + around, n_bins); the first and last `around` rows are
            context, and rows beyond the stream are 0.
        floor: Shape (n_bins,).
        around: Rows of context on either side.
        goes_on: Whether there is a signal that may go on with what is below the upper threshold.

    Returns:
        Boxes, in rows counted from the first behind the context; which cells are over the
        lower threshold, shape (rows, n_bins); and how many boxes more there were.
    """
    ratio = power / floor
    fast, slow = _means(ratio, around)
    # Leakage is a matter of power, not of how far over its floor a cell is.
    smooth = fast * floor
    heard = smooth > smooth.max(axis=1, keepdims=True) * _RANGE
    low = ((fast > _FAST_LOW) | (slow > _SLOW_LOW)) & heard
    seed = ((fast > _FAST_SEED) | (slow > _SLOW_SEED)) & low
    if not (seed.any() or (goes_on and low.any())):
        return [], low, 0
    joined = _closed(low)
    labels, n = ndimage.label(joined, np.ones((3, 3), int))
    index = np.arange(1, n + 1)
    is_sure = ndimage.maximum(seed, labels, index).astype(bool)
    edge = np.unique(labels[:2])  # may be the rest of something
    keep = is_sure | np.isin(index, edge)
    boxes = ndimage.find_objects(labels)
    chosen = np.flatnonzero(keep)
    if len(chosen) > MOST_BOXES:
        peaks = ndimage.maximum(fast, labels, index)[chosen]
        chosen = np.sort(chosen[np.argsort(-peaks)[:MOST_BOXES]])
    n_more = int(keep.sum()) - len(chosen)
    ratio = ratio[around : len(power) - around]
    found = []
    for k in chosen.tolist():
        rows, bins = boxes[k]
        cells = labels[boxes[k]] == k + 1
        profile = np.zeros(power.shape[1], np.float32)
        excess = (ratio[rows, bins] - 1) * floor[bins] * cells.any(axis=1)[:, None]
        profile[bins] = np.maximum(excess.sum(axis=0), 0)
        if not profile.any():
            continue
        found.append(
            Box(
                rows.start, rows.stop, bool(is_sure[k]), profile,
                np.maximum(excess.sum(axis=1), 0),
            )
        )  # fmt: skip
    return found, joined, n_more


def _means(x: FloatArray, around: int) -> tuple[FloatArray, FloatArray]:
    """Average over the rectangles of `FAST` and `SLOW` around each cell that is no context.

    Beyond the lowest and the highest bin there is nothing.
    """
    n = len(x) - 2 * around
    pairs = x[:-1] + x[1:]
    fours = pairs[:-2] + pairs[2:]
    eights = fours[:-4] + fours[4:]
    sixteens = eights[:-8] + eights[8:]
    fast = fours[around - FAST[0] // 2 :][:n]
    slow = sixteens[around - SLOW[0] // 2 :][:n]
    return _across(fast, FAST), _across(slow, SLOW)


def _across(x: FloatArray, size: tuple[int, int]) -> FloatArray:
    n_rows, n_bins = size
    y = x.copy()
    for k in range(1, n_bins // 2 + 1):
        y[:, k:] += x[:, :-k]
        y[:, :-k] += x[:, k:]
    y /= np.float32(n_rows * n_bins)
    return y


def _closed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill gaps of up to `_JOIN_ROWS` rows and of one bin: a morphological closing."""
    padded = np.pad(mask, ((_JOIN_ROWS, _JOIN_ROWS), (1, 1)))
    size = 2 * _JOIN_ROWS + 1
    rows = np.lib.stride_tricks.sliding_window_view(
        np.pad(padded, ((_JOIN_ROWS,) * 2, (0, 0))), size, axis=0
    )
    grown = np.any(rows, axis=-1, keepdims=True)[..., 0]
    wide = grown.copy()
    wide[:, 1:] |= grown[:, :-1]
    wide[:, :-1] |= grown[:, 1:]
    wide = np.pad(wide, ((_JOIN_ROWS,) * 2, (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(wide, size, axis=0)
    kept = np.all(views, axis=-1, keepdims=True)[..., 0]
    narrow = kept.copy()
    narrow[:, 1:] &= kept[:, :-1]
    narrow[:, :-1] &= kept[:, 1:]
    return np.asarray(narrow[_JOIN_ROWS:-_JOIN_ROWS, 1:-1] | mask)
