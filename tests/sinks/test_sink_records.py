"""JSON lines and CSV say exactly what the columns say."""

from __future__ import annotations

import csv
import inspect
import io
import json
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.emissions import Emission, Emissions
from liveclf.records import Detection, Detections, iso_utc
from liveclf.sinks.csv import CsvSink
from liveclf.sinks.jsonl import JsonlSink
from liveclf.sinks.stream import ByteStream


class Collected(ByteStream):
    """Keeps what is written, one entry a call."""

    def __init__(self) -> None:
        super().__init__("collected", -1, owned=False)
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    @property
    def text(self) -> str:
        return b"".join(self.writes).decode()


def windows_csv(stream) -> CsvSink:
    return CsvSink(stream, Detection)


def emissions_csv(stream) -> CsvSink:
    return CsvSink(stream, Emission)


def written(sink_class, batches) -> str:
    stream = Collected()
    sink = sink_class(stream)
    for batch in batches:
        sink.write(batch)
    sink.close({})
    return stream.text


def known(value):
    return None if math.isnan(value) else float(value)


def expected(d: Detections, i: int) -> dict:
    """One record, worked out from the columns without the code under test."""
    elapsed = float(d.start_sample[i] / d.sample_rate_hz[i])
    time = None
    if not math.isnan(d.epoch_s[i] + elapsed):
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=d.epoch_s[i] + elapsed)
        time = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    name = lambda names, k, none: names[k] if k >= 0 else none  # noqa: E731
    return {
        "time": time,
        "elapsed_s": known(elapsed),
        "sample": int(d.start_sample[i]),
        "duration_s": known(1024 / d.sample_rate_hz[i]),
        "center_hz": known(d.center_hz[i]),
        "sample_rate_hz": known(d.sample_rate_hz[i]),
        "label": name(d.class_names, d.label[i], "unknown"),
        "family": name(d.family_names, d.family[i], "unknown"),
        "probability": round(float(d.probability[i]), 4),
        "family_probability": round(float(d.family_probability[i]), 4),
        "top": [
            [d.class_names[k], round(float(p), 4)]
            for k, p in zip(d.top_label[i], d.top_probability[i], strict=True)
        ],
        "power_dbfs": round(float(d.power_dbfs[i]), 2),
        "level_db": known(round(float(d.level_db[i]), 2)),
        "gap_before": int(d.gap_before[i]),
        "latency_s": round(float(d.latency_s[i]), 6),
        "truth": name(d.truth_names, d.truth[i], None),
        "stream": int(d.stream_id[i]),
        "source": d.stream_names[d.stream_id[i]],
    }


def test_json_lines_equal_the_columns(make):
    batch = make(50, stream_id=np.arange(50) % 2, stream_names=("a.cu8", "b, c.wav"))
    lines = written(JsonlSink, [batch]).splitlines()
    assert [json.loads(line) for line in lines] == [expected(batch, i) for i in range(50)]


def test_what_is_not_known_is_null_and_never_nan(make):
    batch = make(
        3,
        epoch_s=np.nan,
        sample_rate_hz=np.nan,
        center_hz=np.nan,
        level_db=np.nan,
        power_dbfs=-np.inf,
        truth=-1,
    )
    text = written(JsonlSink, [batch])
    for line in text.splitlines():
        row = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        empty = {key for key, value in row.items() if value is None}
        assert empty == {
            "time",
            "elapsed_s",
            "duration_s",
            "center_hz",
            "sample_rate_hz",
            "power_dbfs",
            "level_db",
            "truth",
        }


def test_csv_equals_the_columns(make):
    batch = make(50, stream_id=np.arange(50) % 2, stream_names=("a.cu8", "b, c.wav"))
    rows = list(csv.DictReader(io.StringIO(written(windows_csv, [batch]), newline="")))
    assert len(rows) == 50
    for i, row in enumerate(rows):
        want = expected(batch, i)
        want["top"] = " ".join(f"{label}:{p}" for label, p in want["top"])
        assert row == {k: "" if v is None else str(v) for k, v in want.items()}


