"""NumPy arrays: complex of shape (n,), or I and Q of shape (n, 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.config import SourceSettings
from liveclf.dsp.formats import FORMATS, sample_format
from liveclf.errors import SourceError, UsageError
from liveclf.records import Capture, Dataset, SampleFormat
from liveclf.sources.names import Hints, from_name
from liveclf.sources.recording import Recording
from liveclf.sources.samples import FileSamples, reason, size_of, with_byte_order

_MAGIC = b"\x93NUMPY"


def open_recording(path: Path, settings: SourceSettings) -> Recording:
    """Open an array file.

    Args:
        path: The .npy file.
        settings: Flags that go before the name.

    Raises:
        SourceError: It is no array of IQ samples, or cannot be read.
        UsageError: A flag is wrong.
    """
    size = size_of(path)
    array = _mapped(path)
    hints = Hints.from_flags(settings).or_else(from_name(path.name))
    fmt = _format_of(array, path)
    if settings.format:
        told = sample_format(settings.format)
        if told.bytes_per_sample != fmt.bytes_per_sample:
            raise UsageError(
                f"--format {told.name} does not fit {path}, which holds {fmt.name}; leave it out."
            )
        fmt = told
    samples = FileSamples(path, fmt, len(array), ((0, array.offset),))
    capture = Capture(0, 0, hints.sample_rate_hz, hints.center_hz, hints.epoch_s(0))
    dataset = Dataset(
        path, fmt, len(array), (capture,),
        header_bytes=array.offset,
        trailing_bytes=size - array.offset - len(array) * fmt.bytes_per_sample,
    )  # fmt: skip
    return Recording(path.name, samples, fmt, (capture,), files=(path,), dataset=dataset)


def _mapped(path: Path) -> np.memmap[Any, Any]:
    """Map the file only to learn its type, shape and where the samples begin."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise SourceError(f"Recording {path} is no NumPy array file, whatever its ending says.")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, TypeError) as error:
        raise SourceError(
            f"Recording {path} cannot be read as a NumPy array: {reason(error)}."
        ) from None
    if not isinstance(array, np.memmap):
        raise SourceError(f"Recording {path} holds no array of samples.")
    return array


def _format_of(array: NDArray[Any], path: Path) -> SampleFormat:
    is_iq = array.ndim == 1 if array.dtype.kind == "c" else array.shape[1:] == (2,)
    if not is_iq or not array.flags.c_contiguous or not len(array):
        layout = "" if array.flags.c_contiguous else " in Fortran order"
        raise SourceError(
            f"Recording {path} holds {array.dtype} of shape {array.shape}{layout}; save complex"
            " samples of shape (n,), or I and Q of shape (n, 2) in C order."
        )
    component = array.real.dtype if array.dtype.kind == "c" else array.dtype
    for fmt in FORMATS.values():
        # cs24 has the type of cs32 in memory, and is none in a file.
        if fmt.name != "cs24" and fmt.dtype == component.newbyteorder("<"):
            return with_byte_order(fmt, component)
    raise SourceError(
        f"Recording {path} holds {array.dtype}, which is no sample format; convert it to complex64."
    )
