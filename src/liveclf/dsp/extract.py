"""One emission out of the band: brought to 0 Hz, filtered, and resampled to a rate of its own.

    iq --> chunks that overlap --FFT--> a slice of bins --filter, IFFT--> samples at a lower rate

The transform of a chunk is made once, for whatever is cut out of it; each emission then costs
no more than a small inverse transform. Overlap-save, after J. J. Shynk, Frequency-domain and
multirate adaptive filtering, IEEE Signal Process. Mag. 9(1), 1992.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Complex = NDArray[np.complex64]
# Reads samples [start, stop) of the stretch; those that there are not are 0.
Read = Callable[[int, int], Complex]

_OVERLAP = 4  # a quarter of a chunk, half of it on either side: as long as the filter may be
_STEP = 8  # bins kept are a multiple of it, so that chunks meet at whole samples
_PASSED, _STOPPED = 0.80, 0.98  # of the band that the new rate holds
_KEPT = 64  # transforms


@dataclass(frozen=True, slots=True)
class Tuning:
    """Where an emission lies, and what it is brought to.

    Attributes:
        center_bin: Transform bin of its middle.
        n_bins: Bins that are kept: the new rate over the old one, times the chunk.
    """

    center_bin: int
    n_bins: int


class Extractor:
    """Cuts emissions out of one stretch."""

    def __init__(self, chunk_samples: int, read: Read) -> None:
        """Set how long a transform is.

        Args:
            chunk_samples: A power of two, at least 256.
            read: Gives the samples.
        """
        self._n, self._read = chunk_samples, read
        self._hop = chunk_samples - chunk_samples // _OVERLAP
        self._spectra: OrderedDict[int, Complex] = OrderedDict()

    def tuning(self, center: float, rate: float) -> Tuning:
        """Choose bins.

        Args:
            center: Middle of the emission, cycles per sample.
            rate: Wanted samples per sample, at most 1.
        """
        wanted = max(_STEP * 2, _STEP * round(rate * self._n / _STEP))
        return Tuning(round(center * self._n), min(wanted, self._n))

    def rate(self, tuning: Tuning) -> float:
        """Return samples out per sample in."""
        return tuning.n_bins / self._n

    def cut(self, start: int, stop: int, known: int, tuning: Tuning) -> tuple[Complex, float]:
        """Return an emission at its own rate.

        Args:
            start: First sample of the stretch wanted.
            stop: Behind the last.
            known: Samples that there are of the stretch, so far or for good.
            tuning: Where and how wide.

        Returns:
            Samples, shape (about (stop - start) * rate,) complex64, and at which sample of the
            stretch the first of them lies.
        """
        rate = self.rate(tuning)
        first, last = start // self._hop, max(start, stop - 1) // self._hop
        pieces = [self._piece(k, known, tuning) for k in range(first, last + 1)]
        y = np.concatenate(pieces)
        skip = round((start - first * self._hop) * rate)
        n = max(1, round((stop - start) * rate))
        return y[skip : skip + n], first * self._hop + skip / rate

    def _piece(self, k: int, known: int, tuning: Tuning) -> Complex:
        m = tuning.n_bins
        begin = k * self._hop - (self._n - self._hop) // 2
        bins = (tuning.center_bin + np.arange(-(m // 2), m - m // 2)) % self._n
        kept = self._spectrum(k, begin, known)[bins] * _response(m, m == self._n)
        # The phase of the oscillator, which every chunk begins anew.
        turn = np.exp(-2j * np.pi * ((tuning.center_bin * begin) % self._n) / self._n)
        y = fft.ifft(fft.ifftshift(kept)) * np.complex64(turn * (m / self._n))
        edge = m // (2 * _OVERLAP)
        return np.asarray(y[edge : m - edge], np.complex64)

    def _spectrum(self, k: int, begin: int, known: int) -> Complex:
        if k in self._spectra:
            self._spectra.move_to_end(k)
            return self._spectra[k]
        spectrum: Complex = fft.fft(self._read(begin, begin + self._n))
        if begin + self._n <= known:  # else more will come
            self._spectra[k] = spectrum
            if len(self._spectra) > _KEPT:
                self._spectra.popitem(last=False)
        return spectrum


def _response(n_bins: int, is_whole: bool) -> NDArray[np.float32]:
    """Return the filter over the kept bins: flat, then half a cosine down to 0."""
    if is_whole:
        return np.ones(n_bins, np.float32)
    share = np.abs(np.arange(n_bins) - n_bins // 2) / (n_bins / 2)
    fall = np.clip((share - _PASSED) / (_STOPPED - _PASSED), 0, 1)
    return (0.5 + 0.5 * np.cos(np.pi * fall)).astype(np.float32)
