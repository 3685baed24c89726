"""The live table, as text."""

from __future__ import annotations

import numpy as np
import pytest
from screen import Screen

from liveclf.records import StreamInfo
from liveclf.sinks.table import REFRESH_S


@pytest.fixture
def screen(info):
    return Screen(info)


def test_it_shows_the_labels_and_the_counters(make, screen):
    level = {"level_db": 9.5, "power_dbfs": -30.25, "latency_s": 0.0123}
    screen.sink.write(
        make(
            6,
            label=[0, 0, 0, 0, 0, -1],
            family=[0, 0, 0, 0, 0, -1],
            probability=[0.9] * 5 + [0.3],
            gap_before=[0, 0, 1000, 0, 0, 500],
            **level,
        )
    )
    screen.sink.close({})
    assert screen.final[0].rstrip() == "demo.cu8  cu8  2.4 MS/s  433.92 MHz"
    assert screen.final[1].split() == [
        "UTC",
        "span",
        "MHz",
        "label",
        "family",
        "prob",
        "dB",
        "dBFS",
        "windows",
    ]
    assert screen.final[3].split() == [
        "22:13:20.000",
        "2.1",
        "ms",
        "433.9200",
        "BPSK",
        "PSK",
        "━━━━━─",
        "90%",
        "+9.5",
        "-30.2",
        "5",
    ]
    assert screen.final[4].split() == [
        "22:13:20.002",
        "0.4",
        "ms",
        "433.9200",
        "unknown",
        "unknown",
        "━━────",
        "30%",
        "+9.5",
        "-30.2",
        "1",
    ]
    assert screen.final[5].rstrip() == "6 windows, 1,500 samples lost, latency 12 ms"


@pytest.mark.parametrize(
    ("unknown", "header", "first"),
    [
        ({"epoch_s": np.nan}, "second", "0.427"),
        ({"epoch_s": np.nan, "sample_rate_hz": np.nan, "center_hz": np.nan}, "sample", "1024000"),
    ],
)
def test_without_a_clock_it_counts_seconds_and_without_a_rate_samples(
    make, screen, unknown, header, first
):
    screen.sink.write(make(1, start=1024000, level_db=np.nan, **unknown))
    screen.sink.close({})
    assert screen.final[1].split()[0] == header
    assert screen.final[3].split()[0] == first
    assert " - " in screen.final[3]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(make, info, width):
    screen = Screen(info, width=width)
    for k in range(50):
        screen.sink.write(make(40, start=k * 1_000_000, power_dbfs=-123.4, probability=1.0))
    screen.sink.close({})
    assert max(len(line) for line in screen.final) <= width
    assert len(screen.final) <= 24
    if width >= 60:
        assert any("QPSK" in line and "100%" in line for line in screen.final)


def test_a_low_terminal_gets_the_rows_seen_last(make, info):
    screen = Screen(info, height=8)
    for k in range(10):
        screen.sink.write(make(1, label=0, start=k * 10_000_000))
    screen.sink.close({})
    assert len([line for line in screen.final if "BPSK" in line]) == 3
    assert "22:13:57.500" in screen.text


def test_it_is_drawn_a_few_times_a_second_whatever_the_data_rate(make, screen):
    for _ in range(1000):
        screen.sink.write(make(2))
        screen.now_s += REFRESH_S / 100
    assert 10 <= screen.n_drawings <= 11


def test_what_was_held_back_is_drawn_when_nothing_follows(make, screen):
    screen.sink.write(make(1, label=0))
    screen.sink.write(make(1, label=1, start=1024))
    assert "QPSK" not in screen.text
    screen.now_s += REFRESH_S
    screen.sink.redraw()
    assert "QPSK" in screen.text
    drawn = screen.n_drawings
    screen.now_s += REFRESH_S
    screen.sink.redraw()  # nothing changed
    assert screen.n_drawings == drawn
    screen.sink.close({})


def test_before_the_first_window_it_says_so(screen):
    screen.sink.redraw()
    assert "waiting for the first window" in screen.text
    screen.sink.close({})


def test_on_a_file_only_the_final_state_is_written(make, info):
    screen = Screen(info, terminal=False)
    for k in range(20):
        screen.sink.write(make(5, start=k * 5120, label=0))
        screen.now_s += 1
    assert screen.text == ""
    screen.sink.close({})
    assert screen.n_drawings == 1
    assert "100 windows" in screen.text
    assert screen.text.endswith("\n")


def test_it_counts_windows_a_second(make, screen):
    for _ in range(11):
        screen.sink.write(make(50))
        screen.now_s += 0.25
    screen.sink.close({})
    assert "550 windows, 200/s" in screen.final[-1]


def test_names_are_not_taken_for_markup(make):
    screen = Screen(StreamInfo("demo.cu8 [/red]", "cu8", np.nan, np.nan, None, True))
    screen.sink.write(make(1))
    screen.sink.close({})
    assert screen.final[0].rstrip() == "demo.cu8 [/red]  cu8"


def test_several_streams_are_told_apart(make, screen):
    screen.sink.write(make(2, label=0, stream_id=[0, 1], stream_names=("a[1].cu8", "b.cu8")))
    screen.sink.close({})
    assert [line.split()[:2] for line in screen.final[3:-1]] == [["0", "a[1].cu8"], ["1", "b.cu8"]]
