"""What a SoapySDR radio is told, what it refuses, and what it then says it is set to."""

from __future__ import annotations

from typing import Any

import pytest
from faking_soapy import FakeSoapy


@pytest.mark.parametrize(
    ("radio", "told"),
    [
        ({}, {"rate": "2400000", "gain_mode": "auto"}),
        ({"gain": "VGA=8dB"}, {"gain_mode": "manual", "gain": "VGA=8"}),
        ({"gain": "lna=20"}, {"gain": "LNA=20"}),
        ({"ppm": -12.5}, {"ppm": "-12.5"}),
        ({"bandwidth_hz": 1.5e6}, {"bandwidth": "1500000"}),
        ({"antenna": "HF"}, {"antenna": "HF"}),
        ({"direct_sampling": "q"}, {"direct_samp": "2"}),
        ({"direct_sampling": "i"}, {"direct_samp": "1"}),
        ({"options": ["level=-10"]}, {"level": "-10"}),
        ({"options": ["level=-10", "dc_mode=off"]}, {"level": "-10", "channel dc_mode": "false"}),
        ({"options": ["buffers=32"]}, {"buffers": "32"}),
        ({"device": "soapy:driver=fakeradio,buffers=7"}, {"buffers": "7"}),
    ],
)
def test_each_setting_reaches_the_radio(
    soapy: FakeSoapy, radio: dict[str, Any], told: dict[str, str]
) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"radio": radio}, file=path)
    assert got.error is None
    assert {what: got.noted.get(what) for what in told} == told


def test_what_is_not_asked_for_is_left_to_the_radio(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({}, file=path)
    assert set(got.noted) == {"rate", "gain_mode", "produced", "lost", "closed"}


def test_an_overall_gain_is_shared_out_by_the_library(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"radio": {"gain": "30"}}, file=path)
    gains = dict(value.split("=") for what, value in got.log if what == "gain")
    assert sum(map(float, gains.values())) == 30


def test_stages_are_set_each(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"radio": {"gain": "LNA=20,VGA=8"}}, file=path)
    assert [value for what, value in got.log if what == "gain"] == ["LNA=20", "VGA=8"]


def test_gain_is_set_while_it_streams_as_a_whole_and_by_stage(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    wanted = [[None, ""], [20.4, "LNA"], [30.0, ""]]
    got = soapy.run({"gains": wanted}, file=path)
    assert got.opened is not None
    stages = got.opened["gain"]["stages"]
    assert [(s["name"], s["low_db"], s["high_db"]) for s in stages] == [
        ("", 0, 102),
        ("LNA", 0, 40),
        ("VGA", 0, 62),
    ]
    told = got.answers["gains"]
    assert [gain["is_auto"] for gain in told] == [True, False, False]
    assert [stage["now_db"] for stage in told[1]["stages"]] == [20, 20, 0]
    assert sum(stage["now_db"] for stage in told[2]["stages"][1:]) == 30
    modes = [value for what, value in got.log if what == "gain_mode"]
    assert modes[-3:] == ["auto", "manual", "manual"]


def test_the_bias_tee_is_on_while_it_streams_and_off_after(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"radio": {"bias_tee": True}}, file=path)
    order = [entry for entry in got.log if entry[0] in ("biastee", "produced")]
    assert [value for what, value in order if what == "biastee"] == ["true", "false"]
    assert order[-1][0] == "produced"  # off before the device is let go


