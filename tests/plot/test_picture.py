"""The picture itself: its size, what is bright in it, and what its texts may hold."""

from __future__ import annotations

import io
import itertools
import math
import sys
import warnings

import numpy as np
import pytest
from scene import CENTER_HZ, RATE_HZ, block, emission, gathered, noise, tone

from liveclf import __version__
from liveclf.config import PictureSettings
from liveclf.emissions import Emissions
from liveclf.errors import MissingExtraError, SinkError, UsageError
from liveclf.plot import look
from liveclf.plot.axes import clock, hertz, si, span
from liveclf.plot.geometry import mark_of
from liveclf.plot.image import image_of, limits_of, views_of
from liveclf.plot.run_plot import RunPlot, make_spectrogram
from liveclf.plot.spectrogram import Spectrogram
from liveclf.records import StreamInfo

pytest.importorskip("matplotlib")
from PIL import Image

from liveclf.plot.drawing import Picture, draw

SMALL = PictureSettings(size="640x400")
INFO = StreamInfo("rec.cf32", "cf32", RATE_HZ, CENTER_HZ, 40_000, is_live=False)


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(int)


def spectrogram_of(*blocks, n_samples: int | None = 40_000) -> Spectrogram:
    info = StreamInfo("x", "cf32", RATE_HZ, CENTER_HZ, n_samples, is_live=False)
    return gathered(make_spectrogram(info, SMALL), *blocks)


@pytest.mark.parametrize("size", ["640x400", "481x321", "1283x719"])
def test_a_picture_has_the_size_that_was_asked_for(size):
    spectrogram = spectrogram_of(block(noise(40_000)))
    picture = draw(spectrogram, [], "x", PictureSettings(size=size))
    image = Image.open(io.BytesIO(picture.png))
    assert image.format == "PNG"
    assert "x".join(map(str, image.size)) == size
    assert image.info["Software"] == f"liveclf {__version__}"


def test_a_tone_is_bright_where_it_is_and_only_there():
    """A burst from 10 to 20 ms at 100.2 MHz: found in the pixels by the view's geometry."""
    iq = noise(40_000)
    iq[10_000:20_000] += tone(200e3, 10_000, -20)
    spectrogram = spectrogram_of(block(iq))
    picture = draw(spectrogram, [], "x", SMALL)
    ((_, view),) = views_of(spectrogram, SMALL.pixels())
    brightness = pixels(picture)[::-1].sum(axis=2)  # the lowest row first, as the view counts
    area = np.s_[int(view.area.bottom) + 2 : int(view.area.top) - 2, 92:548]
    is_bright = np.zeros(brightness.shape, bool)
    is_bright[area] = brightness[area] > 500
    y, left, right = (
        round(at) for at in (view.y(CENTER_HZ + 200e3), view.x(10_000), view.x(20_000))
    )
    rows, _ = np.nonzero(is_bright[:, left + 5 : right - 5])
    assert abs(rows + 0.5 - view.y(CENTER_HZ + 200e3)).max() < 3
    (columns,) = np.nonzero(is_bright[y])
    assert (columns.min(), columns.max()) == (
        pytest.approx(left, abs=4),
        pytest.approx(right, abs=4),
    )
    assert not is_bright[:, : left - 5].any()
    assert not is_bright[:, right + 5 :].any()


def test_a_burst_of_a_thousandth_of_a_column_is_seen():
    n = 4_000_000
    burst = noise(n)
    burst[1_234_000:1_234_064] += tone(-300e3, 64)
    spectrogram = spectrogram_of(block(burst), n_samples=n)
    ((cells, view),) = views_of(spectrogram, SMALL.pixels())
    image = image_of(cells, spectrogram, view.area)
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert column / image.shape[1] == pytest.approx(1_234_000 / n, abs=0.005)
    assert row / image.shape[0] == pytest.approx(0.2, abs=0.01)
    assert image.max() > np.median(image) + 20


