"""The sample formats: name, layout and scale, and the file endings that mean them.

Raw recordings are interleaved I, Q, I, Q, ... little endian unless said otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import UsageError
from liveclf.records import SampleFormat

FORMATS: dict[str, SampleFormat] = {
    f.name: f
    for f in (
        # 127.5: the centre of 0..255, so that the range is exactly +-1 as in
        # librtlsdr's own tools; 127.4 and 128 are also met in the wild.
        SampleFormat("cu8", np.dtype("u1"), 127.5, 127.5),
        SampleFormat("cs8", np.dtype("i1"), 0.0, 128.0),
        SampleFormat("cu16", np.dtype("<u2"), 32767.5, 32767.5),
        SampleFormat("cs16", np.dtype("<i2"), 0.0, 32768.0),
        SampleFormat("cs24", np.dtype("<i4"), 0.0, 2.0**31),  # widened to the top of 32 bits
        SampleFormat("cu32", np.dtype("<u4"), 2.0**31 - 0.5, 2.0**31),
        SampleFormat("cs32", np.dtype("<i4"), 0.0, 2.0**31),
        SampleFormat("cf32", np.dtype("<f4"), 0.0, 1.0),
        SampleFormat("cf64", np.dtype("<f8"), 0.0, 1.0),
    )
}

# Source: rtl_433 docs/IQ_FORMATS.md, gqrx (.raw), GNU Radio (.cfile), URH (.complex*).
ENDINGS: dict[str, str] = {
    ".cu8": "cu8",
    ".uc8": "cu8",
    ".data": "cu8",
    ".complex16u": "cu8",
    ".bin": "cu8",
    ".cs8": "cs8",
    ".sc8": "cs8",
    ".complex16s": "cs8",
    ".cs16": "cs16",
    ".sc16": "cs16",
    ".complex32s": "cs16",
    ".cf32": "cf32",
    ".fc32": "cf32",
    ".cfile": "cf32",
    ".complex": "cf32",
    ".raw": "cf32",
}


def sample_format(name: str) -> SampleFormat:
    """Look a format up by name.

    Raises:
        UsageError: There is none of that name.
    """
    try:
        return FORMATS[name.lower()]
    except KeyError:
        known = ", ".join(FORMATS)
        raise UsageError(f"Sample format {name!r} is not known; choose one of {known}.") from None


def as_complex(iq: NDArray[Any], fmt: SampleFormat) -> NDArray[np.complex64]:
    """Scale native samples to complex baseband.

    Args:
        iq: Shape (n, 2), dtype `fmt.dtype`.
        fmt: How to read it.

    Returns:
        Shape (n,), complex64, full scale 1.0.
    """
    scaled = np.empty(iq.shape, np.float32)
    np.subtract(iq, fmt.offset, out=scaled, casting="unsafe")
    scaled /= np.float32(fmt.full_scale)
    return scaled.view(np.complex64)[:, 0]
