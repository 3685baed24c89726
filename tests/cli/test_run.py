"""`liveclf run`: what comes out for what goes in."""

from __future__ import annotations

import csv
import time
from dataclasses import fields
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest
from command_line import (
    WHOLE_BAND,
    bundle_copy,
    iq_bytes,
    noise_and_tone,
    read,
    record,
    run,
    sigmf,
    start,
    windows_in,
)

from liveclf.cli import main
from liveclf.records import Detection


class Labels:
    """Runs the program in this process; keeps what it said on standard error."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.said = ""

    def text(self, *arguments: object) -> str:
        assert main(["run", *map(str, arguments), *WHOLE_BAND]) == 0
        out, self.said = self._capfd.readouterr()
        return out

    def __call__(self, *arguments: object) -> list[dict[str, Any]]:
        return read(self.text(*arguments))


@pytest.fixture
def labels(capfd):
    return Labels(capfd)


def starts(records: list[dict]) -> list[int]:
    return [r["sample"] for r in records]


# -- one process per test ------------------------------------------------------------------


def test_a_recording_gives_json_lines_on_a_pipe_and_a_summary_beside_it(tmp_path):
    path = record(tmp_path / "g001_433.92M_250k.cu8", 5000)
    done = run("run", path, *WHOLE_BAND)
    assert done.returncode == 0
    records = read(done.stdout)
    assert starts(records) == [0, 1024, 2048, 3072]
    assert [set(r) for r in records] == [{f.name for f in fields(Detection)}] * 4
    assert {(r["center_hz"], r["sample_rate_hz"]) for r in records} == {(433.92e6, 250e3)}
    said = done.stderr.decode()
    assert "g001_433.92M_250k.cu8: cu8, 0.25 MS/s, 433.92 MHz" in said
    assert "4 classified" in said
    assert "904 left over" in said


def test_samples_come_from_standard_input():
    data = iq_bytes(5000, "cs16")
    done = run("run", "-", "--format", "cs16", "--rate", "1M", *WHOLE_BAND, data=data)
    assert done.returncode == 0
    assert starts(read(done.stdout)) == [0, 1024, 2048, 3072]


def test_the_first_label_of_a_pipe_does_not_wait_for_its_end():
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), PIPE)
    with start("run", "-", "--format", "cu8", "--rate", "1M", *WHOLE_BAND, **pipes) as program:
        program.stdin.write(iq_bytes(2048))
        program.stdin.flush()
        first = program.stdout.readline()  # while the pipe stays open
        program.stdin.close()
        rest = program.stdout.read()
        program.stderr.read()
    assert starts(read(first + rest)) == [0, 1024]
    assert program.returncode == 0


# -- how many ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cu8", "cs8", "cs16", "cf32"])
@pytest.mark.parametrize("n", [1023, 1024, 5119, 5120])
def test_every_window_of_the_recording_gets_one_record(labels, tmp_path, name, n):
    records = labels(record(tmp_path / f"x.{name}", n))
    assert starts(records) == [1024 * k for k in range(windows_in(n))]


@pytest.mark.parametrize("hop", [1, 100, 1000, 1024, 1025, 7000, 100_000])
def test_a_window_begins_at_every_hop(labels, tmp_path, hop):
    n = 1100 if hop == 1 else 20_000
    records = labels(record(tmp_path / "x.cu8", n), "--hop", hop)
    assert starts(records) == [hop * k for k in range(windows_in(n, hop))]


@pytest.mark.parametrize(("factor", "hop"), [(2, 1024), (7, 1024), (7, 300), (64, 10)])
def test_a_decimated_recording_has_as_many_windows_as_samples_are_left(
    labels, tmp_path, factor, hop
):
    n = 70_001
    path = record(tmp_path / "x_1000k.cu8", n)
    records = labels(path, "--decimate", factor, "--hop", hop)
    assert starts(records) == [hop * k for k in range(windows_in(-(-n // factor), hop))]
    assert records[0]["sample_rate_hz"] == pytest.approx(1e6 / factor)
    assert records[-1]["elapsed_s"] == pytest.approx(records[-1]["sample"] * factor / 1e6)


@pytest.mark.parametrize("hop", [1024, 300, 1500])
def test_no_window_reaches_over_a_capture(labels, tmp_path, hop):
    captures = [
        {"core:sample_start": 0, "core:frequency": 433e6},
        {"core:sample_start": 2500, "core:frequency": 434e6},
        {"core:sample_start": 3000, "core:frequency": 435e6},  # shorter than a window
        {"core:sample_start": 3500, "core:frequency": 435e6, "core:global_index": 9000},
    ]
    records = labels(sigmf(tmp_path, 10_000, captures=captures), "--hop", hop)
    stretches = [(0, 2500, 433e6), (2500, 500, 434e6), (3000, 500, 435e6), (9000, 6500, 435e6)]
    expected = [
        (first + hop * k, center_hz)
        for first, n, center_hz in stretches
        for k in range(windows_in(n, hop))
    ]
    assert [(r["sample"], r["center_hz"]) for r in records] == expected
    gaps = {r["sample"]: r["gap_before"] for r in records if r["gap_before"]}
    assert gaps == {9000: 5500}
    assert "5,500 samples" in labels.said


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_windows_with_a_number_that_is_none_are_skipped_counted_and_no_error(labels, tmp_path, bad):
    samples = noise_and_tone(10_240).astype(np.complex64)
    samples[3000] = bad
    samples[5000:5003] = bad
    (tmp_path / "x.cf32").write_bytes(samples.tobytes())
    records = labels(tmp_path / "x.cf32")
    assert starts(records) == [1024 * k for k in range(10) if k not in (2, 4)]
    assert "10, 8 classified, 2 skipped (non-finite)" in labels.said


# -- which part ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "first", "n"),
    [
        (["--start", "5ms"], 5000, 15_000),
        (["--duration", "5ms"], 0, 5000),
        (["-T", "0.005"], 0, 5000),
        (["-n", "5k"], 0, 5000),
        (["--start", "5ms", "--duration", "4ms"], 5000, 4000),
        (["--start", "5ms", "--duration", "4ms", "-n", "3000"], 5000, 3000),
        (["--duration", "1h"], 0, 20_000),
    ],
)
def test_a_part_of_the_recording_keeps_its_place_in_it(labels, tmp_path, flags, first, n):
    records = labels(record(tmp_path / "x.cu8", 20_000), "--rate", "1M", *flags)
    assert starts(records) == [first + 1024 * k for k in range(windows_in(n))]
    assert records[0]["elapsed_s"] == first / 1e6


def test_without_a_rate_there_are_samples_instead_of_times_and_the_user_is_told(labels, tmp_path):
    records = labels(record(tmp_path / "x.cu8", 3000))
    assert starts(records) == [0, 1024]
    unknown = ("time", "elapsed_s", "duration_s", "sample_rate_hz", "center_hz")
    assert {r[key] for r in records for key in unknown} == {None}
    said = labels.said
    assert "cu8, rate unknown" in said
    assert "The sample rate is not known: positions are in samples; give --rate for times." in said


def test_flags_go_over_the_name(labels, tmp_path):
    path = record(tmp_path / "x_1M_1k.cu8", 3000)
    (first, _) = labels(path, "--rate", "2M", "--freq", "868.3M")
    assert (first["sample_rate_hz"], first["center_hz"]) == (2e6, 868.3e6)


def test_realtime_takes_as_long_as_the_recording(tmp_path, capfd):
    path = record(tmp_path / "x.cu8", 30_000)
    began_s = time.monotonic()
    assert main(["run", str(path), "--rate", "50k", "--realtime", "-q", *WHOLE_BAND]) == 0
    took_s = time.monotonic() - began_s
    records = read(capfd.readouterr().out)
    assert len(records) == windows_in(30_000)
    assert 0.6 <= took_s < 30
    assert all(0 <= r["latency_s"] < took_s for r in records)


# -- outputs -------------------------------------------------------------------------------


def test_several_outputs_get_the_same_records(labels, tmp_path):
    path = record(tmp_path / "x.cu8", 5000)
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.csv"
    assert labels(path, "--rate", "1M", "-o", f"jsonl:{lines}", "--output", f"csv:{table}") == []
    records = read(lines.read_text())
    assert starts(records) == [0, 1024, 2048, 3072]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [r["label"] for r in records]
    assert [int(row["sample"]) for row in rows] == starts(records)
    said = "".join(labels.said.split())  # however it was folded
    assert f"jsonl:{lines}:4recordswritten" in said
    assert f"csv:{table}:4recordswritten" in said


def test_a_table_is_for_people(labels, tmp_path):
    out = labels.text(record(tmp_path / "x.cu8", 5000), "-o", "table")
    assert "label" in out
    assert "4 windows" in out


@pytest.mark.parametrize("k", [1, 3, 100])
def test_as_many_classes_are_listed_as_asked_for(labels, tmp_path, k):
    records = labels(record(tmp_path / "x.cu8", 3000), "--top-k", k)
    assert {len(r["top"]) for r in records} <= {min(k, 30)}
    for r in records:
        probabilities = [p for _, p in r["top"]]
        assert r["top"][0] == [r["label"], r["probability"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) <= 1.01


def test_what_is_less_likely_than_asked_for_is_unknown(labels, tmp_path):
    records = labels(record(tmp_path / "x.cu8", 3000), "--min-probability", "1")
    assert len(records) == 2
    for r in records:
        assert r["probability"] == 1 or r["label"] == "unknown"


def test_quiet_says_nothing(labels, tmp_path):
    assert len(labels(record(tmp_path / "x.cu8", 3000), "--quiet")) == 2
    assert labels.said == ""


def test_statistics_come_as_often_as_asked_for(labels, tmp_path):
    path = record(tmp_path / "x.cu8", 100_000)
    labels(path, "--rate", "200k", "--realtime", "--stats", "100ms")
    lines = [line for line in labels.said.splitlines() if "windows classified;" in line]
    assert 2 <= len(lines) <= 5
    assert "real time" in lines[-1]
    assert "; coverage " in lines[-1]


def test_coverage_is_told_also_where_it_is_whole(labels, tmp_path):
    labels(record(tmp_path / "x.cu8", 3000))
    assert "2 classified, coverage 100.0%" in labels.said


def test_the_recordings_own_labels_stand_beside_ours(labels, tmp_path):
    annotations = [
        {"core:sample_start": 0, "core:sample_count": 4000, "core:label": "CW"},
        {"core:sample_start": 8000, "core:sample_count": 2000, "core:label": "a door bell"},
    ]
    records = labels(sigmf(tmp_path, 10_240, annotations=annotations))
    assert [r["truth"] for r in records] == ["CW"] * 4 + [None] * 4 + ["a door bell"] * 2
    assert "annotated  4 windows" in labels.said


def test_the_recordings_own_labels_move_with_decimation(labels, tmp_path):
    annotations = [{"core:sample_start": 10_240, "core:sample_count": 10_240, "core:label": "CW"}]
    records = labels(sigmf(tmp_path, 30_720, annotations=annotations), "--decimate", "5")
    assert [r["truth"] for r in records] == [None, None, "CW", "CW", None, None]


def test_a_bundle_is_found_by_its_folder(labels, tmp_path):
    path = record(tmp_path / "x.cu8", 3000)
    assert labels(path, "--model", bundle_copy(tmp_path)) != []


def test_both_precisions_run_and_say_so(labels, tmp_path):
    path = record(tmp_path / "x.cu8", 3000)
    for precision in ("int8", "fp32"):
        assert len(labels(path, "--precision", precision)) == 2
        assert f"onnx {precision}, 1 threads" in labels.said


def test_times_count_from_the_clock_of_the_recording(labels, tmp_path):
    captures = [{"core:sample_start": 0, "core:datetime": "2026-01-31T12:00:00Z"}]
    records = labels(sigmf(tmp_path, 3000, captures=captures))
    assert [r["time"] for r in records] == [
        "2026-01-31T12:00:00.000000Z",
        "2026-01-31T12:00:00.001024Z",
    ]