def test_a_gap_is_not_drawn_as_signal():
    spectrogram = spectrogram_of(block(noise(10_000)), block(noise(10_000), 30_000))
    ((cells, view),) = views_of(spectrogram, SMALL.pixels())
    known = np.isfinite(image_of(cells, spectrogram, view.area)[0])
    n = len(known)
    assert known[: int(0.24 * n)].all()
    assert not known[int(0.27 * n) : int(0.73 * n)].any()
    assert known[int(0.77 * n) :].all()
    colors = pixels(draw(spectrogram, [], "x", SMALL))
    nothing = [int(look.NOTHING[k : k + 2], 16) for k in (1, 3, 5)]
    x, y = int(view.x(20_000)), SMALL.pixels()[1] - int(view.area.bottom) - 50
    assert (colors[y : y + 12, x : x + 12] == nothing).all(axis=2).any()


def test_centres_have_panels_of_their_own_the_highest_at_the_top():
    blocks = [block(noise(9000), 10_000 * k, center_hz=hz) for k, hz in enumerate((1e8, 3e8, 2e8))]
    spectrogram = spectrogram_of(*blocks)
    views = [view for _, view in views_of(spectrogram, SMALL.pixels())]
    assert [view.center_hz for view in views] == [3e8, 2e8, 1e8]
    areas = [view.area for view in views]
    assert all(lower.top < upper.bottom for upper, lower in itertools.pairwise(areas))
    # A mark without a band goes to the centre at which samples came at its time.
    mark = mark_of(emission(sample=21_000, n_samples=100, bandwidth_hz=None))
    picture = draw(spectrogram, [mark], "x", SMALL)
    assert (picture.n_boxes, picture.n_outside) == (1, 0)


def test_boxes_are_drawn_in_the_colour_of_their_family_and_counted():
    spectrogram = spectrogram_of(block(noise(40_000)))
    inside = emission(sample=10_000, n_samples=10_000, bandwidth_hz=300e3)
    marks = [mark_of(inside), mark_of(emission(id=2, sample=90_000))]
    picture = draw(spectrogram, marks, "x", SMALL)
    assert (picture.n_boxes, picture.n_outside, picture.n_unlabelled) == (1, 1, 0)
    ((_, view),) = views_of(spectrogram, SMALL.pixels())
    colors = pixels(picture)[::-1]
    edge = colors[int(view.y(CENTER_HZ + 100e3)), int(view.x(10_000)) - 2 : int(view.x(10_000)) + 3]
    orange = np.array([int(look.color_of("ASK")[k : k + 2], 16) for k in (1, 3, 5)])
    assert abs(edge - orange).sum(axis=1).min() < 90


@pytest.mark.parametrize(
    "text", ["$x^2$", r"\frac", "$", "$\\badmacro{$", "a\nb\x00", "木", "x" * 500]
)
def test_texts_are_shown_as_they_are_never_interpreted(text):
    spectrogram = spectrogram_of(block(noise(40_000)))
    mark = mark_of(emission(label=text, family=text))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = draw(spectrogram, [mark], text, SMALL)
    assert picture.n_boxes == 1
    assert Image.open(io.BytesIO(picture.png)).info["Title"] == look.shown(text, 90)


def test_a_dollar_sign_takes_its_room_as_a_dollar_sign():
    from liveclf.plot.canvas import Canvas

    canvas = Canvas((640, 400))
    plain, dollars = (canvas.size_of(text, 9)[0] for text in ("x_2", "$x_2$"))
    assert dollars > plain + 5


@pytest.mark.parametrize("rate_hz", [math.nan, 250e3])
@pytest.mark.parametrize("center_hz", [math.nan, 10e3, 5.8e9])
@pytest.mark.parametrize("n", [70, 3000])
def test_whatever_is_unknown_there_is_a_picture(rate_hz, center_hz, n):
    info = StreamInfo("x", "cf32", rate_hz, center_hz, n, is_live=False)
    fields = {"sample_rate_hz": rate_hz, "center_hz": center_hz, "epoch_s": 1.7e9}
    spectrogram = gathered(make_spectrogram(info, SMALL), block(noise(n), **fields))
    assert draw(spectrogram, [mark_of(emission(sample=1))], "x", SMALL).png


