"""The real SoapyRTLSDR, the driver most users will have, over a librtlsdr without a radio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_radio import PREFIX, library_folder
from faking_soapy import FakeSoapy, Outcome
from numpy.typing import NDArray

from liveclf.dsp.formats import FORMATS, as_complex
from liveclf.records import SampleFormat

DRIVER = "soapy:driver=rtlsdr"


@pytest.fixture(scope="module")
def library() -> Path:
    if not list(Path("/usr/lib").glob("*/SoapySDR/modules*/librtlsdrSupport.so")):
        pytest.skip("no SoapyRTLSDR (apt: soapysdr-module-rtlsdr)")
    return library_folder() / "librtlsdr.so"


class Dongle:
    """Runs the driver with a radio that streams `octets`."""

    def __init__(self, soapy: FakeSoapy, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._soapy, self._library, self._monkeypatch = soapy, library, monkeypatch
        rng = np.random.default_rng(2)
        self.octets: NDArray[np.uint8] = rng.integers(0, 256, (400_009, 2)).astype(np.uint8)
        self._recording = soapy.scratch / "recording.cu8"
        self._recording.write_bytes(self.octets.tobytes())
        self.log = soapy.scratch / "rtl_log"

    def run(self, job: dict[str, Any], **fake: Any) -> Outcome:
        fake = {"file": self._recording, "loop": 1, "log": self.log} | fake
        with self._monkeypatch.context() as patch:
            # In the place of the distribution's library, which the module is linked with.
            patch.setenv("LD_PRELOAD", str(self._library))
            for name, value in fake.items():
                patch.setenv(f"{PREFIX}{name.upper()}", str(value))
            job["radio"] = {"device": DRIVER} | job.get("radio", {})
            return self._soapy.run(job)


@pytest.fixture
def dongle(soapy: FakeSoapy, library: Path, monkeypatch: pytest.MonkeyPatch) -> Dongle:
    return Dongle(soapy, library, monkeypatch)


def test_its_samples_are_those_of_the_same_bytes_in_a_file(dongle: Dongle) -> None:
    got = dongle.run({"until": 500_000, "settings": {"center_hz": [433.92e6]}})
    assert got.error is None
    assert got.opened is not None
    assert (got.opened["sample_rate_hz"], got.opened["center_hz"]) == (2.4e6, 433.92e6)
    name, dtype, offset, full_scale = got.opened["format"]
    fmt = SampleFormat(name, np.dtype(dtype), offset, full_scale)
    octets = dongle.octets[np.arange(len(got.received)) % len(dongle.octets)]
    expected = as_complex(octets, FORMATS["cu8"])
    np.testing.assert_array_equal(as_complex(got.received, fmt), expected)


def test_its_time_stamps_are_not_taken_for_losses(dongle: Dongle) -> None:
    got = dongle.run({"until": 500_000})
    assert got.opened is not None
    assert not got.opened["tells_losses"]  # what its own buffer loses, no stamp shows
    assert got.lost == 0
    assert ["overflow"] not in got.events


def test_all_its_settings_reach_the_radio(dongle: Dongle) -> None:
    radio = {
        "gain": "20",
        "ppm": 3,
        "bias_tee": True,
        "direct_sampling": "q",
        "options": ["digital_agc=true"],
    }
    got = dongle.run({"radio": radio, "settings": {"center_hz": [7.1e6], "rate_hz": 1.2e6}})
    assert got.error is None
    calls = dongle.log.read_text().splitlines()
    for call in (
        "set_sample_rate 1200000",
        "set_freq_correction 3",
        "set_direct_sampling 2",
        "set_center_freq 7100000",
        "set_agc_mode 1",
    ):
        assert call in calls
    assert any(call.startswith("set_tuner_gain ") for call in calls)
    tee = [call for call in calls if call.startswith("set_bias_tee")]
    assert tee == ["set_bias_tee 1", "set_bias_tee 0"]


@pytest.mark.parametrize("fault", ["unplug", "silence", "return=0"])
def test_a_radio_that_is_gone_ends_the_stream(dongle: Dongle, fault: str, tmp_path: Path) -> None:
    # SoapyRTLSDR gives time-outs for ever, whichever way its radio went.
    got = dongle.run({"until": 10**9}, faults=f"{fault}@3000000", absent=tmp_path / "absent")
    assert got.error is not None
    assert got.error[0] == "SourceError"
    assert "no sample for 2 s" in got.error[1]
    assert len(got.received) > 2_000_000
    octets = dongle.octets[np.arange(len(got.received)) % len(dongle.octets)]
    np.testing.assert_array_equal(got.received, octets.astype(np.int16) - 128)


def test_a_rate_it_has_not_is_refused(dongle: Dongle) -> None:
    got = dongle.run({"settings": {"rate_hz": 500e3}})
    assert got.error == (
        "UsageError",
        "--rate 500000: this radio has 225001 to 300000 or 900001 to 3200000 Hz.",
    )
