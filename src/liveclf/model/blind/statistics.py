"""Lines of powers and histograms of radii; see `symbols.Constellation._statistics`."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import fft

from liveclf.model.blind.constants import LINE_BINS, ORDERS, OUTERMOST, RINGS, SAMPLES
from liveclf.model.blind.kernel import kernel
from liveclf.model.blind.line import five_bins, phase
from liveclf.records import FloatArray

_DOUBLINGS = len(ORDERS)  # of the fourth power: each order is twice the one before


def statistics(z: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the heights of the lines, and the histograms.

    Args:
        z: Windows (n, 2, samples), mean power of the symbols 1.
        weight: Of each sample, (n, samples), sum 1.

    Returns:
        Shape (n, len(ORDERS) + 3 * RINGS) float32.
    """
    spectra = fft.fft(_powers(z, weight), axis=-1, overwrite_x=True)
    heights, carrier = _lines(spectra)
    lines = five_bins(spectra[:, 0], carrier)
    tone = fft.ifft(lines, axis=-1, norm="forward", overwrite_x=True)
    return np.concatenate([heights, _histograms(z, weight, tone)], axis=-1)


@kernel
def _powers(z: Any, weight: Any) -> Any:
    """Return the powers of `ORDERS` of the phasors, weighted, (n, orders, samples) complex64."""
    n = len(z)
    out = np.empty((n, _DOUBLINGS, SAMPLES), np.complex64)
    for k in range(n):
        for m in range(SAMPLES):
            re, im = z[k, 0, m], z[k, 1, m]
            power = re * re + im * im
            strong = weight[k, m] * power  # a phase is the surer the farther out
            inverse = np.float32(1) / np.sqrt(power + np.float32(1e-9))
            re, im = _squared(re * inverse, im * inverse)
            for order in range(_DOUBLINGS):
                re, im = _squared(re, im)
                out[k, order, m] = complex(strong * re, strong * im)
    return out


@kernel
def _squared(re: Any, im: Any) -> Any:
    return (re - im) * (re + im), (re + re) * im


@kernel
def _lines(spectra: Any) -> Any:
    """Return how high each line is (n, orders), and where the first one is, (n,) bins."""
    n, orders = len(spectra), spectra.shape[1]
    heights, carrier = np.empty((n, orders), np.float32), np.empty(n, np.float32)
    power = np.empty(SAMPLES + LINE_BINS - 1, np.float32)
    for k in range(n):
        for order in range(orders):
            row = spectra[k, order]
            for i in range(SAMPLES):
                power[i] = row[i].real * row[i].real + row[i].imag * row[i].imag
            power[SAMPLES:] = power[: LINE_BINS - 1]
            highest = np.float32(0)
            for i in range(SAMPLES):
                total = np.float32(0)
                for neighbour in range(LINE_BINS):
                    total += power[i + neighbour]
                highest = max(highest, total)
            heights[k, order] = np.float32(2) * np.sqrt(highest / np.float32(LINE_BINS))
            if order == 0:
                carrier[k] = _tallest(power[:SAMPLES])
    return heights, carrier


@kernel
def _tallest(power: Any) -> Any:
    """Return the bin of the tallest line; the mean of several alike."""
    best = np.max(power)
    places = alike = 0
    for i in range(len(power)):
        if power[i] >= best:
            places, alike = places + i, alike + 1
    return np.float32(places / alike) if alike else np.float32(np.nan)


@kernel
def _histograms(z: Any, weight: Any, tone: Any) -> Any:
    """Return three histograms of radii side by side, (n, 3 * RINGS).

    Weighted by 1, by the cosine of the phase of the fourth power relative to its line, and by
    that of twice this phase. A sample is shared out between the two rings that it is between.
    """
    n = len(z)
    out = np.zeros((n, 3 * RINGS), np.float32)
    scale = np.float32((RINGS - 1) / OUTERMOST)
    for k in range(n):
        for m in range(SAMPLES):
            re, im = z[k, 0, m], z[k, 1, m]
            power = re * re + im * im
            inverse = np.float32(1) / np.sqrt(power + np.float32(1e-9))
            place = power * inverse * scale
            if not place < RINGS:  # nor what is no number
                continue
            re, im = _squared(re * inverse, im * inverse)
            re, im = _squared(re, im)
            line = phase(tone[k, m])
            fourth = re * line.real + im * line.imag
            eighth = np.float32(2) * fourth * fourth - np.float32(1)
            ring = int(place)
            part = place - np.float32(ring)
            w = weight[k, m]
            _add(out[k], ring, (np.float32(1) - part) * w, fourth, eighth)
            if ring + 1 < RINGS:
                _add(out[k], ring + 1, part * w, fourth, eighth)
    return out


@kernel
def _add(row: Any, ring: int, w: Any, fourth: Any, eighth: Any) -> None:
    row[ring] += w
    row[RINGS + ring] += w * fourth
    row[2 * RINGS + ring] += w * eighth
