"""Opening an RTL-SDR: which one, what is set, what it says of it, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fake_radio
import pytest
from fake_radio import Probe, ProbeError
from hypothesis import given
from hypothesis import strategies as st

from liveclf.config import Hertz, RadioSettings, SourceSettings
from liveclf.errors import SourceError, UsageError
from liveclf.sources.rtlsdr.dongles import (
    Dongle,
    choose,
    kernel_module_is_loaded,
    refusal,
)
from liveclf.sources.rtlsdr.settings import read_settings

FREQ = (Hertz(433.92e6),)


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    started = Probe(fake_radio.environment())
    yield started
    started.kill()


def _open(
    probe: Probe,
    device: str = "rtlsdr",
    rate_hz: float | None = None,
    center_hz: tuple[float, ...] = FREQ,
    *,
    told: dict[str, object] | None = None,
    **radio: Any,
) -> Any:
    source = SourceSettings(
        rate_hz=None if rate_hz is None else Hertz(rate_hz), center_hz=tuple(map(Hertz, center_hz))
    )
    settings = RadioSettings(device=device, **radio)
    return probe(fake_radio.open_once, source, settings, **(told or {}))


def _refused(probe: Probe, **settings: Any) -> ProbeError:
    with pytest.raises(ProbeError) as raised:
        _open(probe, **settings)
    return raised.value


# --- what is set, and read back -----------------------------------------------------------------


def test_what_is_not_said_is_2_4_megasamples_and_automatic_gain(probe, tmp_path):
    log = tmp_path / "log"
    opened = _open(probe, told={"log": log})
    assert opened.name == "RTL-SDR 00000001 (R820T)"
    assert opened.format.name == "cu8"
    assert (opened.sample_rate_hz, opened.center_hz) == (2.4e6, 433.92e6)
    assert opened.notes == ("Gain is automatic.",)
    assert opened.has_clock
    assert not opened.tells_losses
    lines = log.read_text().splitlines()
    assert "set_tuner_gain_mode 0" in lines
    # Setting what it has already would be refused, and nobody asked for power on the socket.
    assert not [x for x in lines if x.startswith(("set_freq_correction", "set_bias_tee"))]
    assert lines[-1] == "closed with bias_tee 0"


@pytest.mark.parametrize("rate_hz", [225_001, 250e3, 300e3, 900_001, 1.024e6, 2.048e6, 3.2e6])
def test_the_rate_is_what_the_divider_of_the_chip_makes(probe, rate_hz):
    real_hz = _open(probe, rate_hz=rate_hz).sample_rate_hz
    divider = 28.8e6 * 2**22 / real_hz
    assert divider / 4 == pytest.approx(round(divider / 4), abs=1e-3)
    assert abs(real_hz - rate_hz) <= rate_hz * 4 / divider


def test_a_rate_that_is_not_kept_is_said(probe):
    opened = _open(probe, rate_hz=1e6, told={"rate_hz": 1_200_000})
    assert opened.sample_rate_hz == 1.2e6
    assert "Sample rate is 1200000 Hz, not 1000000." in opened.notes
    assert _refused(probe, told={"rate_hz": 0}).kind == "SourceError"


def test_a_rate_at_which_most_machines_lose_samples_is_said(probe):
    assert "loses samples" in " ".join(_open(probe, rate_hz=3.2e6).notes)


@pytest.mark.parametrize("rate_hz", [0, 225_000, 300_001, 900_000, 3_200_001, 20e6])
def test_a_rate_between_the_ranges_is_refused_with_them(probe, rate_hz):
    error = _refused(probe, rate_hz=rate_hz)
    assert error.kind == "UsageError"
    assert f"--rate {rate_hz:.0f} " in str(error)
    assert "225001 to 300000 or 900001 to 3200000" in str(error)


@pytest.mark.parametrize(
    ("asked", "note"),
    [
        ("28.0", "Gain is 28 dB."),
        ("30", "Gain is 29.7 dB, the nearest to 30 of 0 to 49.6."),
        ("100", "Gain is 49.6 dB, the nearest to 100 of 0 to 49.6."),
        ("-5", "Gain is 0 dB, the nearest to -5 of 0 to 49.6."),
        ("0", "Gain is 0 dB."),
    ],
)
def test_the_nearest_gain_of_the_tuner_is_set(probe, tmp_path, asked, note):
    log = tmp_path / "log"
    assert _open(probe, gain=asked, told={"log": log}).notes == (note,)
    lines = log.read_text().splitlines()
    mode, gain = lines.index("set_tuner_gain_mode 1"), float(note.split()[2])
    assert lines[mode + 1] == f"set_tuner_gain {round(10 * gain)}"


@pytest.mark.parametrize("asked", ["LNA=20", "loud", "nan", "1e9"])
def test_a_gain_that_is_none_is_refused(probe, asked):
    error = _refused(probe, gain=asked)
    assert error.kind == "UsageError"
    assert f"--gain {asked} " in str(error)


@pytest.mark.parametrize(("asked", "real"), [(3, 3), (-52.6, -53), (0.4, 0), (1.4, 1)])
def test_the_correction_is_whole_and_what_it_has_is_not_set_again(probe, tmp_path, asked, real):
    log = tmp_path / "log"
    notes = " ".join(_open(probe, ppm=asked, told={"log": log}).notes)
    assert f"corrected by {real} ppm" in notes
    assert ("whole ones" in notes) == (real != asked)
    assert (f"set_freq_correction {real}" in log.read_text()) == (real != 0)


def test_the_bandwidth_is_the_one_of_the_filter(probe):
    assert "Bandwidth is 1.5 MHz." in _open(probe, bandwidth_hz=Hertz(1.45e6)).notes


@pytest.mark.parametrize(("name", "number"), [("i", 1), ("q", 2)])
def test_direct_sampling_reaches_short_waves(probe, tmp_path, name, number):
    log = tmp_path / "log"
    opened = _open(probe, center_hz=(7.1e6,), direct_sampling=name, told={"log": log})
    assert opened.center_hz == 7.1e6
    assert f"Input {name} of the converter is sampled without the tuner." in opened.notes
    assert f"set_direct_sampling {number}" in log.read_text()
    error = _refused(probe, center_hz=(100e6,), direct_sampling=name)
    assert error.kind == "UsageError"
    assert "give 0 MHz to 28.8 MHz" in str(error)


@pytest.mark.parametrize(
    ("option", "call"),
    [
        ("agc=on", "set_agc_mode 1"),
        ("dithering=off", "set_dithering 0"),
        ("offset_tuning=on", "set_offset_tuning 1"),
        ("test_mode=on", "set_testmode 1"),
    ],
)
def test_switches_of_the_driver(probe, tmp_path, option, call):
    log = tmp_path / "log"
    opened = _open(probe, options=(option,), told={"log": log})
    assert call in log.read_text().splitlines()
    assert option.replace("=", " is ") + "." in opened.notes


def test_every_frequency_is_tried_and_the_first_is_where_it_begins(probe, tmp_path):
    log = tmp_path / "log"
    opened = _open(probe, center_hz=(100e6, 433e6, 868e6), told={"log": log})
    assert opened.center_hz == 100e6
    tuned = [x for x in log.read_text().splitlines() if x.startswith("set_center_freq")]
    assert tuned == [f"set_center_freq {hz}" for hz in (868000000, 433000000, 100000000)]
    assert "--freq 3000000000" in str(_refused(probe, center_hz=(100e6, 3e9)))


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"center_hz": ()}, ["--freq"]),
        ({"center_hz": (3e9,)}, ["--freq 3000000000", "24 MHz to 1766 MHz"]),
        ({"center_hz": (5e9,)}, ["--freq 5000000000"]),  # would be taken for 705032704
        ({"center_hz": (-1.0,)}, ["--freq -1"]),
        ({"center_hz": (7e6,)}, ["--freq 7000000", "--direct-sampling q"]),
        ({"antenna": "RX2"}, ["--antenna"]),
        ({"channel": 1}, ["--channel"]),
        ({"bandwidth_hz": Hertz(-1)}, ["--bandwidth -1"]),
        ({"options": ("loudness=11",)}, ["--device-option loudness=11", "test_mode=on|off"]),
        ({"options": ("agc=yes",)}, ["--device-option agc=yes", "agc=on|off"]),
        ({"options": ("agc",)}, ["--device-option agc"]),
    ],
)
def test_wrong_use_names_the_option_and_what_is_possible(probe, settings, words):
    error = _refused(probe, **settings)
    assert (error.kind, error.exit_code) == ("UsageError", 2)
    for word in words:
        assert word in str(error)


def test_a_format_other_than_the_radios_is_refused():
    read_settings(SourceSettings(center_hz=FREQ, format="CU8"), RadioSettings())
    with pytest.raises(UsageError, match="--format"):
        read_settings(SourceSettings(center_hz=FREQ, format="cs16"), RadioSettings())


@pytest.mark.parametrize(
    ("call", "settings", "words"),
    [
        ("set_sample_rate", {}, "--rate 2400000"),
        ("set_center_freq", {}, "433.92 MHz"),
        ("set_tuner_gain_mode", {}, "--gain auto"),
        ("set_tuner_gain", {"gain": "20"}, "--gain 20"),
        ("set_freq_correction", {"ppm": 5}, "--ppm 5"),
        ("set_tuner_bandwidth", {"bandwidth_hz": Hertz(1e6)}, "--bandwidth 1000000"),
        ("set_bias_tee", {"bias_tee": True}, "--bias-tee"),
        ("set_direct_sampling", {"direct_sampling": "q"}, "--direct-sampling q"),
        ("set_testmode", {"options": ("test_mode=on",)}, "--device-option test_mode=on"),
    ],
)
def test_what_should_work_and_does_not_is_the_devices_fault(probe, tmp_path, call, settings, words):
    log = tmp_path / "log"
    if call == "set_direct_sampling":
        settings = {**settings, "center_hz": (7e6,)}
    error = _refused(probe, told={"refuse": f"{call}=-9", "log": log}, **settings)
    assert (error.kind, error.exit_code) == ("SourceError", 1)
    assert words in str(error)
    assert "code -9" in str(error)
    assert log.read_text().splitlines()[-1].startswith("closed")  # it is not left open


@pytest.mark.parametrize(
    ("settings", "call", "option"),
    [
        ({"bias_tee": True}, "set_bias_tee", "--bias-tee"),
        ({"options": ("dithering=off",)}, "set_dithering", "--device-option dithering=off"),
    ],
)
def test_what_the_library_cannot_do_is_wrong_use(probe, settings, call, option):
    error = _refused(probe, told={"refuse": f"{call}=-12"}, **settings)
    assert error.kind == "UsageError"
    assert option in str(error)
    assert "librtlsdr.so" in str(error)


def test_a_tuner_that_does_not_lock_is_refused_out_of_range_and_said_within(probe):
    told = {"refuse": "lock=1", "high_hz": "4e9"}  # such a library takes any frequency
    assert "out of reach" in str(_refused(probe, center_hz=(1.9e9,), told=told))
    assert "unlocked" in " ".join(_open(probe, told=told).notes)
    told = {"high_hz": "4e9"}
    notes = " ".join(_open(probe, center_hz=(1.9e9,), told=told).notes)
    assert "1900 MHz is beyond the usual 24 MHz to 1766 MHz" in notes


def test_the_range_is_that_of_the_tuner(probe):
    told = {"tuner": 1, "high_hz": "2200e6"}
    assert _open(probe, center_hz=(2e9,), told=told).name == "RTL-SDR 00000001 (E4000)"
    assert "52 MHz to 2200 MHz" in str(_refused(probe, center_hz=(3e9,), told=told))


def test_a_blog_v4_wants_a_library_that_knows_it(probe):
    told = {"maker": "RTLSDRBlog", "product": "Blog V4", "tuner": 6, "low_hz": "5e5"}
    notes = " ".join(_open(probe, center_hz=(7e6,), told=told).notes)
    assert "too old for the Blog V4" in notes
    assert "beyond the usual" not in notes  # it has a converter for short waves


# --- which one ----------------------------------------------------------------------------------


def _dongles(*serials: str) -> list[Dongle]:
    return [Dongle(k, serial, "Realtek", "RTL2838", 0) for k, serial in enumerate(serials)]


@pytest.mark.parametrize(
    ("serials", "wanted", "index", "word"),
    [
        (["a", "b"], "", 0, ""),
        (["a", "b"], "b", 1, ""),
        (["a", "b"], "1", 1, "taken for an index"),
        (["00000001", "00000002"], "00000002", 1, ""),
        (["00000001", "00000002"], "1", 1, "taken for an index"),
        (["1", "0"], "1", 0, "is a serial number here"),
        (["0", "1"], "1", 1, ""),  # it is both
        (["7", "00000001", "00000001"], "00000001", 1, "2 RTL-SDRs have the serial number"),
        (["a:b", "c d"], "a:b", 0, ""),
    ],
)
def test_a_serial_number_comes_before_an_index(serials, wanted, index, word):
    dongle, notes = choose(_dongles(*serials), wanted)
    assert dongle.index == index
    assert word in " ".join(notes)
    assert bool(notes) == bool(word)


@given(st.lists(st.text("0123ab", min_size=1, max_size=3), min_size=1, max_size=4), st.data())
def test_each_serial_number_finds_the_first_that_has_it(serials, data):
    wanted = data.draw(st.sampled_from(serials))
    assert choose(_dongles(*serials), wanted)[0].index == serials.index(wanted)


@pytest.mark.parametrize("wanted", ["2", "c", "-1", "²", "00000003"])
def test_one_that_is_not_there_is_named_with_those_that_are(wanted):
    with pytest.raises(SourceError) as raised:
        choose(_dongles("a", "00000002"), wanted)
    assert f"rtlsdr:{wanted} is not" in str(raised.value)
    assert "rtlsdr:a, rtlsdr:00000002" in str(raised.value)


def test_without_any_it_says_what_to_do(probe):
    assert "plug one in" in str(_refused(probe, told={"serials": "none"}))
    assert probe(fake_radio.found, serials="none") == []


def test_the_driver_opens_the_one_that_is_meant(probe, tmp_path):
    log = tmp_path / "log"
    told = {"serials": "00000001,77,0", "log": log}
    for device, name, index in (
        ("rtlsdr:77", "77", 1),
        ("rtlsdr:0", "0", 2),
        ("rtlsdr:1", "77", 1),
        ("rtlsdr", "00000001", 0),
        ("rtlsdr:", "00000001", 0),
    ):
        assert _open(probe, device, told=told).name == f"RTL-SDR {name} (R820T)"
        *_, opened = (x for x in log.read_text().splitlines() if x.startswith("open"))
        assert opened == f"open {index}"
    assert "not plugged in; there is" in str(_refused(probe, device="rtlsdr:9", told=told))


def test_devices_are_listed_so_that_each_can_be_opened(probe):
    told = {"serials": "00000001,77,00000001"}
    listed = probe(fake_radio.found, **told)
    assert [found.device for found in listed] == ["rtlsdr:0", "rtlsdr:77", "rtlsdr:2"]
    for found, serial in zip(listed, ("00000001", "77", "00000001"), strict=True):
        assert found.name == "Realtek RTL2838UHIDIR"
        assert found.facts == {
            "index": str(listed.index(found)),
            "serial": serial,
            "tuner": "R820T",
            "rate": "225001 to 300000 or 900001 to 3200000 Hz",
            "frequency": "24 MHz to 1766 MHz",
            "gain": "auto, or 0 to 49.6 dB in 29 steps",
        }
        assert _open(probe, found.device, told=told).name == f"RTL-SDR {serial} (R820T)"


# --- why one does not open ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-3, "udev rules"),
        (-6, "in use by another program|modprobe -r dvb_usb_rtl28xxu"),
        (-4, "not there any more, code -4"),
        (-99, "code -99"),
    ],
)
def test_one_that_does_not_open_says_why_and_is_tried_again(probe, code, words):
    error = _refused(probe, told={"refuse": f"open={code}"})
    assert error.kind == "SourceError"
    assert any(word in str(error) for word in words.split("|"))
    (found,) = probe(fake_radio.found, refuse=f"open={code}")
    assert found.facts["problem"] == str(error)


def test_one_whose_serial_number_may_not_be_read_says_so(probe):
    told = {"refuse": "get_device_usb_strings=-3 open=-3"}
    for device in ("rtlsdr", "rtlsdr:00000001"):
        assert "udev rules" in str(_refused(probe, device=device, told=told))


def test_the_television_driver_of_the_kernel_is_recognised(tmp_path, monkeypatch):
    modules = tmp_path / "modules"
    for text, loaded in (
        ("dvb_usb_rtl28xxu 45056 0 - Live 0x0\nusbcore 409600 3 - Live 0x0\n", True),
        ("dvb_usb_v2 45056 1 dvb_usb_rtl28xxu, Live 0x0\n", False),
        ("", False),
    ):
        modules.write_text(text)
        assert kernel_module_is_loaded(modules) is loaded
    assert not kernel_module_is_loaded(tmp_path / "none")
    (dongle,) = _dongles("1")
    for loaded, words in ((True, "modprobe -r dvb_usb_rtl28xxu"), (False, "another program")):
        monkeypatch.setattr(
            "liveclf.sources.rtlsdr.dongles.kernel_module_is_loaded", lambda loaded=loaded: loaded
        )
        assert words in refusal(dongle, -6)
