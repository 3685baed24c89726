"""Asking drivers for devices: those that answer, and those that hang or crash."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from liveclf.sources.finding import Answer, ask, ask_all

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the faults are those of POSIX")
LIMIT_S = 60.0  # generous: the machine may be busy


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "stand_ins"))


def test_a_driver_tells_its_devices_and_what_it_prints_is_not_seen(capfd):
    answer = ask("rtlsdr", "drivers_that_answer", LIMIT_S)
    assert (answer.state, answer.message) == ("ok", "")
    assert [found.device for found in answer.found] == ["rtlsdr:00000001", "rtlsdr:1"]
    assert answer.found[0].facts["serial"] == "00000001"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("fault", "state", "message"),
    [
        ("none", "ok", ""),
        ("crashes", "failed", "The driver radio crashed (SIGSEGV)."),
        ("exits", "failed", "The driver radio crashed (exit code 7)."),
        (
            "missing",
            "missing",
            "RTL-SDR needs pyrtlsdr; install it with: pip install 'liveclf[rtlsdr]'",
        ),
        ("refuses", "failed", "The radio is in use by another program; end that."),
        ("raises", "failed", "AttributeError: undefined symbol: rtlsdr_set_dithering"),
    ],
)
def test_what_a_driver_does_instead_is_a_sentence(monkeypatch, fault, state, message):
    monkeypatch.setenv("FAULT", fault)
    assert ask("radio", "drivers_that_do_not", LIMIT_S) == Answer("radio", state, message)
    assert multiprocessing.active_children() == []


def test_a_driver_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setenv("FAULT", "hangs")
    answer = ask("radio", "drivers_that_do_not", 0.5)
    assert answer.message == "The driver radio did not answer within 0.5 s and was stopped."
    assert multiprocessing.active_children() == []


def test_a_fault_of_one_does_not_hide_the_devices_of_another(monkeypatch):
    monkeypatch.setenv("FAULT", "crashes")
    drivers = {"one": "drivers_that_do_not", "two": "drivers_that_answer", "three": "no_such"}
    answers = list(ask_all(drivers, LIMIT_S))
    assert [(a.driver, a.state, len(a.found)) for a in answers] == [
        ("one", "failed", 0), ("two", "ok", 2), ("three", "failed", 0)
    ]  # fmt: skip