def test_silence_is_drawn_too():
    assert draw(spectrogram_of(block(np.zeros(40_000))), [], "x", SMALL).png


def test_colours_begin_at_the_noise_and_end_at_the_strongest_unless_told():
    image = np.full((100, 100), -80.0, np.float32)
    image[:2] = -30
    assert limits_of([image], PictureSettings()) == pytest.approx((-84, -30))
    assert limits_of([image], PictureSettings(floor_dbfs=-90.0)) == pytest.approx((-90, -30))
    told = PictureSettings(floor_dbfs=-90.0, range_db=20.0)
    assert limits_of([image], told) == pytest.approx((-90, -70))


@pytest.mark.parametrize(
    ("n_samples", "n_bins"), [(10_000, 200), (655_360, 280), (8_640_000_000, 280), (None, 280)]
)
def test_the_resolution_is_what_length_and_picture_bear(n_samples, n_bins):
    info = StreamInfo("x", "cf32", RATE_HZ, CENTER_HZ, n_samples, is_live=False)
    assert make_spectrogram(info, SMALL).n_bins == n_bins
    assert make_spectrogram(info, PictureSettings(size="640x400", bins=128)).n_bins == 128


def test_numbers_are_written_as_people_do():
    assert [hertz(v) for v in (433.92e6, 1464.84, 366.2, 2.4e9)] == [
        "433.92 MHz", "1.46 kHz", "366 Hz", "2.4 GHz"
    ]  # fmt: skip
    assert si(250e3) == "250 k"
    assert [span(v) for v in (0.0123, 1.5, 3661)] == ["12.3 ms", "1.5 s", "1:01:01"]
    assert clock(59.6) == "0:01:00"


# -- beside a run --------------------------------------------------------------------------


def test_a_run_is_drawn_when_it_closes(tmp_path):
    path = tmp_path / "$run.png"
    plot = RunPlot(path, INFO, SMALL)
    blocks = [block(noise(20_000)), block(noise(20_000), 20_000)]
    assert [passed for each in blocks for passed in plot.push(each)] == blocks
    plot.write(Emissions((emission(state="open"), emission(id=2, sample=99_999))))
    plot.write(Emissions((emission(), emission(stream=1))))
    assert not path.exists()
    assert list(plot.flush()) == []
    plot.close({})
    assert Image.open(path).size == (640, 400)
    assert plot.told() == (
        f"{path}: 40,000 samples, 1 box, 1 emissions or annotations outside of it,"
        f" {plot._spectrogram.n_short} samples at the ends of stretches not drawn"
    )


@pytest.mark.parametrize("n", [0, 20])
def test_a_run_of_too_few_samples_is_not_drawn(tmp_path, n):
    plot = RunPlot(tmp_path / "x.png", INFO, SMALL)
    assert list(plot.push(block(noise(n))))
    plot.close({})
    assert plot.told() == (
        f"{tmp_path / 'x.png'}: not drawn, as {n} samples came and none of them fill a"
        " spectrum, which takes 280."
    )
    assert not (tmp_path / "x.png").exists()


def test_a_target_that_cannot_be_is_refused_before_the_run(tmp_path):
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere; make it"):
        RunPlot(tmp_path / "nowhere" / "x.png", INFO, SMALL)
    with pytest.raises(UsageError, match="is a folder"):
        RunPlot(tmp_path, INFO, SMALL)


def test_a_disk_that_fails_is_a_sentence(tmp_path, monkeypatch):
    plot = RunPlot(tmp_path / "x.png", INFO, SMALL)
    assert list(plot.push(block(noise(40_000))))
    (tmp_path / "x.png").mkdir()  # as good as any other fault of the file system
    with pytest.raises(SinkError, match=r"x\.png cannot be written: Is a directory"):
        plot.close({})


def test_without_matplotlib_the_line_that_installs_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r'pip install "liveclf\[plot\]"'):
        RunPlot(tmp_path / "x.png", INFO, SMALL)
