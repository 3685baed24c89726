"""The picture of a run: samples and emissions are taken as they pass, and drawn at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scipy import fft

from liveclf.config import PictureSettings
from liveclf.emissions import Emissions
from liveclf.errors import SinkError, UsageError
from liveclf.plot.collection import Collection
from liveclf.plot.drawing import Picture, check_plots, draw
from liveclf.plot.geometry import mark_of
from liveclf.plot.image import panel_pixels
from liveclf.plot.spectrogram import Spectrogram
from liveclf.records import Block, StreamInfo

# Cells for each pixel across, so that each pixel has some whatever the stream's length.
_CELLS_PER_PIXEL = 2
# More bins than that would show no more, and cost memory.
_LEAST_BINS, _MOST_BINS = 32, 1024


def make_spectrogram(info: StreamInfo, settings: PictureSettings) -> Spectrogram:
    """Choose the resolution for a stream, and return what gathers it.

    A spectrum as long as the square root of the stream has as many bins as there are
    spectra; twice that many, as spectra overlap. More bins than the picture is high are of
    no use, nor are spectra that begin closer to each other than an eighth of their length.

    Args:
        info: Of the stream, where it is gathered.
        settings: Of the picture.
    """
    width, height = panel_pixels(settings.pixels())
    length = info.n_samples or 1 << 40
    n_bins = int(settings.bins) or _fast(min(height, _MOST_BINS, int(2 * length**0.5)))
    hop = min(max(length // (_CELLS_PER_PIXEL * width), n_bins // 8, 1), n_bins // 2)
    return Spectrogram(n_bins, hop, _CELLS_PER_PIXEL * width)


def _fast(most: int) -> int:
    """Return the longest even length of a fast transform within a limit."""
    lengths = range(max(most, _LEAST_BINS), 0, -1)
    return next(n for n in lengths if n % 2 == 0 and fft.next_fast_len(n) == n)


class RunPlot:
    """A `Stage` and a `Sink` of one stream.

        blocks --> push --> blocks, as they came       close --> FILE
        Emissions --> write ------------------------------^

    `push` and `write` may be called from different threads, `close` after the last `push`.

    Attributes:
        picture: What was drawn, None before.
    """

    def __init__(
        self, path: Path, info: StreamInfo, settings: PictureSettings, stream: int = 0
    ) -> None:
        """Make sure that a picture can be drawn, and written there.

        Args:
            path: The PNG to write; one that is there is replaced.
            info: Of the stream, where it passes.
            settings: Of the picture.
            stream: Number of the stream in its run; emissions of others are left alone.

        Raises:
            UsageError: It cannot be written there.
            MissingExtraError: matplotlib is not installed.
        """
        check_plots()
        check_target(path, info)
        self._path, self._info, self._settings, self._stream = path, info, settings, stream
        self._spectrogram = make_spectrogram(info, settings)
        self._collection = Collection()
        self.picture: Picture | None = None

    def push(self, block: Block) -> Iterator[Block]:
        """Take one block and pass it on as it is."""
        return self._spectrogram.push(block)

    def flush(self) -> Iterator[Block]:
        """Yield nothing: nothing is held back."""
        return self._spectrogram.flush()

    def write(self, emissions: Emissions) -> None:
        """Take what is told of emissions."""
        for emission in emissions.rows():
            if emission.stream == self._stream:
                self._collection.add(emission)

    def close(self, summary: dict[str, Any]) -> None:
        """Draw the picture and write it; nothing, if too little came for a spectrum.

        Raises:
            SinkError: It cannot be written.
        """
        marks = [mark_of(emission) for emission in self._collection.records()]
        self._spectrogram.end()
        if self.picture or self._spectrogram.is_empty:
            return
        self.picture = draw(self._spectrogram, marks, self._info.name, self._settings)
        write_picture(self._path, self.picture)

    def told(self) -> str:
        """Say what became of it, after `close`."""
        if not self.picture:
            return f"{self._path}: not drawn, as {too_little(self._spectrogram)}."
        return told(self._path, self._spectrogram, self.picture, self._collection.n_over)


def too_little(spectrogram: Spectrogram) -> str:
    """Say why there is nothing to draw."""
    n, n_bins = spectrogram.n_samples, spectrogram.n_bins
    return f"{n:,} samples came and none of them fill a spectrum, which takes {n_bins:,}"


def check_target(path: Path, info: StreamInfo) -> None:
    """Make sure that a picture can be written there, before the work.

    Raises:
        UsageError: There is no such folder, it is one, or it is what is read.
    """
    try:
        if not path.parent.is_dir():
            raise UsageError(
                f"{path} cannot be written: there is no folder {path.parent}; make it."
            )
        if path.is_dir():
            raise UsageError(f"{path} is a folder; name the picture in it.")
        if path.exists() and any(path.samefile(file) for file in info.files if file.exists()):
            raise UsageError(f"{path} is what is read; choose another name for the picture.")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{path} cannot be written: {reason}.") from None


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture.

    Raises:
        SinkError: It cannot be written.
    """
    try:
        path.write_bytes(picture.png)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}.") from None


def told(path: Path, spectrogram: Spectrogram, picture: Picture, n_over: int = 0) -> str:
    """Say in a line what a picture shows, and what it does not.

    Args:
        path: Where it is.
        spectrogram: What was drawn.
        picture: What came of it.
        n_over: Emissions that there was no room to keep.
    """
    boxes = f"{picture.n_boxes:,} box{'es' * (picture.n_boxes != 1)}"
    others = {
        "boxes without a label, for want of room": picture.n_unlabelled,
        "emissions or annotations outside of it": picture.n_outside,
        "emissions more than are kept": n_over,
        "samples lost": spectrogram.n_lost,
        "samples at other rates, or more centres than there is room for": spectrogram.n_elsewhere,
        "samples at the ends of stretches not drawn": spectrogram.n_short,
        "spectra left out, as they were not all numbers": spectrogram.n_skipped,
    }
    parts = [f"{spectrogram.n_samples:,} samples", boxes]
    parts += [f"{n:,} {what}" for what, n in others.items() if n]
    return f"{path}: {', '.join(parts)}"
