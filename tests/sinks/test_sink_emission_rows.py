"""The live table of emissions, as text."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from screen import Screen

from liveclf.emissions import Emissions
from liveclf.sinks.emission_rows import FORGET_S, MOST_OPEN, EmissionRows
from liveclf.sinks.table import ROWS


@pytest.fixture
def screen(info):
    return Screen(info, rows=EmissionRows)


def tell(screen: Screen, *emissions) -> None:
    screen.sink.write(Emissions(emissions))


def body(screen: Screen) -> list[str]:
    """Close the table and return its rows."""
    screen.sink.close({})
    return screen.final[3:-1]


def test_a_row_says_when_where_what_and_how_sure(screen, emission):
    tell(screen, emission(1), emission(2, probability=0.4, label="unknown", family="unknown"))
    first, second = body(screen)
    assert screen.final[1].split() == [
        *("UTC", "MHz", "kHz", "span", "SNR", "label", "family", "prob", "win"),
    ]
    assert first.split() == [
        *("12:03:04.123", "433.9504", "42.0", "63.0", "ms", "18.2", "OOK", "ASK"),
        *("━━━━━━", "97%", "3"),
    ]
    assert second.split()[-5:] == ["unknown", "unknown", "━━────", "40%", "3"]
    assert screen.final[-1].rstrip() == "2 emissions, 0 open now, 1 unknown, latency 52 ms"


def test_one_that_lasts_is_marked_and_its_row_is_brought_up_to_date(screen, emission):
    tell(screen, emission(1, state="open", n_windows=3, label="unknown"), emission(2))
    tell(screen, emission(1, state="open", n_windows=80, duration_s=12.0))
    first, second = body(screen)
    assert first.split()[0] == "●"
    assert ("12.0 s" in first, first.split()[-1]) == (True, "80")
    assert second.startswith("  12:03")
    assert screen.final[-1].startswith("2 emissions, 1 open now, 0 unknown")


def test_when_it_has_ended_it_is_marked_no_more_and_counted_once(screen, emission):
    for state in ("open", "open", "closed"):
        tell(screen, emission(1, state=state))
    (row,) = body(screen)
    assert "●" not in row
    assert screen.final[-1].startswith("1 emission, 0 open now")


def test_what_lasts_stays_in_its_place_while_others_come_and_go(screen, emission):
    tell(screen, emission(1), emission(2, state="open", label="FM"))
    for number in range(3, 100):
        tell(screen, emission(number, n_windows=number))
    rows = body(screen)
    assert len(rows) == ROWS
    assert "FM" in rows[0]
    assert [int(row.split()[-1]) for row in rows[1:]] == list(range(100 - ROWS + 1, 100))
    assert screen.final[-1].startswith("99 emissions, 1 open now")


def test_a_low_terminal_keeps_what_lasts(info, emission):
    screen = Screen(info, rows=EmissionRows, height=8)
    tell(screen, emission(1, state="open", label="FM"), *map(emission, range(2, 9)))
    rows = body(screen)
    assert len(rows) == 3
    assert ["FM" in row for row in rows] == [True, False, False]


def test_streams_count_their_emissions_for_themselves(screen, emission):
    tell(screen, emission(1, source="a.cu8"), emission(1, source="b.cu8", stream=1))
    rows = body(screen)
    assert [row.split()[:2] for row in rows] == [["0", "a.cu8"], ["1", "b.cu8"]]


UNKNOWN = dict.fromkeys(("time", "center_hz"), None)
NO_RATE = dict.fromkeys(("elapsed_s", "duration_s", "offset_hz", "bandwidth_hz"), None)


@pytest.mark.parametrize(
    ("unknown", "header", "cells"),
    [
        (UNKNOWN, ["second", "MHz"], ["0.100", "+0.0304", "42.0", "63.0", "ms"]),
        (UNKNOWN | NO_RATE, ["sample", "MHz"], ["25000", "-", "-", "15,750"]),
    ],
)
def test_without_a_clock_it_counts_seconds_and_without_a_rate_samples(
    screen, emission, unknown, header, cells
):
    tell(screen, emission(1, **unknown))
    (row,) = body(screen)
    assert screen.final[1].split()[:2] == header
    assert row.split()[: len(cells)] == cells


def test_one_that_was_not_classified_has_no_probability_and_wide_terminals_say_why(info, emission):
    screen = Screen(info, rows=EmissionRows, width=120)
    note = "shorter than [a] window"
    tell(screen, emission(1, n_windows=0, probability=0.0, note=note, symbol_rate_hz=None))
    (row,) = body(screen)
    assert row.rstrip().endswith(note)
    assert "%" not in row
    assert screen.final[1].split()[-2:] == ["kBd", "note"]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 90, 110, 200])
def test_no_line_is_wider_than_the_terminal(info, emission, width):
    screen = Screen(info, rows=EmissionRows, width=width)
    tell(
        screen,
        *(emission(k, label="AM-DSB-SC", n_windows=12345, bandwidth_hz=1.25e6) for k in range(30)),
        emission(40, state="open", note="cannot be brought to the rate that the network wants"),
    )
    screen.sink.close({})
    assert max(len(line) for line in screen.final) <= width
    if width >= 60:
        assert any("AM-DSB-SC" in line and "97%" in line for line in screen.final)


def test_a_terminal_without_unicode_gets_ascii(emission):
    rows = EmissionRows(3)
    rows.add(Emissions((emission(1, state="open"),)), 0.0)
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    console.print(rows.table(3, console.options))
    file.flush()
    assert b"*" in file.buffer.getvalue()


def test_one_whose_end_was_lost_is_not_open_for_ever(screen, emission):
    tell(screen, emission(1, state="open"))
    screen.now_s = FORGET_S + 1
    tell(screen, emission(2))
    assert not any("●" in row for row in body(screen))
    assert "0 open now" in screen.final[-1]


def test_what_is_kept_is_bounded(emission):
    rows = EmissionRows(5)
    for start in range(0, MOST_OPEN + 5000, 1000):
        rows.add(Emissions(tuple(emission(start + k, state="open") for k in range(1000))), 0.0)
    assert f"{MOST_OPEN:,} open now" in rows.counters()


@settings(max_examples=60, deadline=None)
@given(
    told=st.lists(st.tuples(st.integers(1, 8), st.booleans()), max_size=40),
    limit=st.integers(1, 6),
)
def test_whatever_is_told_rows_are_the_last_word_and_the_open_ones_come_first(
    emission, told, limit
):
    rows, last = EmissionRows(limit), {}
    for k, (number, is_open) in enumerate(told):
        if last.get(number, ("", ""))[0] == "closed":
            continue  # ended is ended
        state = "open" if is_open else "closed"
        last[number] = state, k
        rows.add(Emissions((emission(number, state=state, n_windows=k),)), 0.0)
    for number, (state, k) in last.items():
        if state == "open":
            rows.add(Emissions((emission(number, state=state, n_windows=k),)), 0.0)
    shown = rows.shown(limit)
    assert len(shown) == min(limit, len(last))
    assert all(last[e.id] == (e.state, e.n_windows) for e in shown)
    n_open = sum(state == "open" for state, _ in last.values())
    assert sum(e.state == "open" for e in shown) == min(limit, n_open)
    assert rows.counters().startswith(f"{len(last)} emission")
    assert f", {n_open} open now, " in rows.counters()
