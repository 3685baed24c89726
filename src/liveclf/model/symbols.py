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

from liveclf.model.blind.constants import (
    DOUBT,
    FEATURES,
    LATEST,
    LINE_BINS,
    NEIGHBOURHOOD,
    ORDERS,
    OUTERMOST,
    RATE_OVER_WIDTH,
    RATE_SPREAD,
    RATES,
    RINGS,
    ROUNDS,
    STRIDE,
)
from liveclf.model.fourier import Fourier, smooth

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
        self._fourier = Fourier(self._samples)

    def call(self, y: Any) -> Any:
        """Return the statistics."""
        weight, rate, clarity = self._timing(y)
        before = _unit_power((y[:, :1], y[:, 1:]), weight)
        after = equalise(before, weight, DOUBT / rate)
        parts = [clarity, self._statistics(before, weight), self._statistics(after, weight)]
        return ops.concatenate(parts, axis=-1)

    def _timing(self, y: Any) -> tuple[Any, Any, Any]:
        """Return how near each sample is to the middle of a symbol, and how clear that is.

        Returns:
            Weights (n, 1, samples), sum 1; symbols a window (n, 1); statistics (n, 3).
        """
        envelope = y[:, :1] * y[:, :1] + y[:, 1:] * y[:, 1:]
        flat = envelope - ops.mean(envelope, axis=-1, keepdims=True)
        re, im = self._fourier.forward(flat[:, :, None])
        width = _width(y)
        likely = _likely_rates(self._fourier.in_order(re * re + im * im)[:, 0], width)
        best = ops.max(likely, -1, keepdims=True)
        rate = _where(likely, best)
        tone, _ = self._tone((re, im), rate)
        weight = ops.square(ops.square(ops.square(0.5 + 0.5 * tone)))
        weight = weight / ops.sum(weight, -1, keepdims=True)
        clarity = [ops.log(best + 1e-3), ops.log(rate), ops.log(rate / width)]
        return weight, rate, ops.concatenate(clarity, -1)

    def _tone(self, spectrum: Parts, bins: Any) -> Parts:
        """Return the phase of a line over time, parts of a unit phasor (n, 1, samples).

        Args:
            spectrum: Of one channel.
            bins: Where the line is, (n, 1) float32; its neighbours let the phase drift.
        """
        # Of a window that is not finite it is any number, and must spoil no other window.
        bins = ops.clip(ops.cast(bins[:, 0], "int32"), 0, self._samples - 1)
        re, im = self._fourier.line(spectrum, bins)
        size = ops.rsqrt(re * re + im * im + 1e-12)
        return re * size, im * size

    def _statistics(self, z: Parts, weight: Any) -> Any:
        """Return (n, len(ORDERS) + 3 * RINGS): heights of lines, and histograms."""
        power = z[0] * z[0] + z[1] * z[1]
        inverse = ops.rsqrt(power + 1e-9)
        powers = _powers((z[0] * inverse, z[1] * inverse))
        strong = weight * power  # a phase is the surer the farther out
        stacked = strong * ops.concatenate([part for parts in powers for part in parts], 1)
        stacked = ops.reshape(stacked, (-1, len(ORDERS), 2, self._samples))
        re, im = self._fourier.forward(stacked)
        lines = self._fourier.in_order(re * re + im * im)  # (n, orders, samples)
        heights = 2.0 * ops.sqrt(ops.max(smooth(lines, LINE_BINS), axis=-1))
        carrier = _where(lines[:, 0], ops.max(lines[:, 0], -1, keepdims=True))
        tone = self._tone((re[:, :1], im[:, :1]), carrier)
        fourth = powers[0][0] * tone[0] + powers[0][1] * tone[1]  # cosine of the phase to it
        eighth = 2.0 * fourth * fourth - 1.0  # that of twice the phase
        columns = ops.concatenate([weight, weight * fourth, weight * eighth], 1)
        rings = _in_rings(power * inverse, columns)
        return ops.concatenate([heights, ops.reshape(rings, (-1, 3 * RINGS))], -1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the statistics."""
        return (input_shape[0], FEATURES)


def _where(heights: Any, best: Any) -> Any:
    """Return the bin of the tallest line, (n, 1) float32; the mean of several alike.

    Not `argmax`, which Keras on TensorFlow builds of what ONNX does not have.

    Args:
        heights: Shape (n, samples).
        best: Their maxima, (n, 1).
    """
    tallest = ops.cast(heights >= best, "float32")
    bins = np.arange(heights.shape[-1], dtype=np.float32)
    return ops.sum(tallest * bins, -1, keepdims=True) / ops.sum(tallest, -1, keepdims=True)


def _width(y: Any) -> Any:
    """Return the symbol rate that goes with the width of the spectrum, (n, 1) bins.

    The correlation of neighbouring samples says the width: a white signal has none.
    """
    products = ops.matmul(y[:, :, 1:], ops.transpose(y[:, :, :-1], (0, 2, 1)))
    re, im = products[:, 0, 0] + products[:, 1, 1], products[:, 1, 0] - products[:, 0, 1]
    likeness = ops.sqrt(re * re + im * im) * np.float32(1 / y.shape[-1])  # y has unit power
    return RATE_OVER_WIDTH * ops.sqrt(ops.maximum(1.0 - likeness, 1e-3))[:, None]


def _likely_rates(power: Any, expected: Any) -> Any:
    """Return how far each bin of the envelope's spectrum stands out, where a rate may be.

    Args:
        power: Spectrum of the envelope (n, samples).
        expected: Symbol rate (n, 1), bins.
    """
    samples = power.shape[-1]
    parts = ops.reshape(power, (-1, samples // STRIDE, STRIDE))
    means = ops.mean(parts, axis=-1)[:, None]
    means = smooth(means, NEIGHBOURHOOD // STRIDE)[:, 0]
    half = NEIGHBOURHOOD // STRIDE // 2
    # The lower of both sides: the spectrum that a line stands on is steep.
    beside = ops.minimum(_turned(means, half), _turned(means, -half))
    ground = beside + 1e-4 * ops.max(means, 1, keepdims=True) + 1e-6
    contrast = parts / ops.expand_dims(ground, -1)
    bins = np.arange(samples)
    known = ((bins >= RATES[0]) & (bins <= RATES[1])).astype(np.float32)
    off = (np.log(np.maximum(bins, 1)).astype(np.float32) - ops.log(expected)) / RATE_SPREAD
    return ops.reshape(contrast, (-1, samples)) * ops.exp(-0.5 * off * off) * known


def _in_rings(radius: Any, columns: Any) -> Any:
    """Return histograms of radii (n, columns, RINGS).

    Args:
        radius: Shape (n, 1, samples).
        columns: What each sample counts, (n, columns, samples).
    """
    # A ring counts what lies nearer than the next ones: the second difference of ramps.
    place = radius * np.float32((RINGS - 1) / OUTERMOST)
    edges = np.arange(-1, RINGS + 1, dtype=np.float32)[:, None]
    ramps = ops.maximum(place, edges)  # (n, RINGS + 2, samples)
    sums = ops.matmul(columns, ops.transpose(ramps, (0, 2, 1)))
    return sums[..., 2:] - 2.0 * sums[..., 1:-1] + sums[..., :-2]


def equalise(z: Parts, weight: Any, ridge: Any) -> Parts:
    """Undo what echoes have done, as far as the kurtosis of the symbols tells.

    Args:
        z: Windows, parts of (n, 1, samples); mean power of the symbols 1.
        weight: Of each sample, (n, 1, samples), sum 1: near the middle of a symbol or not.
        ridge: How much it trusts the samples as they are, (n, 1).

    Returns:
        The same, equalised.
    """
    # The real parts, then the imaginary ones: (n, 2 * count, samples).
    taps = ops.concatenate([tap for part in z for tap in _delayed(part)], 1)
    count = 2 * LATEST + 1
    ridge = ridge[..., None]
    inverse = _inverse_covariance(taps, weight, ridge)
    middle = np.zeros((2 * count, 1), np.float32)
    middle[LATEST] = 1
    start = ridge * middle
    for _ in range(ROUNDS):
        wanted = weight * (2.0 - z[0] * z[0] - z[1] * z[1])
        both = ops.concatenate([wanted * z[0], wanted * z[1]], 1)
        both = ops.matmul(taps, ops.transpose(both, (0, 2, 1)))  # (n, 2 count, 2)
        re = both[:, :count, :1] + both[:, count:, 1:]
        im = both[:, :count, 1:] - both[:, count:, :1]
        filters = ops.matmul(inverse, ops.concatenate([re, im], 1) + start)  # (n, 2 count, 1)
        rows = ops.transpose(filters, (0, 2, 1))
        out = ops.matmul(_as_real(rows[..., :count], rows[..., count:]), taps)  # (n, 2, samples)
        z = _unit_power((out[:, :1], out[:, 1:]), weight)
    return z


def _delayed(x: Any) -> list[Any]:
    """Return rows (n, 1, samples) from `LATEST` samples early to as many late, in a circle."""
    samples = x.shape[-1]
    x = ops.concatenate([x[..., -LATEST:], x, x[..., :LATEST]], axis=-1)
    return [x[..., LATEST - s : LATEST - s + samples] for s in range(-LATEST, LATEST + 1)]


def _inverse_covariance(taps: Any, weight: Any, ridge: Any) -> Any:
    """Return the inverse covariance of taps (n, 2 * count, samples), (n, 2 count, 2 count)."""
    count = taps.shape[1] // 2
    products = ops.matmul(taps * weight, ops.transpose(taps, (0, 2, 1)))
    a, b = products[:, :count], products[:, count:]
    re = a[..., :count] + b[..., count:] + ridge * np.eye(count, dtype=np.float32)
    im = a[..., count:] - b[..., :count]
    # (re + i im)^-1 by parts: a quarter of the arithmetic of the matrix of twice the size.
    of_re = inverted(re)
    turned = ops.matmul(of_re, im)
    first = inverted(re + ops.matmul(im, turned))
    return _as_real(first, -ops.matmul(turned, first))


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
    z = _squared(z)
    powers = []
    for _ in ORDERS:
        z = _squared(z)
        powers.append(z)
    return powers


def _squared(z: Parts) -> Parts:
    """Square complex numbers given in parts."""
    return (z[0] - z[1]) * (z[0] + z[1]), (z[0] + z[0]) * z[1]


def _turned(x: Any, by: int) -> Any:
    """Turn the last axis round by so many places; LiteRT has no operation for it."""
    by %= x.shape[-1]
    return ops.concatenate([x[..., -by:], x[..., :-by]], axis=-1) if by else x
