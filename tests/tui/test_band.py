"""The band as it is drawn: where an emission lies, how the picture moves, what stands for colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.style import Style
from watched import N_BINS, NOISE_DBFS, row

from liveclf.tui.band import Band, tick_step_hz, ticks
from liveclf.tui.canvas import draw_axis, draw_spectrum, draw_waterfall
from liveclf.tui.listing import Item
from liveclf.tui.looks import Looks, fitted
from liveclf.tui.plane import plane
from liveclf.view.wire import read_row
from made_up import CENTER_HZ, RATE_HZ, emission

MANY, SIXTEEN, NONE, ASCII = Looks(), Looks("16"), Looks("none"), Looks("many", ascii_only=True)


def band(n_rows: int = 40, signal: slice | None = None, first: int = 0) -> Band:
    made = Band()
    for k in range(first, first + n_rows):
        made.push(read_row(row(k, signal)))
    return made


def item(**other: object) -> Item:
    return Item(emission(**other), None, 0.0)


def test_a_row_is_read_back_to_half_a_step():
    read = read_row(row(3, slice(10, 20)))
    assert (read.stream, read.start_s, read.duration_s) == (0, 0.15, 0.05)
    assert (read.center_hz, read.sample_rate_hz) == (CENTER_HZ, RATE_HZ)
    expected = np.full(N_BINS, NOISE_DBFS)
    expected[10:20] += 30
    for line in (read.peak_dbfs, read.mean_dbfs):
        assert np.abs(line - expected).max() <= 0.25
    assert np.abs(read.floor_dbfs - NOISE_DBFS).max() <= 0.25


@settings(max_examples=40)
@given(st.integers(1, 300), st.integers(1, N_BINS - 1), st.integers(1, 200))
def test_what_stands_out_is_seen_at_its_place_however_wide_the_screen(n_columns, first, width):
    """A bin is in the column that has its lower edge."""
    last = min(N_BINS, first + width)
    picture = band(8, slice(first, last)).picture([], 2, n_columns, 26)
    hot = np.flatnonzero(picture.levels[2] > 0)
    assert set(hot.tolist()) == set((np.arange(first, last) * n_columns // N_BINS).tolist())


def test_the_newest_is_on_top_and_noise_is_dark():
    made = band(8)
    for k in range(8, 12):
        made.push(read_row(row(k, slice(500, 600))))
    levels = made.picture([], 10, 64, 26).levels
    assert levels[:2].max() > 10
    assert levels[2:].max() == 0


def test_what_is_drawn_keeps_its_form_while_it_moves_down():
    made = band(40, None)
    for k in range(40, 44):
        made.push(read_row(row(k, slice(500, 600))))
    shapes = []
    for k in range(44, 60):
        made.push(read_row(row(k)))
        levels = made.picture([], 20, 64, 26).levels
        shapes.append(int((levels.max(axis=1) > 0).sum()))
    assert set(shapes) == {2}  # halves of a line, always as many


def test_a_retune_begins_anew():
    made = band(20)
    made.push(read_row(row(20, center_hz=868e6)))
    assert len(list(made._rows)) == 1


def test_rows_are_bounded():
    made = band(1)
    one = made.newest
    for _ in range(5000):
        made.push(one)
    assert len(made._rows) == 1600
    assert made.picture([], 30, 100, 26).levels.shape == (60, 100)


def test_a_box_is_where_and_when_the_emission_was():
    # 40 rows of 50 ms: 2 s; the emission from 1.0 to 1.4 s, 90 to 110 kHz above the centre.
    e = item(elapsed_s=1.0, duration_s=0.4, sample=1_000_000, n_samples=400_000, bandwidth_hz=20e3)
    (box,) = band(40).picture([e], 10, 100, 26).boxes  # 0.2 s a line, the newest on top
    assert (box.first_line, box.last_line) == (3, 4)
    assert (box.first_column, box.last_column) == (59, 61)


def test_boxes_are_of_this_stream_this_time_and_this_band():
    others = [
        item(stream=1),
        item(elapsed_s=90.0),
        item(center_hz=868e6),
        item(bandwidth_hz=None),
        item(elapsed_s=None),
    ]
    assert band(40).picture(others, 10, 100, 26).boxes == []


def test_one_that_lasts_reaches_to_the_top():
    e = item(elapsed_s=1.0, duration_s=0.1, state="open")
    (box,) = band(40).picture([e], 10, 100, 26).boxes
    assert box.first_line == 0


@pytest.mark.parametrize("looks", [MANY, SIXTEEN, NONE, ASCII])
def test_everything_is_drawn_with_what_the_terminal_has(looks):
    made = band(40, slice(600, 640))
    e = [item(elapsed_s=1.0, duration_s=1.0, label="OOK")]
    canvases = [
        draw_waterfall(made.picture(e, 10, 100, looks.n_levels), 100, looks, e[0].key),
        draw_waterfall(made.picture(e, 10, 100, looks.n_levels), 100, looks, None),
        draw_spectrum(made.spectrum(100), 6, 100, looks, made.active(e, 100)),
        draw_axis(made, 100, looks, made.active(e, 100)),
    ]
    text = "\n".join(strip.text for canvas in canvases for strip in canvas.strips())
    assert text.count("OOK") == 3  # in both waterfalls and on the air
    assert all(strip.cell_length == 100 for canvas in canvases for strip in canvas.strips())
    if looks.ascii_only:
        assert text.isascii()
    styles = [s.style for c in canvases for strip in c.strips() for s in strip if s.style]
    colours = {str(s.color.name) for s in styles if s.color}
    if looks.colours == "none":
        assert not colours
        assert not any(s.bgcolor for s in styles)
    elif looks.colours == "16":
        assert not any(name.startswith("#") for name in colours)
    else:
        assert "#ffb454" in colours  # of ASK


def test_a_label_that_has_no_room_is_left_out_rather_than_over_another():
    made = band(40)
    crowd = [item(id=k, elapsed_s=1.0, duration_s=0.1, label=f"LABEL{k}") for k in range(5)]
    text = [
        s.text for s in draw_waterfall(made.picture(crowd, 10, 100, 26), 100, MANY, None).strips()
    ]
    whole = sum(f"LABEL{k}" in line for k in range(5) for line in text)
    assert sum(line.count("LABEL") for line in text) == whole >= 1


@given(st.floats(1e3, 1e8), st.integers(20, 400))
def test_marks_are_round_and_far_enough_apart(span_hz, n_columns):
    step = tick_step_hz(span_hz, n_columns, 14)
    assert step * n_columns / span_hz >= 14 * (1 - 1e-9)
    mantissa = step / 10.0 ** np.floor(np.log10(step) + 1e-9)
    assert any(mantissa == pytest.approx(m) for m in (1, 2, 5, 10))


def test_marks_tell_the_frequency_where_they_stand():
    for column, text in ticks(read_row(row()), 200):
        hz = (column + 0.5) / 200 * RATE_HZ - RATE_HZ / 2 + CENTER_HZ
        assert float(text) * 1e6 == pytest.approx(hz, abs=RATE_HZ / 200)
    unknown = [text for _, text in ticks(read_row(row(center_hz=float("nan"))), 200)]
    assert {text[0] for text in unknown} == {"+", "-"}


# -- the plane -----------------------------------------------------------------------------


def test_four_points_are_four_dots_in_the_four_quarters():
    points = [(0.7, 0.7), (-0.7, 0.7), (-0.7, -0.7), (0.7, -0.7)]
    lines = plane(points, 10, 20, ascii_only=False)
    assert [len(line) for line in lines] == [20] * 10
    dots = [(y < 5, x < 10) for y, line in enumerate(lines) for x, c in enumerate(line) if c != " "]
    assert sorted(dots) == [(False, False), (False, True), (True, False), (True, True)]
    assert all(bin(ord(c) - 0x2800).count("1") == 1 for line in lines for c in line if c != " ")


def test_without_points_or_with_wild_ones_nothing_breaks():
    for points in ([], [(0.0, 0.0)], [(float("nan"), 1.0), (float("inf"), 0.0)], [(1e30, 1)] * 3):
        for ascii_only in (False, True):
            lines = plane(points, 4, 8, ascii_only=ascii_only)
            assert [len(line) for line in lines] == [8] * 4


# -- texts ---------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.text(), st.integers(0, 30))
def test_what_is_fitted_takes_just_so_many_cells(text, n_cells):
    from rich.cells import cell_len

    assert cell_len(fitted(MANY.plain(text), n_cells)) == n_cells


@given(st.text())
def test_what_is_plain_has_nothing_that_a_terminal_heeds(text):
    assert all(c.isprintable() for c in MANY.plain(text))
    assert ASCII.plain(text).isascii()
    if text.isprintable():
        assert MANY.plain(text) == text


def test_a_family_without_a_colour_of_its_own_has_one():
    assert MANY.style("no such family").color is not None
    assert isinstance(SIXTEEN.style("no such family"), Style)
