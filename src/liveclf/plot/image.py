"""What of a spectrogram a picture shows, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liveclf.config import PictureSettings
from liveclf.plot.geometry import Rect, View
from liveclf.plot.look import BETWEEN_PX, BOTTOM_PX, LEFT_PX, RIGHT_PX, TOP_PX
from liveclf.plot.spectrogram import Cells, Spectrogram
from liveclf.records import FloatArray

_LEAST_RANGE_DB, _MOST_RANGE_DB, _UNDER_NOISE_DB = 30.0, 80.0, 4.0
_NOISE_PERCENTILE, _STRONGEST_PERCENTILE = 30, 99.9
_SILENCE_DBFS = -120.0


def panel_pixels(size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height of what a picture of that size has for the spectrogram."""
    return size[0] - LEFT_PX - RIGHT_PX, size[1] - BOTTOM_PX - TOP_PX


def views_of(spectrogram: Spectrogram, size: tuple[int, int]) -> list[tuple[Cells, View]]:
    """Return each centre frequency and its view, the highest at the top.

    Args:
        spectrogram: What is shown.
        size: Of the picture, in pixels.
    """
    tunings = sorted(spectrogram.tunings, key=lambda cells: -cells.center_hz)
    between = BETWEEN_PX * (len(tunings) - 1)
    height = (panel_pixels(size)[1] - between) / len(tunings)
    tops = [size[1] - TOP_PX - k * (height + BETWEEN_PX) for k in range(len(tunings))]
    areas = [Rect(LEFT_PX, top - height, size[0] - RIGHT_PX, top) for top in tops]
    return [
        (cells, _view(spectrogram, cells, area)) for cells, area in zip(tunings, areas, strict=True)
    ]


def _view(spectrogram: Spectrogram, cells: Cells, area: Rect) -> View:
    rate_hz = spectrogram.sample_rate_hz
    has_rate = not math.isnan(rate_hz)
    center = cells.center_hz if has_rate and not math.isnan(cells.center_hz) else 0.0
    half = rate_hz / 2 if has_rate else 0.5
    return View(
        area=area,
        start_sample=spectrogram.start_sample or 0,
        stop_sample=spectrogram.stop_sample,
        lowest=center - half,
        highest=center + half,
        center_hz=cells.center_hz,
        has_rate=has_rate,
    )


def image_of(cells: Cells, spectrogram: Spectrogram, area: Rect) -> FloatArray:
    """Return levels in dBFS, at most a row and a column for each pixel of an area.

    What falls together is drawn in time as `Cells.level_dbfs` says, over bins as the
    strongest.

    Args:
        cells: Of one centre frequency.
        spectrogram: Of which they are.
        area: Where they are drawn.

    Returns:
        The lowest frequency first; NaN where nothing came.
    """
    level = cells.fold(_firsts(spectrogram.n_cells, round(area.width))).level_dbfs()
    bins = _firsts(spectrogram.n_bins, round(area.height))
    image = np.maximum.reduceat(level, bins, axis=1).T
    samples_per_column = spectrogram.n_cells * spectrogram.cell_samples / image.shape[1]
    # No spectrum has its middle in the half of its length at either end.
    _fill_ends(image, math.ceil(spectrogram.n_bins / 2 / samples_per_column) + 1)
    return np.asarray(image)


def _firsts(n: int, most: int) -> NDArray[np.int64]:
    """Return where each of at most so many even parts of `n` begins."""
    parts = min(n, most)
    return np.asarray(-(-np.arange(parts) * n // parts), np.int64)


def _fill_ends(image: FloatArray, most: int) -> None:
    """Repeat the first and the last column that are known, to the ends if these are near."""
    (known,) = np.nonzero(~np.isnan(image[0]))
    if not len(known):
        return
    first, last = known[0], known[-1]
    if first <= most:
        image[:, :first] = image[:, [first]]
    if image.shape[1] - 1 - last <= most:
        image[:, last + 1 :] = image[:, [last]]


def limits_of(images: Sequence[FloatArray], settings: PictureSettings) -> tuple[float, float]:
    """Return the levels of the darkest and the brightest colour, dBFS.

    Most of a band is noise most of the time: the level that a third of the picture is under
    is the noise, whatever else there is. Unless a filter left nothing there.
    """
    known = np.concatenate([image[np.isfinite(image)] for image in images])
    percentiles = [_NOISE_PERCENTILE, _STRONGEST_PERCENTILE]
    noise, strongest = (
        np.percentile(known, percentiles) if len(known) else (_SILENCE_DBFS, _SILENCE_DBFS)
    )
    low = settings.floor_dbfs
    if low is None:
        low = max(float(noise) - _UNDER_NOISE_DB, float(strongest) - _MOST_RANGE_DB)
    darkest = float(low)
    range_db = settings.range_db or max(_LEAST_RANGE_DB, float(strongest) - darkest)
    return darkest, darkest + range_db
