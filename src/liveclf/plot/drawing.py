"""The picture: spectrogram, boxes, labels and axes, as PNG."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from liveclf import __version__
from liveclf.config import PictureSettings
from liveclf.dsp.waterfall import NOISE_BANDWIDTH_BINS
from liveclf.errors import MissingExtraError
from liveclf.plot import axes as scales
from liveclf.plot import look
from liveclf.plot.geometry import Mark, Rect, View, box_of
from liveclf.plot.head import LONGEST_NAME, draw_head
from liveclf.plot.image import image_of, limits_of, views_of
from liveclf.plot.labels import place_labels
from liveclf.plot.look import color_of, shown
from liveclf.plot.spectrogram import Cells, Spectrogram
from liveclf.records import FloatArray

if TYPE_CHECKING:
    from liveclf.plot.canvas import Canvas

_MOST_LABELS = 400
_BAR_PX = 14  # width of the colour bar
_DASHES = (0, (4, 3))

Boxed = tuple[Mark, Rect]


@dataclass(frozen=True, slots=True)
class Picture:
    """What was drawn.

    Attributes:
        png: The file.
        n_boxes: Marks that are in it.
        n_outside: Marks that are not, as they lie elsewhere in time or band.
        n_unlabelled: Boxes without a label, for want of room.
    """

    png: bytes
    n_boxes: int
    n_outside: int
    n_unlabelled: int


def check_plots() -> None:
    """Make sure that pictures can be drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Pictures need matplotlib", 'pip install "liveclf[plot]"'
        ) from error


