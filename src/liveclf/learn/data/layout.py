"""How windows lie in an HDF5 file, recognised from shape and type, and read a slab at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.dsp.formats import FORMATS
from liveclf.dsp.normalise import unit_power
from liveclf.errors import TrainingError
from liveclf.learn.data.hdf5 import member, opened
from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.records import FloatArray

# Rows that are left out between two that are wanted are read along up to here: cheaper
# than another read.
_GAP_ROWS = 32
_SLAB_ROWS = 1024

# What the two fields of a compound are called: h5py and MATLAB; others write I and Q.
_PARTS = (("r", "i"), ("real", "imag"), ("i", "q"))
# The value of an unsigned integer at zero signal.
_CENTRE = {f.dtype: f.offset for f in FORMATS.values() if f.dtype.kind == "u"}
_RADIOML_2016_SAMPLES = 128


@dataclass(frozen=True)
class Layout:
    """How windows are stored.

    Attributes:
        stored: Shape and type in words, for people.
        axes: Of a window, axes of length 1 left out: (1024, 2), (2, 1024) or (1024,).
        parts: Names of the real and the imaginary part, of a complex type; else None.
        offset: Stored value at zero signal.
    """

    stored: str
    axes: tuple[int, ...]
    parts: tuple[str, str] | None
    offset: float

    def to_rows(self, block: NDArray[Any]) -> FloatArray:
        """Bring stored windows to network input; transposed, never reshaped.

        Args:
            block: Shape (n, ...) as stored.

        Returns:
            Shape (n, 2, 1024) float32; row 0 is I, row 1 is Q.
        """
        block = block.squeeze(tuple(k for k in range(1, block.ndim) if block.shape[k] == 1))
        rows = np.empty((len(block), 2, WINDOW_SAMPLES), np.float32)
        with np.errstate(over="ignore"):  # too large for float32: infinite, refused as that
            if self.parts is None:
                rows[:] = block if self.axes[0] == 2 else block.transpose(0, 2, 1)
            elif block.dtype.kind == "c":
                rows[:, 0], rows[:, 1] = block.real, block.imag
            else:
                rows[:, 0], rows[:, 1] = block[self.parts[0]], block[self.parts[1]]
        rows -= np.float32(self.offset)
        return rows


def recognise(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Layout:
    """Find out how `X` stores its windows.

    Raises:
        TrainingError: Its type holds no samples, its windows have another length, or
            its shape fits nothing.
    """
    parts = _parts_of(dtype)
    number = dtype[0].newbyteorder("<") if dtype.names else dtype.newbyteorder("<")
    stored = (
        f"({', '.join(['N', *map(str, shape[1:])])}) {'complex ' if dtype.names else ''}{number}"
    )
    if number.kind not in "fic" and number not in _CENTRE:
        raise TrainingError(
            f"Data set {path}: X holds {dtype}, which is no type for samples; "
            "store floats, signed integers or complex numbers."
        )
    axes = tuple(length for length in shape[1:] if length != 1)
    fits = ((WINDOW_SAMPLES,),) if parts else ((WINDOW_SAMPLES, 2), (2, WINDOW_SAMPLES))
    if axes not in fits:
        raise TrainingError(f"Data set {path}: {_misfit(shape, dtype, axes, parts is not None)}.")
    return Layout(stored, axes, parts, _CENTRE.get(number, 0.0))


def _parts_of(dtype: np.dtype[Any]) -> tuple[str, str] | None:
    if dtype.kind == "c":
        return "real", "imag"
    for names in _PARTS:
        if dtype.names and tuple(name.lower() for name in dtype.names) == names:
            return dtype.names[0], dtype.names[1]
    return None


def _misfit(
    shape: tuple[int, ...], dtype: np.dtype[Any], axes: tuple[int, ...], is_complex: bool
) -> str:
    """Say why a shape fits nothing."""
    lengths = [length for length in axes if length != 2] or [2]
    if len(axes) == (1 if is_complex else 2) and (is_complex or 2 in axes):
        ours = f"windows of {lengths[0]} samples, where the network takes {WINDOW_SAMPLES}"
        if lengths[0] == _RADIOML_2016_SAMPLES:
            return f"X of shape {shape} holds {ours}; so does RadioML 2016.10A, take 2018.01A"
        return f"X of shape {shape} holds {ours}; cut or record them anew at that length"
    return (
        f"X of shape {shape} {dtype} fits nothing: store (N, {WINDOW_SAMPLES}, 2), "
        f"(N, 2, {WINDOW_SAMPLES}) or complex (N, {WINDOW_SAMPLES})"
    )


@dataclass(frozen=True)
class StoredWindows:
    """The windows of a file, read when they are asked for; small to send to a process.

    Attributes:
        path: The HDF5 file; opened anew for every read.
        n: Windows in it.
        layout: How they lie in it.
    """

    path: Path
    n: int
    layout: Layout

    def read(self, rows: NDArray[np.integer[Any]]) -> FloatArray:
        """Read some windows.

        Args:
            rows: Which; ascending is fastest, any order and repeats are possible.

        Returns:
            Shape (n, 2, 1024) float32, unit mean power, in the order of `rows`.

        Raises:
            TrainingError: A window has no power or is not finite, or the file fails.
        """
        ordered, back = np.unique(rows, return_inverse=True)
        x = np.empty((len(ordered), 2, WINDOW_SAMPLES), np.float32)
        for part, block in self.stored(ordered):
            x[part] = self.layout.to_rows(block)
        x, power = unit_power(x)
        self._refuse_unusable(ordered, x, power)
        return x if np.array_equal(ordered, rows) else x[back]

    def stored(self, rows: NDArray[np.integer[Any]]) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield windows as they are stored, with their place in `rows`, which ascend."""
        with opened(self.path) as file:
            x = member(file, "X")
            for part in _slabs(rows):
                first, last = int(rows[part][0]), int(rows[part][-1])
                yield part, x[first : last + 1][rows[part] - first]

    def _refuse_unusable(
        self, rows: NDArray[np.integer[Any]], x: FloatArray, power: FloatArray
    ) -> None:
        bad = np.flatnonzero(~np.isfinite(power) | (power == 0))
        if not len(bad):
            return
        if power[bad[0]] == 0:
            what = "is all zeros, as a download that was interrupted can leave it"
        elif np.isfinite(x[bad[0]]).all():
            what = "holds numbers so large that their squares are no finite float32"
        else:
            what = "holds NaN or infinity"
        raise TrainingError(
            f"Data set {self.path}: the window at row {rows[bad[0]]} of X {what}; "
            "take that row out, or make the file again."
        )


def _slabs(rows: NDArray[np.integer[Any]]) -> Iterator[slice]:
    """Cut ascending rows into stretches of which each is read at once."""
    start = 0
    for stop in (*(np.flatnonzero(np.diff(rows) > _GAP_ROWS) + 1), len(rows)):
        while start < stop:
            end = min(int(stop), int(np.searchsorted(rows, rows[start] + _SLAB_ROWS)))
            yield slice(start, end)
            start = end
