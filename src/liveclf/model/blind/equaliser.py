"""The blind equaliser; see `symbols.equalise`."""

from __future__ import annotations

from typing import Any

import numpy as np

from liveclf.model.blind.constants import DOUBT, LATEST, ROUNDS, SAMPLES
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
    n = len(z)
    out = np.empty((n, TAPS, TAPS), np.complex64)
    re, im, w = _room(), _room(), _room()
    by_re, by_im = np.empty(SAMPLES, np.float32), np.empty(SAMPLES, np.float32)
    for k in range(n):
        _around(z[k, 0], re)
        _around(z[k, 1], im)
        _around(weight[k], w)
        for lag in range(TAPS):
            # Taps are i samples later: all pairs as far apart weigh the same products.
            late = _REACH - lag
            _products(re[_REACH:], im[_REACH:], re[late:], im[late:], by_re, by_im)
            for i in range(TAPS - lag):
                total = _weighted(w[LATEST + i :], by_re, by_im)
                out[k, i, i + lag] = total
                out[k, i + lag, i] = np.conj(total)
        for i in range(TAPS):
            out[k, i, i] += ridge[k]
    return out


@part
def _products(re: Any, im: Any, late_re: Any, late_im: Any, out_re: Any, out_im: Any) -> None:
    """Write those of a row, conjugate, and another.

    Rows begin where they are wanted, here and below: indices are no sums.
    """
    for m in range(SAMPLES):
        out_re[m] = re[m] * late_re[m] + im[m] * late_im[m]
        out_im[m] = re[m] * late_im[m] - im[m] * late_re[m]


@part
def _weighted(weight: Any, re: Any, im: Any) -> Any:
    sum_re = sum_im = np.float32(0)
    for m in range(SAMPLES):
        sum_re += weight[m] * re[m]
        sum_im += weight[m] * im[m]
    return complex(sum_re, sum_im)


@kernel
def _rounds(z: Any, weight: Any, ridge: Any, inverse: Any) -> Any:
    n = len(z)
    out = z.copy()
    re, im = _room(), _room()
    wanted_re, wanted_im = np.empty(SAMPLES, np.float32), np.empty(SAMPLES, np.float32)
    target, filters = np.empty(TAPS, np.complex64), np.empty(TAPS, np.complex64)
    for k in range(n):
        _around(z[k, 0], re)
        _around(z[k, 1], im)
        for _ in range(ROUNDS):
            _pull(out[k, 0], out[k, 1], weight[k], wanted_re, wanted_im)
            for i in range(TAPS):
                late = _REACH + LATEST - i
                target[i] = _correlation(re[late:], im[late:], wanted_re, wanted_im)
            target[LATEST] += ridge[k]
            _apply(inverse[k], target, filters)
            out[k] = 0
            for i in range(TAPS):
                late = _REACH + LATEST - i
                _add(filters[i], re[late:], im[late:], out[k, 0], out[k, 1])
            _to_unit_power(out[k], weight[k])
    return out


@part
def _pull(re: Any, im: Any, weight: Any, out_re: Any, out_im: Any) -> None:
    """Write what pulls each sample towards unit power, the more the nearer to a symbol."""
    for m in range(SAMPLES):
        pull = weight[m] * (np.float32(2) - re[m] * re[m] - im[m] * im[m])
        out_re[m], out_im[m] = pull * re[m], pull * im[m]


@part
def _correlation(re: Any, im: Any, by_re: Any, by_im: Any) -> Any:
    """Return the sum of a tap, conjugate, times what is wanted."""
    sum_re = sum_im = np.float32(0)
    for m in range(SAMPLES):
        sum_re += re[m] * by_re[m] + im[m] * by_im[m]
        sum_im += re[m] * by_im[m] - im[m] * by_re[m]
    return complex(sum_re, sum_im)


@part
def _apply(matrix: Any, x: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = 0
        for j in range(len(x)):
            out[i] += matrix[i, j] * x[j]


@part
def _add(factor: Any, re: Any, im: Any, out_re: Any, out_im: Any) -> None:
    """Add a tap times its factor."""
    a, b = factor.real, factor.imag
    for m in range(SAMPLES):
        out_re[m] += a * re[m] - b * im[m]
        out_im[m] += b * re[m] + a * im[m]


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
def _room() -> Any:
    return np.empty(SAMPLES + 2 * _REACH, np.float32)


@kernel
def _around(x: Any, out: Any) -> None:
    """Write a row with as much of its other end before and after it as taps reach."""
    out[:_REACH] = x[SAMPLES - _REACH :]
    out[_REACH : SAMPLES + _REACH] = x
    out[SAMPLES + _REACH :] = x[:_REACH]
