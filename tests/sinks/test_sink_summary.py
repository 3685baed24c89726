"""The final figures on standard error."""

from __future__ import annotations

import io
import sys

import pytest

from liveclf.sinks import SinkReport
from liveclf.sinks.summary import print_summary

SUMMARY = {
    "source": "demo_433.92M.cu8",
    "model": "vgg16-slim",
    "engine": "onnx int8, 2 threads",
    "samples": 240_000_000,
    "stream_s": 100.0,
    "wall_s": 41.234,
    "realtime_factor": 2.43,
    "windows": 234_375,
    "classified": 230_000,
    "unclassified": 0,
    "skipped": {"non-finite": 0, "zero power": 4375},
    "samples_lost": 20_480,
    "samples_short": 312,
    "unknown": 1200,
    "latency_p50_ms": 12.345,
    "latency_p99_ms": 1041.0,
    "labels": {"QPSK": 50, "BPSK": 150, "2FSK": 0, **{f"class{k}": 1 for k in range(20)}},
    "families": {"PSK": 200, "FSK": 0, "AM": 20},
    "agreement": {"annotated": 1000, "label_right": 920, "family_right": 981},
}


def printed(summary, reports=()) -> list[str]:
    file = io.StringIO()
    print_summary(summary, reports, file)
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def test_every_figure_is_there_and_fits():
    lines = printed(SUMMARY)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    for words in (
        "source     demo_433.92M.cu8",
        "model      vgg16-slim, onnx int8, 2 threads",
        "240,000,000 samples, 100 s of signal in 41.2 s, 2.43 times real time",
        "234,375, 230,000 classified, 4,375 skipped (zero power)",
        "20,480 samples, 312 left over, too few for a window",
        "median 12.3 ms, 99 % within 1,041 ms",
        "families   PSK 90.9%, AM 9.1%",
        "1,000 windows, label agrees in 92.0%, family agrees in 98.1%",
    ):
        assert words in text
    assert "non-finite" not in text
    assert "\x1b" not in text


def test_windows_that_a_broken_run_left_behind_are_told():
    figures = {"windows": 9, "classified": 5, "skipped": {"zero power": 1}, "unclassified": 3}
    (line,) = printed(figures)
    assert line == "windows  9, 5 classified, 1 skipped (zero power), 3 not classified"


EMISSIONS = SUMMARY | {
    "labelled": "emissions",
    "emissions": 1500,
    "left_out": {"too weak": 12, "too many at once": 0},
    "noise": 3,
}


def test_where_emissions_are_told_they_are_what_is_counted():
    text = " ".join("\n".join(printed(EMISSIONS)).split())
    for words in (
        "emissions 1,500 told, 1,200 unknown, 12 left out (too weak), 3 left out (taken for noise)",
        "windows 234,375 cut out of them, 230,000 classified, 4,375 skipped (zero power)",
        "1,000 emissions, label agrees in 92.0%",
    ):
        assert words in text
    assert "too many" not in text
    assert text.count("unknown") == 1
    assert "emissions" not in "\n".join(printed(SUMMARY))


def test_a_run_that_finds_nothing_says_so():
    summary = {"labelled": "emissions", "emissions": 0, "windows": 0, "classified": 0}
    assert printed(summary) == ["emissions  0 told", "windows    0 cut out of them, 0 classified"]


def test_each_of_several_streams_says_how_many_emissions():
    one = EMISSIONS | {"stream": 0, "failure": None}
    lines = printed({"streams": [one, one | {"stream": 1, "labelled": "windows"}]})
    text = " ".join(" ".join(lines).split())
    assert "240,000,000 samples; emissions 1,500 told, 1,200 unknown, 12 left out" in text
    assert "1 demo_433.92M.cu8: 240,000,000 samples; windows 234,375, 230,000" in text


def test_labels_are_ranked_and_the_rare_ones_summed():
    lines = printed(SUMMARY)
    first = next(i for i, line in enumerate(lines) if line.startswith("labels"))
    assert lines[first].split() == ["labels", "BPSK", "150", "68.2%", "━" * 16]
    assert lines[first + 1].split()[:2] == ["QPSK", "50"]
    assert lines[first + 8].split()[:4] == ["14", "more", "14", "6.4%"]


def test_outputs_say_what_became_of_them():
    reports = (
        SinkReport("table", 230_000, 0, "ok", ""),
        SinkReport("csv:a.csv", 1000, 5, "failed", "csv:a.csv cannot be written: No space left."),
        SinkReport("jsonl", 10, 999, "closed", "jsonl was closed by its reader."),
    )
    lines = printed({}, reports)
    assert lines == [
        "outputs  table: 230,000 records written",
        "         csv:a.csv cannot be written: No space left. 1,000 records written, 5",
        "         dropped",
        "         jsonl was closed by its reader. 10 records written",
    ]


@pytest.mark.parametrize("key", list(EMISSIONS))
@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize("whole", [SUMMARY, EMISSIONS], ids=["windows", "emissions"])
def test_a_figure_that_is_not_known_is_left_out(key, missing, whole):
    summary = {k: v for k, v in whole.items() if k != key} if missing else {**whole, key: None}
    assert "None" not in "\n".join(printed(summary))


def test_a_long_run_is_told_in_hours():
    assert "3,000,000 s" not in printed({"wall_s": 3e6})[0]
    assert printed({"wall_s": 3e6})[0].endswith("in 833 h")
    assert printed({"wall_s": 1800.0})[0].endswith("in 30 min")


def test_standard_error_is_the_default(capsys):
    print_summary({"source": "a"}, ())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.rstrip() == "source  a"


def test_a_standard_error_that_is_gone_is_no_error(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    print_summary({"source": "a"}, (), Gone())
    monkeypatch.setattr(sys, "stderr", None)
    print_summary({"source": "a"}, ())
