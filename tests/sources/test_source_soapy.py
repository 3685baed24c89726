"""The driver of SoapySDR's radios: the real library, a module of ours in place of hardware."""

from __future__ import annotations

import numpy as np
import pytest
from faking_soapy import FakeSoapy

from liveclf.dsp.formats import FORMATS, as_complex
from liveclf.records import SampleFormat

CLOSE_LIMIT_S = 10  # of a close that gives up after 1.5 s, on a busy machine


@pytest.mark.parametrize(
    ("native", "dtype", "full_scale", "announced"),
    [
        ("CS16", "i2", 2048, ["cs16", "int16", 0.0, 2048.0]),
        ("CS16", "i2", 32768, ["cs16", "int16", 0.0, 32768.0]),
        ("CS8", "i1", 128, ["cs8", "int8", 0.0, 128.0]),
        ("CF32", "f4", 1, ["cf32", "float32", 0.0, 1.0]),
    ],
)
def test_samples_arrive_as_the_radio_has_them(
    soapy: FakeSoapy, native: str, dtype: str, full_scale: int, announced: list[object]
) -> None:
    path, iq = soapy.recording(dtype)
    got = soapy.run({"until": 70_000}, file=path, format=native, full_scale=full_scale)
    assert got.error is None
    assert got.opened is not None
    assert got.opened["format"] == announced
    assert len(got.received) >= 70_000
    np.testing.assert_array_equal(got.received, iq[np.arange(len(got.received)) % len(iq)])
    assert int(got.noted["produced"]) == len(got.received)


@pytest.mark.parametrize("mtu", [1, 333, 131_072])
def test_reads_of_any_size_are_whole(soapy: FakeSoapy, mtu: int) -> None:
    path, iq = soapy.recording("i2")
    got = soapy.run({"until": 20_000}, file=path, mtu=mtu)
    np.testing.assert_array_equal(got.received, iq[np.arange(len(got.received)) % len(iq)])


def test_an_rtl_sdr_gives_the_values_of_its_own_bytes(soapy: FakeSoapy) -> None:
    # SoapyRTLSDR subtracts 128 from each byte; the recording of the same bytes is cu8.
    octets = np.arange(512, dtype=np.uint8).reshape(-1, 2)
    path = soapy.scratch / "octets"
    path.write_bytes((octets.astype(np.int16) - 128).astype(np.int8).tobytes())
    got = soapy.run({"until": 256}, file=path, format="CS8", full_scale=128, key="RTLSDR")
    assert got.opened is not None
    name, dtype, offset, full_scale = got.opened["format"]
    fmt = SampleFormat(name, np.dtype(dtype), offset, full_scale)
    expected = as_complex(octets, FORMATS["cu8"])
    np.testing.assert_array_equal(as_complex(got.received[: len(octets)], fmt), expected)


@pytest.mark.parametrize(
    "faults",
    [
        "50000/overflow/1234",
        "50000/gap/1",
        "50000/overflow/3;50003/gap/70000;130000/overflow/99999",
        "50000/abrupt/4097",
        "0/gap/500",
        "4096/overflow/100;9000/gap/7",
        "100/gap/1;200/gap/1;300/gap/1",
    ],
)
@pytest.mark.parametrize("rate_hz", [2.4e6, 1_000_003.0, 20e6])
def test_time_stamps_tell_exactly_what_is_lost(
    soapy: FakeSoapy, faults: str, rate_hz: float
) -> None:
    path, iq = soapy.recording("i2")
    got = soapy.run(
        {"until": 200_000, "settings": {"rate_hz": rate_hz}},
        file=path,
        stamps="samples",
        faults=faults,
    )
    assert got.error is None
    assert got.opened is not None
    assert got.opened["tells_losses"]
    # What is lost before the first sample of all is no loss to anybody.
    before = 500 if faults.startswith("0/") else 0
    assert len(got.received) + got.lost + before == int(got.noted["produced"])
    assert got.lost + before == int(got.noted["lost"])
    np.testing.assert_array_equal(got.received, iq[(got.positions + before) % len(iq)])
    assert ["overflow"] not in got.events


