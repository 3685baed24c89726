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


def spectra_by_hand(x: Windows, y: Windows) -> Windows:
    """Return the spectra (n, 1024, 6) of windows and of what the matched filter made of them."""
    received = x[:, 0] + 1j * x[:, 1].astype(np.complex128)
    matched = y[:, 0] + 1j * y[:, 1].astype(np.complex128)
    envelope = np.abs(matched) ** 2
    limited = (matched**4 / (envelope**2 + 1e-3)) ** 2
    signals = (
        *(received, matched**2, matched**4, limited, limited**2),
        envelope - envelope.mean(axis=1, keepdims=True),
    )
    out = []
    for signal in signals:
        n = signal.shape[1]
        taper = np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2
        power = np.abs(np.fft.fftshift(np.fft.fft(signal * taper, axis=1), axes=1)) ** 2
        out.append(np.log10(power / (power.mean(axis=1, keepdims=True) + 1e-6) + 1e-3))
    return np.stack(out, axis=-1)
