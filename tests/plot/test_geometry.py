"""Where boxes and labels are: in pixels, without a picture."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import CENTER_HZ, VIEW, emission

from liveclf.plot.geometry import Rect, box_of, mark_of, mark_of_annotation
from liveclf.plot.labels import place_labels
from liveclf.records import Annotation

AREA = VIEW.area


def edges(rect: Rect | None) -> tuple[float, ...]:
    assert rect
    return rect.left, rect.bottom, rect.right, rect.top


def test_a_box_is_where_the_emission_is():
    # 10,000 samples are 1000 pixels from 100 on; 1 MHz is 400 pixels from 50 on.
    box = box_of(mark_of(emission(sample=1000, n_samples=500)), VIEW)
    assert edges(box) == pytest.approx((200, 50 + 400 * 0.575, 250, 50 + 400 * 0.625))


def test_without_a_centre_the_offset_counts():
    known = box_of(mark_of(emission()), VIEW)
    unknown = replace(VIEW, center_hz=math.nan, lowest=-0.5e6, highest=0.5e6)
    for view in (VIEW, unknown):
        assert edges(box_of(mark_of(emission(center_hz=None)), view)) == pytest.approx(edges(known))
    # A frequency that is known says nothing of where it lies from an unknown centre.
    assert box_of(mark_of(emission()), unknown) is None


def test_without_a_rate_a_box_is_as_high_as_the_band():
    view = replace(VIEW, has_rate=False, lowest=-0.5, highest=0.5, center_hz=math.nan)
    fields = dict.fromkeys(("center_hz", "offset_hz", "bandwidth_hz", "elapsed_s", "duration_s"))
    box = box_of(mark_of(emission(**fields)), view)
    assert edges(box) == pytest.approx((200, 50, 250, 450))


def test_a_box_too_small_to_see_grows_about_its_middle():
    box = box_of(mark_of(emission(n_samples=1, bandwidth_hz=10.0)), VIEW)
    left, bottom, right, top = edges(box)
    assert (right - left, top - bottom) == pytest.approx((5, 5))
    assert (left + right) / 2 == pytest.approx(200.05)
    assert (bottom + top) / 2 == pytest.approx(50 + 400 * 0.6)


def test_a_box_is_cut_to_the_picture():
    box = box_of(mark_of(emission(sample=-50, n_samples=20_000, bandwidth_hz=9e6)), VIEW)
    assert edges(box) == edges(AREA)


@pytest.mark.parametrize(
    "fields",
    [
        {"sample": 10_000},
        {"sample": -500},
        {"center_hz": CENTER_HZ + 600e3},
        {"center_hz": CENTER_HZ - 600e3},
    ],
)
def test_what_lies_elsewhere_has_no_box(fields):
    assert box_of(mark_of(emission(**fields)), VIEW) is None


@given(
    sample=st.integers(-20_000, 20_000),
    n=st.integers(0, 30_000),
    offset=st.floats(-1e6, 1e6),
    bandwidth=st.floats(0, 2e6),
)
def test_no_box_leaves_the_picture(sample, n, offset, bandwidth):
    mark = mark_of(
        emission(sample=sample, n_samples=n, center_hz=CENTER_HZ + offset, bandwidth_hz=bandwidth)
    )
    box = box_of(mark, VIEW)
    assert box is None or AREA.holds(box)


def test_a_label_says_name_probability_and_snr():
    assert mark_of(emission()).texts == ("OOK 0.97, 18 dB", "OOK 0.97", "OOK")
    assert mark_of(emission(n_windows=0, label="unknown")).texts[0] == "unknown, 18 dB"


def test_an_annotation_has_the_band_that_it_says_or_the_whole():
    said = mark_of_annotation(Annotation(0, 100, "x", 99.9e6, 100.1e6))
    assert edges(box_of(said, VIEW)) == pytest.approx((100, 210, 110, 290))
    whole = mark_of_annotation(Annotation(0, 100, "x"))
    assert edges(box_of(whole, VIEW)) == pytest.approx((100, 50, 110, 450))
    assert whole.family is None


def random_boxes(n: int) -> list[Rect]:
    import random

    rng = random.Random(n)
    boxes = []
    for _ in range(n):
        x, y = rng.uniform(100, 1080), rng.uniform(50, 430)
        boxes.append(Rect(x, y, min(1100, x + rng.choice([5, 20, 80])), min(450, y + 20)))
    return boxes


@pytest.mark.parametrize("n", [1, 50, 300])
def test_labels_neither_overlap_nor_leave_the_picture(n):
    boxes = random_boxes(n)
    sizes = [[(100.0, 14.0), (60.0, 14.0), (30.0, 14.0)]] * n
    labels = place_labels(boxes, sizes, [float(k) for k in range(n)], AREA, boxes)
    rects = [label.rect for label in labels if label]
    assert all(AREA.holds(rect) for rect in rects)
    assert not any(a.meets(b) for k, a in enumerate(rects) for b in rects[:k])
    for label, size in zip(labels, sizes, strict=True):
        if label:
            assert (label.rect.width, label.rect.height) == pytest.approx(size[label.which])
    if n <= 50:
        assert len(rects) == n


def test_a_label_stands_above_its_box_if_there_is_room():
    box = Rect(300, 200, 400, 220)
    (label,) = place_labels([box], [[(80.0, 14.0)]], [1.0], AREA, [box])
    assert label
    assert edges(label.rect) == (300, 222, 380, 236)


def test_at_the_top_of_the_picture_it_stands_below():
    box = Rect(300, 440, 400, 450)
    (label,) = place_labels([box], [[(80.0, 14.0)]], [1.0], AREA, [box])
    assert label
    assert label.rect.top <= box.bottom


def test_it_hides_no_other_box_while_there_is_another_place():
    box, above = Rect(300, 200, 400, 220), Rect(250, 225, 500, 260)
    (label, _) = place_labels([box, above], [[(80.0, 14.0)]] * 2, [2.0, 1.0], AREA, [box, above])
    assert label
    assert not label.rect.meets(above)


def test_where_not_all_have_room_the_heaviest_have_it():
    area = Rect(0, 0, 100, 60)  # there is room above the box and below it
    boxes = [Rect(10, 20, 90, 40)] * 3
    labels = place_labels(boxes, [[(60.0, 14.0)]] * 3, [2.0, 1.0, 3.0], area, boxes)
    assert [label is not None for label in labels] == [True, False, True]
    assert labels[2]
    assert labels[2].rect.bottom > boxes[2].top
