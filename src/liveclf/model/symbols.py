"""What a demodulator would see: symbol timing, an equaliser, and the constellation.

Without weights, and blind: nothing is known of the signal but what the window shows. Orders of
QAM and PSK differ only where the pulses do not overlap, at the middle of each symbol; between
the symbols all of them look alike.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from liveclf.model.fourier import Fourier, around, smooth

ORDERS = (4, 8, 16)  # of the powers whose lines are looked for
RINGS = 24  # of the histogram of radii
_OUTERMOST = 2.2  # centre of the last ring; the mean power of the symbols is 1
_LATEST = 4  # taps before and after the middle one
_ROUNDS = 3  # of the equaliser; later ones change little
_DOUBT = 25.0  # over the symbols a window: the ridge of the equaliser
_RATES = (40, 511)  # that are looked for, symbols a window: 25 to 2 samples a symbol
_NEIGHBOURHOOD = 64  # bins, on either side, that a line is compared with
_STRIDE = 8  # bins of this many are compared alike
# Symbols a window over the measure of width in `_width`, seen on signals of the generator;
# and the spread that is allowed, of the logarithm.
_RATE_OVER_WIDTH, _RATE_SPREAD = 854.0, 0.22

Parts = tuple[Any, Any]


@keras.saving.register_keras_serializable(package="liveclf")
class Constellation(layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Statistics of the samples in the middle of the symbols, behind a blind equaliser.

    The symbol rate is a line in the envelope; its phase is the timing. (Source: Gardner,
    "Cyclostationarity in Communications and Signal Processing", chapter 1.) The equaliser
    maximises the kurtosis. (Source: Shalvi and Weinstein, "Super-exponential methods for
    blind deconvolution".) A carrier is a line in a power of the symbols. (Source: Viterbi
    and Viterbi, "Nonlinear estimation of PSK-modulated carrier phase".)

    Input windows behind the matched filter (n, 2, samples), samples a square number. Output
    (n, features): three of the timing (how clear, log rate, log rate over width); then, before
    and behind the equaliser, the height of the line in each power of `ORDERS` (0 to 1), and
    histograms of radii, weighted by 1, by the cosine of the phase of the fourth power relative
    to its line, and by that of twice this phase.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the constants of the transforms."""
        self._samples = input_shape[2] or 0
        self._one = Fourier(1, self._samples)
        self._orders = Fourier(len(ORDERS), self._samples)

    def call(self, y: Any) -> Any:
        """Return the statistics."""
        weight, rate, clarity = self._timing(y)
        before = _unit_power((y[:, 0], y[:, 1]), weight)
        after = equalise(before, weight, _DOUBT / rate)
        parts = [clarity, self._statistics(before, weight), self._statistics(after, weight)]
        return ops.concatenate(parts, axis=-1)

    def _timing(self, y: Any) -> tuple[Any, Any, Any]:
        """Return how near each sample is to the middle of a symbol, and how clear that is.

        Returns:
            Weights (n, samples), sum 1; symbols a window (n, 1); statistics (n, 3).
        """
        envelope = y[:, 0] * y[:, 0] + y[:, 1] * y[:, 1]
        flat = ops.expand_dims(envelope - ops.mean(envelope, axis=-1, keepdims=True), 1)
        re, im = (part[:, 0] for part in self._one.forward(flat, ops.zeros_like(flat)))
        width = _width(y)
        likely = _likely_rates(re * re + im * im, width)
        tone, _ = self._tone(re, im, likely)
        weight = ops.square(ops.square(ops.square(0.5 + 0.5 * tone)))
        best = ops.max(likely, -1, keepdims=True)
        tallest = ops.cast(likely >= best, "float32")
        bins = np.arange(self._samples, dtype=np.float32)
        rate = ops.sum(tallest * bins, -1, keepdims=True) / ops.sum(tallest, -1, keepdims=True)
        clarity = [ops.log(best + 1e-3), ops.log(rate), ops.log(rate / width)]
        weight = weight / ops.sum(weight, -1, keepdims=True)
        return weight, rate, ops.concatenate(clarity, -1)

    def _tone(self, re: Any, im: Any, heights: Any) -> Parts:
        """Return the phase of the tallest line over time, parts of a unit phasor (n, samples).

        Args:
            re: Real part of the spectrum, (n, samples).
            im: Its imaginary part.
            heights: What each bin has; the neighbours of the tallest let the phase drift.
        """
        tallest = ops.cast(heights >= ops.max(heights, -1, keepdims=True), "float32")
        near = around(tallest[:, None], 5, ops.max_pool)
        re, im = self._one.backward(re[:, None] * near, im[:, None] * near)
        size = ops.rsqrt(re * re + im * im + 1e-12)
        return (re * size)[:, 0], (im * size)[:, 0]

    def _statistics(self, z: Parts, weight: Any) -> Any:
        """Return (n, len(ORDERS) + 3 * RINGS): heights of lines, and histograms."""
        power = z[0] * z[0] + z[1] * z[1]
        inverse = ops.rsqrt(power + 1e-9)
        powers = _powers((z[0] * inverse, z[1] * inverse))
        strong = weight * power  # a phase is the surer the farther out
        re, im = self._orders.forward(
            ops.stack([strong * re for re, _ in powers], 1),
            ops.stack([strong * im for _, im in powers], 1),
        )
        lines = re * re + im * im  # (n, orders, samples)
        heights = 2.0 * ops.sqrt(ops.max(smooth(lines, 4), axis=-1))
        tone = self._tone(re[:, 0], im[:, 0], lines[:, 0])
        fourth = _times(powers[0], (tone[0], -tone[1]))
        eighth = 2.0 * fourth[0] * fourth[0] - 1.0  # cosine of twice the phase
        columns = ops.stack([weight, weight * fourth[0], weight * eighth], 1)
        rings = _in_rings(power * inverse, columns)
        return ops.concatenate([heights, ops.reshape(rings, (-1, 3 * RINGS))], -1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the statistics."""
        return (input_shape[0], 3 + 2 * (len(ORDERS) + 3 * RINGS))


def _width(y: Any) -> Any:
    """Return the symbol rate that goes with the width of the spectrum, (n, 1) bins.

    The correlation of neighbouring samples says the width: a white signal has none.
    """
    products = ops.matmul(y[:, :, 1:], ops.transpose(y[:, :, :-1], (0, 2, 1)))
    re, im = products[:, 0, 0] + products[:, 1, 1], products[:, 1, 0] - products[:, 0, 1]
    likeness = ops.sqrt(re * re + im * im) * np.float32(1 / y.shape[-1])  # y has unit power
    return _RATE_OVER_WIDTH * ops.sqrt(ops.maximum(1.0 - likeness, 1e-3))[:, None]


def _likely_rates(power: Any, expected: Any) -> Any:
    """Return how far each bin of the envelope's spectrum stands out, where a rate may be.

    Args:
        power: Spectrum of the envelope (n, samples).
        expected: Symbol rate (n, 1), bins.
    """
    samples = power.shape[-1]
    parts = ops.reshape(power, (-1, samples // _STRIDE, _STRIDE))
    means = ops.mean(parts, axis=-1)[:, None]
    means = smooth(means, _NEIGHBOURHOOD // _STRIDE)[:, 0]
    half = _NEIGHBOURHOOD // _STRIDE // 2
    # The lower of both sides: the spectrum that a line stands on is steep.
    beside = ops.minimum(_turned(means, half), _turned(means, -half))
    ground = beside + 1e-4 * ops.max(means, 1, keepdims=True) + 1e-6
    contrast = parts / ops.expand_dims(ground, -1)
    bins = np.arange(samples)
    known = ((bins >= _RATES[0]) & (bins <= _RATES[1])).astype(np.float32)
    off = (np.log(np.maximum(bins, 1)).astype(np.float32) - ops.log(expected)) / _RATE_SPREAD
    return ops.reshape(contrast, (-1, samples)) * ops.exp(-0.5 * off * off) * known


def _in_rings(radius: Any, columns: Any) -> Any:
    """Return histograms of radii (n, columns, RINGS).

    Args:
        radius: Shape (n, samples).
        columns: What each sample counts, (n, columns, samples).
    """
    # A ring counts what lies nearer than the next ones: the second difference of ramps.
    place = radius * np.float32((RINGS - 1) / _OUTERMOST)
    edges = np.arange(-1, RINGS + 1, dtype=np.float32)[:, None]
    ramps = ops.relu(place[:, None] - edges)  # (n, RINGS + 2, samples)
    sums = ops.matmul(columns, ops.transpose(ramps, (0, 2, 1)))
    return sums[..., 2:] - 2.0 * sums[..., 1:-1] + sums[..., :-2]


def equalise(z: Parts, weight: Any, ridge: Any) -> Parts:
    """Undo what echoes have done, as far as the kurtosis of the symbols tells.

    Args:
        z: Windows, parts of (n, samples); mean power of the symbols 1.
        weight: Of each sample, (n, samples), sum 1: near the middle of a symbol or not.
        ridge: How much it trusts the samples as they are, (n, 1).

    Returns:
        The same, equalised.
    """
    shifts = range(-_LATEST, _LATEST + 1)
    # The real parts, then the imaginary ones: (n, 2 * count, samples).
    taps = ops.stack([_turned(part, s) for part in z for s in shifts], 1)
    count = len(shifts)
    inverse = _inverse_covariance(taps, weight, ridge)
    middle = np.zeros((2 * count, 1), np.float32)
    middle[_LATEST] = 1
    start = ridge[..., None] * middle
    for _ in range(_ROUNDS):
        wanted = weight * (2.0 - z[0] * z[0] - z[1] * z[1])
        both = ops.matmul(taps, ops.stack([wanted * z[0], wanted * z[1]], -1))  # (n, 2 count, 2)
        re = both[:, :count, :1] + both[:, count:, 1:]
        im = both[:, :count, 1:] - both[:, count:, :1]
        filters = ops.matmul(inverse, ops.concatenate([re, im], 1) + start)  # (n, 2 count, 1)
        rows = ops.transpose(filters, (0, 2, 1))
        out = ops.matmul(_as_real(rows[..., :count], rows[..., count:]), taps)  # (n, 2, samples)
        z = _unit_power((out[:, 0], out[:, 1]), weight)
    return z


def _inverse_covariance(taps: Any, weight: Any, ridge: Any) -> Any:
    """Return the inverse covariance of taps (n, 2 * count, samples), (n, 2 count, 2 count)."""
    count = taps.shape[1] // 2
    products = ops.matmul(taps * weight[:, None], ops.transpose(taps, (0, 2, 1)))
    a, b = products[:, :count], products[:, count:]
    eye = ridge[..., None] * np.eye(count, dtype=np.float32)
    re, im = a[..., :count] + b[..., count:] + eye, a[..., count:] - b[..., :count]
    return inverted(_as_real(re, im))


def _as_real(re: Any, im: Any) -> Any:
    """Return complex matrices (n, a, b) as real ones of twice the size."""
    return ops.concatenate([ops.concatenate([re, -im], -1), ops.concatenate([im, re], -1)], 1)


def inverted(a: Any) -> Any:
    """Invert positive definite matrices (n, k, k), by Gauss and Jordan, without pivots."""
    size = a.shape[-1]
    for k in range(size):
        unit = np.zeros((1, size), np.float32)
        unit[0, k] = 1
        pivot = a[:, k : k + 1, k : k + 1]
        row = (a[:, k : k + 1] + unit) / pivot  # (n, 1, k)
        column = a[:, :, k : k + 1] - unit.T
        a = a - column * row
    return a


def _unit_power(z: Parts, weight: Any) -> Parts:
    power = ops.sum(weight * (z[0] * z[0] + z[1] * z[1]), axis=-1, keepdims=True)
    scale = ops.rsqrt(power + 1e-9)
    return z[0] * scale, z[1] * scale


def _powers(z: Parts) -> list[Parts]:
    """Return the powers of `ORDERS`."""
    z = _times(z, z)
    powers = []
    for _ in ORDERS:
        z = _times(z, z)
        powers.append(z)
    return powers


def _times(a: Parts, b: Parts) -> Parts:
    """Multiply complex numbers given in parts."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _turned(x: Any, by: int) -> Any:
    """Turn the last axis round by so many places; LiteRT has no operation for it."""
    by %= x.shape[-1]
    return ops.concatenate([x[..., -by:], x[..., :-by]], axis=-1) if by else x
