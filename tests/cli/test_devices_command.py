"""`liveclf devices`: the table, JSON, and what is said where there is nothing."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

from liveclf.cli import devices, main
from liveclf.sources import finding
from liveclf.sources.capture.driver import Found
from liveclf.sources.finding import Answer

RADIO = Found("rtlsdr:00000001", "RTL-SDR [R820T]", {"serial": "00000001", "gain": "0 to 49.6 dB"})
MISSING = "SoapySDR is not installed; install it with: apt install python3-soapysdr"
HANGS = "The driver other did not answer within 15 s and was stopped."


@pytest.fixture
def answers(monkeypatch):
    """Let the drivers answer this."""

    def answer(*given: Answer) -> None:
        monkeypatch.setattr(finding, "ask_all", lambda drivers, limit_s: iter(given))

    return answer


def test_the_table_says_what_to_give_as_device_and_what_is_missing(answers, capsys):
    answers(
        Answer("rtlsdr", "ok", "", (RADIO,)),
        Answer("soapy", "missing", MISSING),
        Answer("other", "failed", HANGS),
    )
    assert main(["devices"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for text in ("rtlsdr:00000001", "[R820T]", "gain: 0 to 49.6 dB", MISSING, HANGS):
        assert text in out
    assert "No radio" not in out


def test_that_none_is_there_is_said_and_no_error(answers, capsys):
    answers(Answer("rtlsdr", "ok"))
    assert main(["devices"]) == 0
    assert capsys.readouterr().out == "No radio was found.\n"


def test_json_holds_all_of_it(answers, capsys):
    answers(Answer("rtlsdr", "ok", "", (RADIO,)), Answer("soapy", "missing", MISSING))
    assert main(["devices", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["found"] == [{"device": RADIO.device, "name": RADIO.name, "facts": RADIO.facts}]
    assert second == {"driver": "soapy", "state": "missing", "message": MISSING, "found": []}


def test_only_drivers_that_know_what_is_plugged_in_are_asked():
    asked = devices._drivers()
    assert set(asked) == {"rtlsdr", "soapy"}
    for module in asked.values():
        assert callable(import_module(module).find_devices)
