"""The records: parts of windows, times, rows."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liveclf.records import Detection, Detections, Windows, iso_utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAN = float("nan")


def windows(n: int, start: int = 0) -> Windows:
    rows = start + np.arange(n)
    columns = [rows * (k + 1) for k in range(len(fields(Windows)) - 1)]
    return Windows(np.repeat(rows, 8).reshape(n, 2, 4).astype(np.float32), *columns)


def detections(**columns) -> Detections:
    """Make one record."""
    values = {
        "stream_id": 0,
        "start_sample": 2_400_000,
        "gap_before": 3,
        "sample_rate_hz": 2.4e6,
        "center_hz": 433.92e6,
        "epoch_s": 1.7e9,
        "power_dbfs": np.float32(-31.23456),
        "level_db": np.float32(12.3456),
        "latency_s": 0.0123456789,
        "label": 1,
        "family": 0,
        "probability": np.float32(0.912345),
        "family_probability": np.float32(0.987654),
        "truth": 0,
    } | columns
    return Detections(
        **{k: np.array([v]) for k, v in values.items()},
        window_samples=1024,
        top_label=np.array([[1, 0]]),
        top_probability=np.array([[0.912345, 0.0712345]], np.float32),
        class_names=("BPSK", "QPSK"),
        family_names=("PSK",),
        truth_names=("qpsk",),
        stream_names=("a.cu8",),
    )


def row(**columns) -> Detection:
    (only,) = detections(**columns).rows()
    return only


# -- windows -------------------------------------------------------------------------------


def test_every_column_of_windows_is_cut_alike():
    part = windows(10)[2:5]
    assert len(part) == 3
    for k, f in enumerate(fields(Windows)[1:]):
        assert getattr(part, f.name).tolist() == [v * (k + 1) for v in (2, 3, 4)]
    assert part.x[:, 0, 0].tolist() == [2, 3, 4]


def test_windows_are_picked_by_a_mask():
    assert windows(4)[np.array([True, False, False, True])].x[:, 0, 0].tolist() == [0, 3]


def test_joined_windows_are_those_of_the_parts_in_order():
    joined = Windows.concatenate([windows(2), windows(0), windows(3, 2)])
    whole = windows(5)
    for f in fields(Windows):
        np.testing.assert_array_equal(getattr(joined, f.name), getattr(whole, f.name))


def test_a_single_part_is_not_copied():
    part = windows(2)
    assert Windows.concatenate([part]) is part


# -- time ----------------------------------------------------------------------------------


@given(st.floats(-62_135_596_800, 253_402_300_799, exclude_max=True))
@example(0.9999999)
@example(-0.0000001)
@example(1_700_000_000.9999997)
@example(-62_135_596_800.0)
def test_the_time_is_the_nearest_microsecond(unix_s):
    text = iso_utc(unix_s)
    assert text.endswith("Z")
    assert len(text) == len("2026-01-31T12:34:56.123456Z")
    written_us = (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
    assert abs(written_us - Fraction(unix_s) * 10**6) <= Fraction(51, 100)


def test_times_that_are_known_by_heart():
    assert iso_utc(0) == "1970-01-01T00:00:00.000000Z"
    assert iso_utc(951_782_400.25) == "2000-02-29T00:00:00.250000Z"
    assert iso_utc(-62_135_596_800) == "0001-01-01T00:00:00.000000Z"


# -- rows ----------------------------------------------------------------------------------


def test_a_row_says_what_the_columns_say():
    assert row() == Detection(
        time="2023-11-14T22:13:21.000000Z",
        elapsed_s=1.0,
        sample=2_400_000,
        duration_s=1024 / 2.4e6,
        center_hz=433.92e6,
        sample_rate_hz=2.4e6,
        label="QPSK",
        family="PSK",
        probability=0.9123,
        family_probability=0.9877,
        top=[("QPSK", 0.9123), ("BPSK", 0.0712)],
        power_dbfs=-31.23,
        level_db=12.35,
        gap_before=3,
        latency_s=0.012346,
        truth="qpsk",
        stream=0,
        source="a.cu8",
    )


def test_a_row_holds_plain_python_values():
    plain = (str, int, float, list)
    assert all(type(getattr(row(), f.name)) in plain for f in fields(Detection))


@pytest.mark.parametrize(
    ("column", "unknown"),
    [
        ("sample_rate_hz", {"time", "elapsed_s", "duration_s", "sample_rate_hz"}),
        ("center_hz", {"center_hz"}),
        ("epoch_s", {"time"}),
        ("level_db", {"level_db"}),
    ],
)
def test_what_is_not_known_is_none(column, unknown):
    found = row(**{column: NAN})
    assert {f.name for f in fields(found) if getattr(found, f.name) is None} == unknown


def test_below_zero_stands_for_unknown_and_for_no_truth():
    found = row(label=-1, family=-1, truth=-1)
    assert (found.label, found.family, found.truth) == ("unknown", "unknown", None)
    assert found.top[0][0] == "QPSK"


@pytest.mark.parametrize("epoch_s", [-1e300, -62_135_596_802.0, 253_402_300_799.0, 1e300])
def test_a_time_that_no_calendar_has_is_not_known(epoch_s):
    found = row(epoch_s=epoch_s)
    assert found.time is None
    assert found.elapsed_s == 1.0


def test_rows_come_in_order():
    one = detections()
    names = [f.name for f in fields(one) if isinstance(getattr(one, f.name), np.ndarray)]
    three = replace(one, **{n: np.repeat(getattr(one, n), 3, axis=0) for n in names})
    three = replace(three, start_sample=np.array([1, 2, 3]))
    assert [r.sample for r in three.rows()] == [1, 2, 3]
    assert len(three) == 3