def test_the_real_values_are_reported(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run(
        {"settings": {"center_hz": [433_920_049.0, 868e6]}, "radio": {"gain": "LNA=20.4"}},
        file=path,
    )
    assert got.opened is not None
    assert got.opened["center_hz"] == 433_920_000.0
    notes = " ".join(got.opened["notes"])
    assert "The centre frequency is 433920000 Hz, asked for was 433920049 Hz." in notes
    assert "The gain LNA is 20 dB, asked for was 20.4 dB." in notes
    assert "Fake 0 says: fake radio warns." in notes


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (
            {"settings": {"rate_hz": 500e3}},
            "--rate 500000: this radio has 225001 to 300000 or 900001 to 30000000 Hz.",
        ),
        (
            {"settings": {"center_hz": [100e6, 5e9]}},
            "--freq 5000000000: this radio has 24000000 to 1766000000 Hz.",
        ),
        ({"radio": {"gain": "200"}}, "--gain 200: this radio has 0 to 102 dB."),
        ({"radio": {"gain": "LNA=41"}}, "--gain LNA 41: this radio has 0 to 40 dB."),
        ({"radio": {"gain": "TIA=3"}}, "--gain TIA=3: this radio's stages are LNA, VGA."),
        (
            {"radio": {"gain": "much"}},
            "--gain much is neither auto, nor dB, nor dB by stage such as LNA=20,VGA=8.",
        ),
        ({"radio": {"gain": "nan"}}, "--gain nan: this radio has 0 to 102 dB."),
        (
            {"radio": {"bandwidth_hz": 9e6}},
            "--bandwidth 9000000: this radio has 200000 to 8000000 Hz.",
        ),
        ({"radio": {"antenna": "TX"}}, "--antenna TX: this radio has RX, HF."),
        ({"radio": {"channel": 1}}, "--channel 1: this radio has 1, counted from 0."),
        (
            {"radio": {"options": ["nonsense=1"]}},
            "--device-option nonsense=1: this radio has no such setting; it has dc_mode, biastee,"
            " direct_samp, level, buffers.",
        ),
        ({"radio": {"options": ["level"]}}, "--device-option level is not KEY=VALUE."),
        (
            {"radio": {"options": ["level=5"]}},
            "--device-option level 5: it has to be a number from -60 to 0.",
        ),
        (
            {"radio": {"options": ["level=high"]}},
            "--device-option level high: it has to be a number from -60 to 0.",
        ),
        (
            {"radio": {"options": ["biastee=maybe"]}},
            "--device-option biastee maybe: this radio has true, false.",
        ),
        (
            {"radio": {"options": ["direct_samp=3"]}},
            "--device-option direct_samp 3: this radio has 0, 1, 2.",
        ),
        (
            {"radio": {"device": "soapy:fakeradio"}},
            "--device soapy:fakeradio: 'fakeradio' is not KEY=VALUE;"
            " write soapy:driver=NAME,serial=...",
        ),
    ],
)
def test_a_setting_out_of_range_is_refused_with_the_range(
    soapy: FakeSoapy, job: dict[str, Any], sentence: str
) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run(job, file=path)
    assert got.error == ("UsageError", sentence)
    assert "produced" not in got.noted  # nothing was started


@pytest.mark.parametrize(
    ("radio", "sentence"),
    [
        ({"ppm": 1}, "--ppm 1: this radio's crystal cannot be corrected; leave it out."),
        ({"bandwidth_hz": 1e6}, "--bandwidth 1000000: this radio has no filter to set."),
        (
            {"bias_tee": True},
            "--bias-tee on: this radio has no such setting; it has none at all.",
        ),
        (
            {"direct_sampling": "i"},
            "--direct-sampling i: this radio has no such setting; it has none at all.",
        ),
    ],
)
def test_a_radio_without_a_setting_refuses_it(
    soapy: FakeSoapy, radio: dict[str, Any], sentence: str
) -> None:
    path, _ = soapy.recording("i2")
    assert soapy.run({"radio": radio}, file=path, bare=1).error == ("UsageError", sentence)


def test_a_radio_without_automatic_gain_says_what_it_is_at(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({}, file=path, bare=1)
    assert got.opened is not None
    assert "This radio has no automatic gain; it is at 0 dB." in got.opened["notes"]


@pytest.mark.parametrize(
    ("refuse", "job", "sentence"),
    [
        (
            "rate",
            {"settings": {"rate_hz": 1e6}},
            "--rate 1000000: this radio has 225001 to 300000 or 900001 to 30000000 Hz,"
            " and refused it: fake radio refuses.",
        ),
        (
            "freq",
            {"settings": {"center_hz": [1e8]}},
            "--freq 100000000: this radio has 24000000 to 1766000000 Hz, and refused it: fake"
            " radio refuses.",
        ),
        (
            "gain",
            {"radio": {"gain": "LNA=3"}},
            "--gain LNA 3: this radio has 0 to 40 dB, and refused it: fake radio refuses.",
        ),
        ("ppm", {"radio": {"ppm": 3}}, "--ppm 3: the radio refused it: fake radio refuses."),
        (
            "bandwidth",
            {"radio": {"bandwidth_hz": 1e6}},
            "--bandwidth 1000000: this radio has 200000 to 8000000 Hz, and refused it: fake radio"
            " refuses.",
        ),
        (
            "antenna",
            {"radio": {"antenna": "HF"}},
            "--antenna HF: the radio refused it: fake radio refuses.",
        ),
        (
            "biastee",
            {"radio": {"bias_tee": True}},
            "--bias-tee true: the radio refused it: fake radio refuses.",
        ),
        (
            "level",
            {"radio": {"options": ["level=-3"]}},
            "--device-option level -3: the radio refused it: fake radio refuses.",
        ),
    ],
)
def test_a_radio_that_refuses_is_quoted(
    soapy: FakeSoapy, refuse: str, job: dict[str, Any], sentence: str
) -> None:
    path, _ = soapy.recording("i2")
    assert soapy.run(job, file=path, refuse=refuse).error == ("UsageError", sentence)


def test_an_rtl_sdr_may_hear_below_what_its_driver_announces(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"settings": {"center_hz": [7.1e6]}}, file=path, key="RTLSDR")
    assert got.error is None
    assert got.noted["freq"] == "7100000"
