"""`liveclf doctor` and `liveclf devices` with the real pyrtlsdr over a librtlsdr without a radio."""

from __future__ import annotations

import pytest
from fake_radio import environment

from liveclf.config import CheckSettings, DoctorSettings, Hertz, RadioSettings, SourceSettings
from liveclf.doctor import drivers, examination, listening
from liveclf.doctor.report import Finding
from liveclf.sources import finding, isolated

LIMIT_S = 60.0


def heard(monkeypatch: pytest.MonkeyPatch, listen_s: float = 1.0, **settings: object) -> Finding:
    for name, value in environment(**settings).items():
        monkeypatch.setenv(name, value)
    doctor = CheckSettings(listen_s=listen_s)
    return examination._listen(DoctorSettings(doctor=doctor, radio=RadioSettings(device="rtlsdr")))


def test_a_counter_without_a_hole_is_no_loss(monkeypatch):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    # Slow enough for its buffers to last for seconds on a machine that is busy.
    source, radio = SourceSettings(rate_hz=Hertz(250e3)), RadioSettings(device="rtlsdr")
    outcome = isolated.call(
        "it", listening.PROBE, "liveclf.sources.rtlsdr", source, radio, 2.0, limit_s=LIMIT_S
    )
    assert outcome.state == "ok", outcome.message
    assert (outcome.value.is_exact, outcome.value.lost) == (True, 0)
    assert outcome.value.samples > 0
    assert outcome.value.name.startswith("RTL-SDR 00000001")


def test_what_is_lost_without_a_mark_is_counted(monkeypatch):
    found = heard(monkeypatch, faults="overflow=77@1000000 overflow=33@1500000")
    assert found.state == "fault"
    lost = int(found.message.split("at least ")[1].split(" lost")[0].replace(",", ""))
    assert lost >= 110


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"absent": __file__}, "No RTL-SDR is plugged in"),
        ({"faults": "crash@300000"}, "rtlsdr crashed (SIGSEGV)."),
        ({"faults": "return=-1@500000"}, "00000001"),
    ],
)
def test_a_radio_that_is_away_or_goes_is_a_fault(monkeypatch, settings, said):
    found = heard(monkeypatch, 20.0 if "faults" in settings else 1.0, **settings)
    assert found.state == "fault"
    assert said in found.message


def test_the_library_is_told_with_what_it_lacks(monkeypatch):
    for name, value in environment("OLD").items():
        monkeypatch.setenv(name, value)
    found = drivers.judge_rtl(isolated.call("librtlsdr", drivers.RTL_PROBE, limit_s=LIMIT_S))
    assert found.state in ("ok", "warning")
    assert "set_dithering" in found.message


def test_dongles_are_listed_with_what_to_give_as_device(monkeypatch):
    for name, value in environment(serials="7,8").items():
        monkeypatch.setenv(name, value)
    answer = finding.ask("rtlsdr", "liveclf.sources.rtlsdr", LIMIT_S)
    assert [found.device for found in answer.found] == ["rtlsdr:7", "rtlsdr:8"]
