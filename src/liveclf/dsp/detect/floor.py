"""The noise floor of every bin, which follows the band and not the signals in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from liveclf.records import FloatArray

# Signals that never pause are taken out of the floor if narrower than this share of the band.
_WIDEST = 0.5
# A plateau wider than this over next to nothing is the passband of a filter, with noise in it.
_NARROWEST, _SILENCE = 0.25, 10**3.3
_SMOOTH_BINS = 15
_QUANTILE = 0.1  # bursts may fill nine tenths of the time that the floor is learnt from
_EQUIVALENT = 0.6  # bins of a Hann window are worth so many that are independent
_MEMORY_ROWS = 4096
# All bins up by so much, nearly alike, and for so long: the gain has changed.
_STEP_RATIO, _STEP_SPREAD, _STEP_SHARE, _STEP_ROWS = 1.6, 4.0, 0.15, 192
_DC_BINS = 2


class Floor:
    """Noise power per bin.

    First the low quantile over time of the smoothed periodogram, of which what stands out of
    its surroundings is cut off (a grey opening over frequency); then the running mean of the
    cells in which nothing was found.
    """

    def __init__(self, least: float) -> None:
        """Begin without knowledge.

        Args:
            least: Noise power per bin below which no floor is believed, such as that of the
                rounding to integers.
        """
        self._least = np.float32(least)
        self._seen: FloatArray | None = None
        self._rows_up = 0

    @property
    def is_known(self) -> bool:
        """Whether `level` can be asked for."""
        return self._seen is not None

    @property
    def level(self) -> FloatArray:
        """Mean noise power, shape (n_bins,) float32."""
        assert self._seen is not None
        return self._seen

    def learn(self, rows: FloatArray) -> None:
        """Begin anew from rows with signals in them.

        Args:
            rows: Power, shape (rows, n_bins).
        """
        rows = rows[rows.any(axis=1)]
        if not len(rows):
            return
        means = ndimage.uniform_filter1d(rows, _SMOOTH_BINS, axis=1, mode="nearest")
        low = np.quantile(means, _QUANTILE, axis=0)
        # What the quantile of such a mean of exponentially distributed power is short of the mean.
        freedom = _EQUIVALENT * _SMOOTH_BINS
        low /= stats.gamma.ppf(_QUANTILE if len(means) > 1 else 0.5, freedom) / freedom
        opened = _opened(low, _WIDEST)
        passband = _opened(low, _NARROWEST)
        opened = np.where(passband > _SILENCE * opened, passband, opened)
        middle = rows.shape[1] // 2
        dc = slice(middle - _DC_BINS, middle + _DC_BINS + 1)
        # A spike at 0 Hz that is always there belongs to the receiver.
        spike = np.quantile(rows[:, dc], 0.25, axis=0) / stats.expon.ppf(0.25)
        level = np.minimum(opened * 1.25, low)
        level[dc] = np.maximum(level[dc], spike)
        self._seen = np.maximum(level, self._least).astype(np.float32)
        self._rows_up = 0

    def follow(self, rows: FloatArray, quiet: NDArray[np.bool_]) -> bool:
        """Go with the noise.

        Args:
            rows: Power, shape (rows, n_bins).
            quiet: Where nothing was found, same shape.

        Returns:
            Whether the gain of the receiver has changed, so that what was found stands on
            another floor.
        """
        level = self.level
        if self._has_stepped(rows):
            self.learn(rows)
            return True
        n = quiet.sum(axis=0)
        mean = np.where(n > 0, (rows * quiet).sum(axis=0) / np.maximum(n, 1), level)
        share = np.minimum(1.0, n / _MEMORY_ROWS).astype(np.float32)
        self._seen = np.maximum(level + share * (mean - level), self._least)
        return False

    def _has_stepped(self, rows: FloatArray) -> bool:
        ratio = ndimage.uniform_filter1d(rows.mean(axis=0) / self.level, _SMOOTH_BINS)
        low, high = np.quantile(ratio, [_STEP_SHARE, 1 - _STEP_SHARE])
        is_up = low > _STEP_RATIO and high < _STEP_SPREAD * low
        self._rows_up = self._rows_up + len(rows) if is_up else 0
        return self._rows_up >= _STEP_ROWS


def _opened(level: FloatArray, share: float) -> FloatArray:
    """Cut off what is narrower than a share of the band: a grey opening."""
    width = int(share * len(level))
    return np.asarray(ndimage.grey_opening(level, width, mode="nearest"))
