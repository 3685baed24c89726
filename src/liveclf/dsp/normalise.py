"""The one normalisation on the host, used by the framer and by training alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.records import FloatArray, SampleFormat

# Native windows, a view of shape (n, 2, window), and their format -> `Windows.x`, and the mean
# power of each, (n,) float32, in squared units of the format.
Normaliser = Callable[[NDArray[Any], SampleFormat], tuple[NDArray[Any], FloatArray]]


def normalised(views: NDArray[Any], fmt: SampleFormat) -> tuple[FloatArray, FloatArray]:
    """Convert native windows to float32 of unit mean power; the usual `Normaliser`."""
    return unit_power(_centred(views, fmt))


class NativeWindows:
    """A `Normaliser` that leaves the work to whoever takes native windows.

    What is on the host decides which windows are skipped and how loud they are, so the power
    is computed here all the same, bit for bit as `normalised` does.
    """

    def __init__(self, accept: Callable[[SampleFormat], bool]) -> None:
        """Remember who takes them.

        Args:
            accept: Whether windows of a format are taken as they are; asked once a format.
        """
        self._accept = accept
        self._accepted: dict[SampleFormat, bool] = {}

    def __call__(self, views: NDArray[Any], fmt: SampleFormat) -> tuple[NDArray[Any], FloatArray]:
        """Return copies of the samples, (n, window, 2), or what `normalised` does."""
        if fmt not in self._accepted:
            self._accepted[fmt] = self._accept(fmt)
        if not self._accepted[fmt]:
            return normalised(views, fmt)
        # Copied, so that a window does not keep its block alive.
        return np.array(views.transpose(0, 2, 1), order="C"), mean_power(_centred(views, fmt))


def _centred(views: NDArray[Any], fmt: SampleFormat) -> FloatArray:
    x = np.empty(views.shape, np.float32)
    with np.errstate(over="ignore"):  # 64-bit samples beyond 32: infinite, so skipped
        np.subtract(views, fmt.offset, out=x, dtype=np.float32, casting="unsafe")
    return x


def mean_power(x: FloatArray) -> FloatArray:
    """Return mean |x|^2 of windows (n, 2, window), shape (n,) float32."""
    n, _, window = x.shape
    flat = x.reshape(n, 2 * window)
    with np.errstate(over="ignore", invalid="ignore"):
        # By BLAS: twice as fast as einsum.
        power: FloatArray = np.vecdot(flat, flat) / np.float32(window)
    return power


def unit_power(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scale windows in place to unit mean power, x / sqrt(mean |x|^2).

    No mean is removed: the carrier of AM and of unipolar ASK is a feature.

    Args:
        x: Windows, shape (n, 2, window) float32, any scale; overwritten.

    Returns:
        The same array, and the mean power before, shape (n,) float32. Windows of
        zero or non-finite power are left as they are, for the caller to skip.
    """
    power = mean_power(x)
    usable = np.isfinite(power) & (power > 0)
    x *= (1 / np.sqrt(np.where(usable, power, 1))).astype(np.float32)[:, None, None]
    return x, power