def test_without_time_stamps_an_overflow_breaks_the_stream_where_it_was(soapy: FakeSoapy) -> None:
    path, iq = soapy.recording("i2")
    got = soapy.run({"until": 90_000}, file=path, faults="50001/overflow/1234;70000/gap/5")
    assert got.opened is not None
    assert not got.opened["tells_losses"]
    where = got.events.index(["overflow"])
    assert got.events.count(["overflow"]) == 1  # of a loss that nobody tells there is no mark
    assert sum(event[1] for event in got.events[:where]) == 50_001
    assert got.lost == 0
    np.testing.assert_array_equal(got.received[:50_001], iq[np.arange(50_001) % len(iq)])
    after = np.arange(51_235, 60_000)
    np.testing.assert_array_equal(got.received[50_001:][: len(after)], iq[after % len(iq)])


def test_an_abrupt_end_of_a_read_breaks_the_stream_behind_it(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"until": 90_000}, file=path, faults="50001/abrupt/1234")
    where = got.events.index(["overflow"])
    assert sum(event[1] for event in got.events[:where]) == 50_001


def test_time_stamps_that_do_not_count_samples_are_not_believed(soapy: FakeSoapy) -> None:
    path, iq = soapy.recording("i2")
    got = soapy.run({"until": 90_000}, file=path, stamps="bytes")
    assert got.opened is not None
    assert not got.opened["tells_losses"]
    assert any("do not count its samples" in note for note in got.opened["notes"])
    assert got.lost == 0
    np.testing.assert_array_equal(got.received, iq[np.arange(len(got.received)) % len(iq)])


def test_time_stamps_of_an_rtl_sdr_do_not_stand_for_its_own_losses(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run(
        {"until": 90_000}, file=path, stamps="samples", key="RTLSDR", faults="50000/overflow/77"
    )
    assert got.opened is not None
    assert not got.opened["tells_losses"]
    assert got.lost == 77


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("code/-2", "Fake 0 broke its stream with SoapySDR's code -2 (STREAM_ERROR)."),
        ("code/-3", "Fake 0 broke its stream with SoapySDR's code -3 (CORRUPTION)."),
        ("code/-99", "Fake 0 broke its stream with SoapySDR's code -99 (unknown)."),
        ("throw", "Fake 0 broke its stream: fake radio throws."),
        ("silence", "Fake 0 has sent no sample for 2 s; is it still connected?"),
    ],
)
def test_a_fault_ends_the_stream_with_a_sentence(
    soapy: FakeSoapy, fault: str, sentence: str
) -> None:
    path, iq = soapy.recording("i2")
    got = soapy.run({"until": 10**9}, file=path, faults=f"50001/{fault}")
    assert got.error == ("SourceError", sentence)
    assert len(got.received) == 50_001  # what came before is delivered, and nothing else
    np.testing.assert_array_equal(got.received, iq[np.arange(50_001) % len(iq)])
    assert "closed" in got.noted


def test_a_time_out_and_an_empty_read_are_no_fault(soapy: FakeSoapy) -> None:
    path, iq = soapy.recording("i2")
    got = soapy.run({"until": 90_000}, file=path, faults="50001/code/-1;60000/code/0")
    assert got.error is None
    np.testing.assert_array_equal(got.received, iq[np.arange(len(got.received)) % len(iq)])


@pytest.mark.parametrize("fault", ["silence", "code/-2", "throw"])
def test_a_radio_that_never_delivers_does_not_open(soapy: FakeSoapy, fault: str) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({}, file=path, faults=f"0/{fault}")
    assert got.opened is None
    assert got.error is not None
    assert got.error[0] == "SourceError"


@pytest.mark.parametrize("where", ["deactivate", "close"])
def test_closing_is_given_up_where_the_driver_hangs(soapy: FakeSoapy, where: str) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({}, file=path, hang_in=where)
    assert got.error is None
    assert 1 < got.closed_s < CLOSE_LIMIT_S  # and the process has ended, or `run` had failed


def test_stop_ends_a_stream_that_is_silent(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"until": 10**9, "stop_after_s": 0.3}, file=path, faults="50000/silence")
    assert got.error is None
    assert len(got.received) == 50_000


def test_it_tunes_while_it_streams_and_tells_the_real_centre(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"tune": 433_920_049.0}, file=path)
    assert got.answers["tuned"] == 433_920_000.0
    assert float(got.noted["freq"]) == 433_920_049.0
