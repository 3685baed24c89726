"""The front end in plain NumPy, from its description, with NumPy's transform."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Windows = NDArray[Any]


def matched_by_hand(x: Windows) -> Windows:
    """Filter windows (n, 2, 1024) by the square root of their own spectrum less the noise."""
    out = []
    for i, q in x.astype(np.float64):
        spectrum = np.fft.fft(i + 1j * q)
        power = np.abs(spectrum) ** 2
        n = len(power)
        # 32 bins below, 31 above and the bin itself.
        density = np.array([power[np.arange(k - 32, k + 32) % n].mean() for k in range(n)])
        signal = np.maximum(density - 1.35 * density.min(), 0.01 * density.min())
        y = np.fft.ifft(spectrum * np.sqrt(signal / signal.max()))
        y /= np.sqrt(np.mean(np.abs(y) ** 2))
        out.append([y.real, y.imag])
    return np.array(out)