def test_csv_leaves_cells_empty_where_nothing_is_known(make):
    text = written(windows_csv, [make(1, sample_rate_hz=np.nan, power_dbfs=np.nan, truth=-1)])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert {key for key, value in row.items() if value == ""} >= {
        "time",
        "duration_s",
        "power_dbfs",
        "truth",
    }


@pytest.mark.parametrize("record", [Detection, Emission])
def test_csv_without_records_is_a_header_of_the_fields(record):
    text = written(lambda stream: CsvSink(stream, record), [])
    assert text == ",".join(inspect.signature(record).parameters) + "\n"


def told_twice(emission) -> tuple[Emission, Emission]:
    """One emission while it lasts, nothing known of its place, and when it has ended."""
    unknown = dict.fromkeys(
        ("time", "elapsed_s", "duration_s", "center_hz", "offset_hz", "bandwidth_hz"), None
    )
    return (
        emission(7, state="open", n_windows=2, snr_db=math.inf, **unknown),
        emission(7, n_windows=9, truth="ook, a remote", note="too short"),
    )


def test_json_lines_say_what_an_emission_is_each_time_it_is_told(emission):
    told = told_twice(emission)
    text = written(JsonlSink, [Emissions(told[:1]), Emissions(told[1:])])
    rows = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    for row, one in zip(rows, told, strict=True):
        wanted = {key: getattr(one, key) for key in inspect.signature(Emission).parameters}
        wanted["top"] = [list(pair) for pair in one.top]
        wanted["snr_db"] = one.snr_db if math.isfinite(one.snr_db) else None
        assert list(row.items()) == list(wanted.items())  # in the order of the fields
    last = {row["id"]: row for row in rows}
    assert (last[7]["state"], last[7]["n_windows"]) == ("closed", 9)


def test_csv_says_what_an_emission_is_each_time_it_is_told(emission):
    told = told_twice(emission)
    text = written(emissions_csv, [Emissions(told[:1]), Emissions(told[1:])])
    opened, closed = csv.DictReader(io.StringIO(text, newline=""))
    assert (opened["id"], opened["state"], opened["time"], opened["snr_db"]) == (
        "7",
        "open",
        "",
        "",
    )
    assert (closed["state"], closed["truth"], closed["top"]) == (
        "closed",
        "ook, a remote",
        "OOK:0.97 4ASK:0.02",
    )
    assert float(closed["center_hz"]) == 433.9504e6


@pytest.mark.parametrize("sink_class", [JsonlSink, windows_csv])
@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 40), max_size=6))
def test_how_records_are_batched_does_not_change_the_bytes(make, cut, sink_class, cuts):
    whole = make(40)
    edges = [0, *sorted(cuts), 40]
    parts = [cut(whole, slice(a, b)) for a, b in pairwise(edges)]
    assert written(sink_class, parts) == written(sink_class, [whole])


@pytest.mark.parametrize("sink_class", [JsonlSink, windows_csv])
def test_a_batch_is_one_write_so_that_a_reader_sees_whole_lines(make, sink_class):
    stream = Collected()
    sink = sink_class(stream)
    for k in range(3):
        sink.write(make(20, seed=k))
        assert len(stream.writes) == k + 1
        assert stream.writes[-1].endswith(b"\n")


@given(st.floats(-2e9, 2.5e11))
def test_times_are_those_of_the_standard_library(unix_s):
    assert iso_utc(unix_s) == datetime.fromtimestamp(unix_s, UTC).isoformat(
        timespec="microseconds"
    ).replace("+00:00", "Z")


@pytest.mark.parametrize("unix_s", [0.9999999, 1.9999996, -0.0000001, 59.9999995, 1.7e9])
def test_times_carry_into_the_next_second(unix_s):
    assert iso_utc(unix_s) == datetime.fromtimestamp(unix_s, UTC).isoformat(
        timespec="microseconds"
    ).replace("+00:00", "Z")
