"""What a file name tells, and what it must not be taken to tell."""

from __future__ import annotations

from datetime import UTC, datetime
from math import nan

import pytest
from replaying import same

from liveclf.sources.names import Hints, from_name, from_tokens, is_override

NEW_YEAR_S = datetime(2024, 1, 31, 23, 59, 58, tzinfo=UTC).timestamp()

NAMES = [
    # rtl_433
    ("g001_433.92M_250k.cu8", "cu8", 250e3, 433.92e6, nan),
    ("g001_433.92M_1024k.CS16", "cs16", 1024e3, 433.92e6, nan),
    ("x_868300kHz_2.4Msps.cf32", "cf32", 2.4e6, 868.3e6, nan),
    ("x_1GHz_1000sps_cu8.bin", "cu8", 1000.0, 1e9, nan),
    ("x_1GHz_500sps_cu8.bin", "cu8", nan, 1e9, nan),  # below 1 kHz it is no rate
    ("qpsk_4sps.cs8", "cs8", nan, nan, nan),  # samples per symbol
    ("qpsk_250k_4sps.cs8", "cs8", 250e3, nan, nan),
    ("x_433920000Hz_cs16.raw", "cs16", nan, 433.92e6, nan),
    ("ZWAVE_Green_916_1MSps.iq", None, 1e6, nan, nan),
    ("cu8-433.92m-250K.data", "cu8", 250e3, 433.92e6, nan),
    ("433920k.cu8", "cu8", 433920e3, nan, nan),  # rtl_433 warns of it: k is always a rate
    ("a_1M_2M.cu8", "cu8", nan, 2e6, nan),  # the last wins
    ("a_0k_433.92M.cu8", "cu8", nan, 433.92e6, nan),  # no rate is 0
    # words that only look like tokens
    ("gfile002.data", None, nan, nan, nan),
    ("v2M3x.data", None, nan, nan, nan),
    ("2M3x.data", None, nan, nan, nan),
    ("x2M.data", None, nan, nan, nan),
    ("12kB.data", None, nan, nan, nan),
    ("xcu8y.data", None, nan, nan, nan),
    ("my_cu88.data", None, nan, nan, nan),
    ("5MHzish.data", None, nan, nan, nan),
    ("Output__2023-08-29_17:23:26_00014.iq", None, nan, nan, nan),
    ("modes1.bin", None, nan, nan, nan),
    ("", None, nan, nan, nan),
    # gqrx: centre then rate, UTC
    ("gqrx_20240131_235958_433920000_2400000_fc.raw", "cf32", 2.4e6, 433.92e6, NEW_YEAR_S),
    ("gqrx_20240131_235958_1000_0_fc.raw", "cf32", nan, 1000.0, NEW_YEAR_S),
    ("gqrx_20249931_235958_433920000_2400000_fc.raw", "cf32", 2.4e6, 433.92e6, nan),
    # SDR#, HDSDR, SDRuno: Z is UTC
    ("SDRSharp_20240131_235958Z_403000kHz_IQ.wav", None, nan, 403e6, NEW_YEAR_S),
    ("HDSDR_20240131_235958Z_14070kHz_RF.wav", None, nan, 14.07e6, NEW_YEAR_S),
    ("SDRuno_20240131_235958Z_161985kHz.wav", None, nan, 161.985e6, NEW_YEAR_S),
    ("rec_20240131_235958.wav", None, nan, nan, nan),  # no Z, so whose midnight?
    # SDR++ writes local time
    ("baseband_433920000Hz_23-59-58_31-01-2024.wav", None, nan, 433.92e6, nan),
    # URH: the point as _, and the bandwidth last
    ("RTL-SDR-20240131_235958-433_92MHz-1MSps-2MHz.complex16u", None, 1e6, 433.92e6, nan),
    ("HackRF-20240131_235958-868.3MHz-2_5MSps.complex16s", None, 2.5e6, 868.3e6, nan),
]


@pytest.mark.parametrize(("name", "fmt", "rate_hz", "center_hz", "start_s"), NAMES)
def test_a_name_tells_this_and_no_more(name, fmt, rate_hz, center_hz, start_s):
    hints = from_name(name)
    assert hints.format == fmt
    assert same(hints.sample_rate_hz, pytest.approx(rate_hz, nan_ok=True))
    assert same(hints.center_hz, pytest.approx(center_hz, nan_ok=True))
    assert same(hints.start_time_s, start_s)


def test_what_came_first_goes_before_what_came_later_field_by_field():
    first = Hints("cu8", nan, 1.0, nan)
    assert first.or_else(Hints("cs16", 2.0, 3.0, 4.0)) == Hints("cu8", 2.0, 1.0, 4.0)


def test_nothing_told_is_told_apart_from_something():
    assert from_tokens("folder").is_empty
    assert not from_tokens("250k").is_empty
    assert not from_tokens("cu8").is_empty


@pytest.mark.parametrize("text", ["cu8", "433.92M", "250k", "500sps", "cs16-250k", "CU8_1GHz"])
def test_an_override_is_nothing_but_tokens(text):
    assert is_override(text)


@pytest.mark.parametrize("text", ["", "-", "/", "x", "x_433.92M_10", "433.92M_10", "x.cu8", "C"])
def test_a_name_with_tokens_in_it_is_no_override(text):
    assert not is_override(text)


def test_the_epoch_is_the_clock_of_sample_0():
    assert Hints(None, 100.0, nan, 50.0).epoch_s(200) == 48.0
    assert Hints(None, nan, nan, 50.0).epoch_s(0) == 50.0
    assert same(Hints(None, nan, nan, 50.0).epoch_s(1), nan)
