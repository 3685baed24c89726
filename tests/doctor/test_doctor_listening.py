"""The test for lost samples, with a driver that sends a counter and can lose some of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import radio_that_counts

from liveclf.config import RadioSettings, SourceSettings
from liveclf.doctor import listening
from liveclf.doctor.listening import CountingTape, Heard, judge, listen
from liveclf.sources.isolated import Outcome

MODULE = "radio_that_counts"
HEARD = Heard("a radio", 2.4e6, ("Gain is 28 dB.",), 24_000_000, 10.0, 0.0, 0, True)


@dataclass(frozen=True)
class Losses:
    """What is missing, as the function of the RTL-SDR tells it."""

    lost_samples: float
    last: int | None


def counter_losses(data: Any, previous: int | None) -> Losses:
    """Stand in for the function of the RTL-SDR, byte by byte."""
    missing = 0
    for byte in np.frombuffer(data, np.uint8).tolist():
        missing += 0 if previous is None else (byte - previous - 1) % 256
        previous = byte
    return Losses(missing / 2, previous)


@pytest.fixture
def counts(monkeypatch):
    monkeypatch.setitem(listening._COUNTERS, MODULE, f"{__name__}:counter_losses")


def heard_from(fault: str, listen_s: float = 0.3) -> Heard:
    return listen(MODULE, SourceSettings(), RadioSettings(device=f"counts:{fault}"), listen_s)


def verdict(heard: Heard) -> str:
    return judge(Outcome("ok", "", heard), "rtlsdr", 10.0).state


def test_a_radio_that_loses_nothing_is_ok(counts):
    heard = heard_from("none")
    assert heard.is_exact
    assert heard.lost == 0
    assert heard.samples > 0
    assert heard.samples % (radio_that_counts.WRITE_BYTES // 2) == 0


def test_every_hole_in_the_counter_is_found(counts):
    assert heard_from("loses").lost == 20


def test_an_overflow_is_counted(counts):
    assert heard_from("overflows").overflows == 1


@pytest.mark.parametrize("fault", ["silent", "ends"])
def test_a_radio_that_does_not_go_on_ends_the_test_all_the_same(counts, fault):
    heard = heard_from(fault)
    assert judge(Outcome("ok", "", heard), "rtlsdr", 10.0).state == "fault"


def test_what_is_asked_of_the_driver_is_its_counter(counts, monkeypatch):
    asked = []
    before = radio_that_counts.open_driver
    monkeypatch.setattr(
        radio_that_counts, "open_driver", lambda s, r: asked.append(r.options) or before(s, r)
    )
    heard_from("ends")
    assert asked == [("test_mode=on",)]


def test_a_driver_without_a_counter_tells_what_it_knows(monkeypatch):
    heard = heard_from("loses")
    assert (heard.is_exact, heard.lost) == (False, 0)
    tape = CountingTape(radio_that_counts.Radio("").opened, None)
    tape.write(bytes(100), lost=7)  # the first may hold what was there before
    tape.write(bytes(100), lost=2, estimated=3)
    assert (tape.samples, tape.lost) == (50, 5)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"lost": 0.5}, "fault"),
        ({"overflows": 1}, "fault"),
        ({"samples": 0}, "fault"),
        ({"seconds": 2.0}, "fault"),
        ({"is_exact": False}, "ok"),
        ({"is_exact": False, "samples": 23_900_000}, "ok"),  # a clock may be off by so much
        ({"is_exact": False, "samples": 20_000_000}, "fault"),
        ({"is_exact": True, "samples": 20_000_000}, "fault"),  # holes as long as the counter
    ],
)
def test_what_was_heard_is_judged(changes, state):
    assert verdict(replace(HEARD, **changes)) == state


def test_a_deficit_against_the_clock_is_told_in_samples():
    heard = replace(HEARD, is_exact=False, samples=20_000_000)
    assert "about 4,000,000 lost" in judge(Outcome("ok", "", heard), "soapy", 10.0).message


def test_how_the_radio_was_set_is_told():
    assert judge(Outcome("ok", "", HEARD), "rtlsdr", 10.0).message == (
        "a radio: 24,000,000 samples in 10.0 s, none lost. Gain is 28 dB."
    )


def test_what_is_missing_is_a_fault_when_the_device_was_asked_for():
    found = judge(Outcome("missing", "It needs X; install it with: pip install x"), "rtlsdr", 10.0)
    assert (found.state, found.message, found.remedy) == ("fault", "It needs X.", "pip install x")
