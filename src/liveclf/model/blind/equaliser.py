"""The blind equaliser; see `symbols.equalise`."""

from __future__ import annotations

from typing import Any

import numpy as np

from liveclf.model.blind.constants import DOUBT, LATEST, ROUNDS
from liveclf.model.blind.kernel import kernel, part
from liveclf.records import FloatArray

TAPS = 2 * LATEST + 1
_REACH = 2 * LATEST  # of what lies before and after a row, which is a circle


def equalise(z: FloatArray, weight: FloatArray, rate: FloatArray) -> FloatArray:
    """Undo what echoes have done, as far as the kurtosis of the symbols tells.

    Args:
        z: Windows (n, 2, samples), mean power of the symbols 1.
        weight: Of each sample, (n, samples), sum 1.
        rate: Symbols a window, (n,).

    Returns:
        The same, equalised.
    """
    ridge = np.float32(DOUBT) / rate
    inverse = np.linalg.inv(_covariance(z, weight, ridge))
    equalised: FloatArray = _rounds(z, weight, ridge, inverse)
    return equalised


@kernel
def _covariance(z: Any, weight: Any, ridge: Any) -> Any:
    """Return the covariances of the taps (n, TAPS, TAPS) complex64, and the ridge on them."""
    n, _, samples = z.shape
    out = np.empty((n, TAPS, TAPS), np.complex64)
    re, im, w = _room(samples), _room(samples), _room(samples)
    product_re, product_im = np.empty(samples, np.float32), np.empty(samples, np.float32)
    for k in range(n):
        _around(z[k, 0], re)
        _around(z[k, 1], im)
        _around(weight[k], w)
        for lag in range(TAPS):
            # Taps are samples i later: all pairs as far apart weigh the same products.
            for m in range(samples):
                a, b = m + _REACH, m + _REACH - lag
                product_re[m] = re[a] * re[b] + im[a] * im[b]
                product_im[m] = re[a] * im[b] - im[a] * re[b]
            for i in range(TAPS - lag):
                sum_re = sum_im = np.float32(0)
                for m in range(samples):
                    sum_re += w[m + LATEST + i] * product_re[m]
                    sum_im += w[m + LATEST + i] * product_im[m]
                out[k, i, i + lag] = complex(sum_re, sum_im)
                out[k, i + lag, i] = complex(sum_re, -sum_im)
        for i in range(TAPS):
            out[k, i, i] += ridge[k]
    return out


@kernel
def _rounds(z: Any, weight: Any, ridge: Any, inverse: Any) -> Any:
    n, _, samples = z.shape
    out = z.copy()
    re, im = _room(samples), _room(samples)
    wanted_re, wanted_im = np.empty(samples, np.float32), np.empty(samples, np.float32)
    target, filters = np.empty(TAPS, np.complex64), np.empty(TAPS, np.complex64)
    for k in range(n):
        _around(z[k, 0], re)
        _around(z[k, 1], im)
        for _ in range(ROUNDS):
            _pull(out[k, 0], out[k, 1], weight[k], wanted_re, wanted_im)
            _correlate(re, im, wanted_re, wanted_im, target)
            target[LATEST] += ridge[k]
            _apply(inverse[k], target, filters)
            _filter(re, im, filters, out[k, 0], out[k, 1])
            _to_unit_power(out[k], weight[k])
    return out


@part
def _pull(re: Any, im: Any, weight: Any, out_re: Any, out_im: Any) -> None:
    """Write what pulls each sample towards unit power, the more the nearer to a symbol."""
    for m in range(len(re)):
        pull = weight[m] * (np.float32(2) - re[m] * re[m] - im[m] * im[m])
        out_re[m], out_im[m] = pull * re[m], pull * im[m]


@part
def _correlate(re: Any, im: Any, by_re: Any, by_im: Any, out: Any) -> None:
    """Write the sums of the taps, conjugate, times what is wanted."""
    for i in range(TAPS):
        late = _REACH + LATEST - i
        sum_re = sum_im = np.float32(0)
        for m in range(len(by_re)):
            sum_re += re[m + late] * by_re[m] + im[m + late] * by_im[m]
            sum_im += re[m + late] * by_im[m] - im[m + late] * by_re[m]
        out[i] = complex(sum_re, sum_im)


@part
def _apply(matrix: Any, x: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = 0
        for j in range(len(x)):
            out[i] += matrix[i, j] * x[j]


@part
def _filter(re: Any, im: Any, filters: Any, out_re: Any, out_im: Any) -> None:
    out_re[:] = 0
    out_im[:] = 0
    for i in range(TAPS):
        late = _REACH + LATEST - i
        a, b = filters[i].real, filters[i].imag
        for m in range(len(out_re)):
            out_re[m] += a * re[m + late] - b * im[m + late]
            out_im[m] += b * re[m + late] + a * im[m + late]


@kernel
def scaled(z: Any, weight: Any) -> Any:
    """Return windows (n, 2, samples) whose symbols have unit power."""
    out = z.copy()
    for k in range(len(out)):
        _to_unit_power(out[k], weight[k])
    return out


@kernel
def _to_unit_power(z: Any, weight: Any) -> None:
    power = np.float32(0)
    for m in range(z.shape[1]):
        power += weight[m] * (z[0, m] * z[0, m] + z[1, m] * z[1, m])
    z *= np.float32(1) / np.sqrt(power + np.float32(1e-9))


@kernel
def _room(samples: int) -> Any:
    return np.empty(samples + 2 * _REACH, np.float32)


@kernel
def _around(x: Any, out: Any) -> None:
    """Write a row with as much of its other end before and after it as taps reach."""
    samples = len(x)
    out[:_REACH] = x[samples - _REACH :]
    out[_REACH : samples + _REACH] = x
    out[samples + _REACH :] = x[:_REACH]