def draw(
    spectrogram: Spectrogram, marks: Sequence[Mark], name: str, settings: PictureSettings
) -> Picture:
    """Draw a spectrogram with boxes.

    Args:
        spectrogram: At its end; something is in it.
        marks: What gets a box.
        name: Of the recording or device, the title.
        settings: Size and colours.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    check_plots()
    import matplotlib

    from liveclf.plot.canvas import Canvas

    with matplotlib.rc_context(look.STYLE), warnings.catch_warnings():
        # What the font cannot write is a box in the picture.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        canvas = Canvas(settings.pixels())
        panels = views_of(spectrogram, settings.pixels())
        images = [image_of(cells, spectrogram, view.area) for cells, view in panels]
        views = [view for _, view in panels]
        _spectrograms(canvas, spectrogram, images, views, settings)
        boxed = _boxed(marks, spectrogram, panels)
        n_labelled = sum(
            _boxes(canvas, some, view) for some, view in zip(boxed, views, strict=True)
        )
        found = [mark for some in boxed for mark, _ in some]
        draw_head(canvas, spectrogram, name, found)
        about = {"Software": f"liveclf {__version__}", "Title": shown(name, LONGEST_NAME)}
        return Picture(
            png=canvas.png(about),
            n_boxes=len(found),
            n_outside=len(marks) - len(found),
            n_unlabelled=len(found) - n_labelled,
        )


# -- the spectrogram and its axes ----------------------------------------------------------


def _spectrograms(
    canvas: Canvas,
    spectrogram: Spectrogram,
    images: Sequence[FloatArray],
    views: Sequence[View],
    settings: PictureSettings,
) -> None:
    limits = limits_of(images, settings)
    for image, view in zip(images, views, strict=True):
        drawn = _panel(canvas, spectrogram, image, view, limits, is_last=view is views[-1])
    left = canvas.width - look.RIGHT_PX + look.BETWEEN_PX
    area = Rect(left, look.BOTTOM_PX, left + _BAR_PX, canvas.height - look.TOP_PX)
    bar = canvas.figure.colorbar(drawn, cax=canvas.axes(area))
    bar.outline.set_visible(False)
    width_hz = NOISE_BANDWIDTH_BINS / spectrogram.n_bins * spectrogram.sample_rate_hz
    bar.set_label("dBFS" if math.isnan(width_hz) else f"dBFS in {scales.hertz(width_hz)}")


def _panel(
    canvas: Canvas,
    spectrogram: Spectrogram,
    image: FloatArray,
    view: View,
    limits: tuple[float, float],
    *,
    is_last: bool,
) -> Any:
    """Draw one centre frequency; return what the colour bar tells of."""
    from matplotlib.colors import LinearSegmentedColormap

    colors = LinearSegmentedColormap.from_list("liveclf", look.RAMP, look.N_COLORS)
    time, band = scales.time_axis(view, spectrogram.sample_rate_hz), scales.band_axis(view)
    bottom, top = view.lowest * band.scale, view.highest * band.scale
    axes = canvas.axes(view.area)
    axes.set_facecolor(look.NOTHING)
    axes.patch.set_hatch("////")
    # A bin lies about its frequency, and that of minus half the rate is that of plus half.
    half_bin = (top - bottom) / len(image) / 2
    image = np.vstack([image, image[:1]])
    first = spectrogram.first_sample
    end = first + spectrogram.n_cells * spectrogram.cell_samples
    drawn = axes.imshow(
        # Minus infinity, nothing at all, is as dark as it gets.
        np.where(np.isneginf(image), np.float32(limits[0]), image),
        cmap=colors.with_extremes(bad="#00000000"),
        vmin=limits[0],
        vmax=limits[1],
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        extent=(first * time.scale, end * time.scale, bottom - half_bin, top + half_bin),
    )
    axes.set_xlim(view.start_sample * time.scale, view.stop_sample * time.scale)
    axes.set_ylim(bottom, top)
    time.dress(axes.xaxis, f"{time.label}{_clock(spectrogram)}" if is_last else "")
    band.dress(axes.yaxis, band.label)
    axes.tick_params(labelbottom=is_last)
    return drawn


def _clock(spectrogram: Spectrogram) -> str:
    """Return what the time axis counts from."""
    moment = scales.moment(spectrogram.epoch_s)
    return f" from {moment}" if moment and not math.isnan(spectrogram.sample_rate_hz) else ""


# -- boxes and labels ----------------------------------------------------------------------


def _boxed(
    marks: Sequence[Mark], spectrogram: Spectrogram, panels: Sequence[tuple[Cells, View]]
) -> list[list[Boxed]]:
    """Return for each panel the marks in it; one that could be in several is where samples are."""
    boxed: list[list[Boxed]] = [[] for _ in panels]
    for mark in marks:
        span = mark.start_sample, mark.stop_sample
        found = [
            (spectrogram.n_spectra_in(cells, *span), -k, box)
            for k, (cells, view) in enumerate(panels)
            if (box := box_of(mark, view))
        ]
        if found:
            _, k, box = max(found, key=lambda each: each[:2])
            boxed[-k].append((mark, box))
    return boxed


def _boxes(canvas: Canvas, boxed: Sequence[Boxed], view: View) -> int:
    """Draw boxes, and labels where there is room; return how many of these."""
    every = [box for _, box in boxed]
    canvas.rectangles(every, facecolor="none", edgecolor="#000000a0", linewidth=2.6, zorder=3)
    for is_annotation, style in ((False, "-"), (True, _DASHES)):
        some = [(m, box) for m, box in boxed if (m.family is None) == is_annotation]
        canvas.rectangles(
            [box for _, box in some],
            facecolor="none",
            edgecolor=[color_of(mark.family) for mark, _ in some],
            linewidth=1.3,
            linestyle=style,
            zorder=3,
        )
    heaviest = sorted(boxed, key=lambda each: -each[0].weight)[:_MOST_LABELS]
    texts = [[shown(text) for text in mark.texts] for mark, _ in heaviest]
    labels = place_labels(
        [box for _, box in heaviest],
        [[canvas.size_of(text, look.LABEL_POINTS) for text in lengths] for lengths in texts],
        [mark.weight for mark, _ in heaviest],
        view.area,
        every,
    )
    for (mark, _), lengths, label in zip(heaviest, texts, labels, strict=True):
        if label:
            _label(canvas, lengths[label.which], label.rect, color_of(mark.family))
    return sum(label is not None for label in labels)


def _label(canvas: Canvas, text: str, rect: Rect, color: str) -> None:
    canvas.rectangles([rect], facecolor="#000000b0", edgecolor="none", zorder=4)
    canvas.text(
        rect.left + look.PAD_PX,
        (rect.bottom + rect.top) / 2,
        text,
        color=color,
        fontsize=look.LABEL_POINTS,
        va="center_baseline",
        zorder=5,
    )
