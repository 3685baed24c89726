"""Streaming from an RTL-SDR: the real pyrtlsdr over a librtlsdr that misbehaves on command."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fake_radio
import numpy as np
import pytest
from fake_radio import Heard, Probe, ProbeError, listen

from liveclf.config import Hertz, RadioSettings, SourceSettings
from liveclf.sources.rtlsdr.counter import counter_losses

SOURCE = SourceSettings(center_hz=(Hertz(433.92e6),))
RADIO = RadioSettings(device="rtlsdr")
TRANSFER = 3 * 16_384  # bytes, at 2.4 MS/s


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    started = Probe(fake_radio.environment())
    yield started
    started.kill()


@pytest.fixture
def doomed() -> Iterator[Probe]:
    """A process of its own, for a test after which it is of no use."""
    started = Probe(fake_radio.environment())
    yield started
    started.kill()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "noise.cu8"
    noise = np.random.default_rng(4).integers(0, 256, 2 * 500_003, np.uint8)
    path.write_bytes(noise.tobytes())
    return path


def _listen(probe: Probe, listening: dict[str, Any] | None = None, **settings: object) -> Heard:
    heard: Heard = probe(partial(listen, **(listening or {})), SOURCE, RADIO, **settings)
    return heard


def _counts(log: Path) -> tuple[int, int, int]:
    """Return the samples that the library says were produced, delivered and lost."""
    *_, last = (line.split() for line in log.read_text().splitlines() if line.startswith("end "))
    return int(last[2]), int(last[4]), int(last[6])


def test_the_bytes_are_those_of_the_recording(probe, recording):
    heard = _listen(probe, file=recording, speed=0)
    assert heard.data == recording.read_bytes()


def test_a_transfer_is_a_multiple_of_usb_packets_and_holds_some_10_ms(probe, recording, tmp_path):
    log = tmp_path / "log"
    for rate_hz in (225_001, 250e3, 1.024e6, 2.4e6, 3.2e6):
        source = SourceSettings(center_hz=SOURCE.center_hz, rate_hz=Hertz(rate_hz))
        probe(listen, source, RADIO, file=recording, speed=0, log=log)
        *_, asked = (x for x in log.read_text().splitlines() if x.startswith("read_async"))
        n, size = map(int, asked.split()[1:])
        assert size % 512 == 0  # else librtlsdr takes its own size
        assert 0.005 < size / 2 / rate_hz < 0.04
        assert n * size / 2 / rate_hz > 0.4
        assert n * size < 8e6  # of 16 MB for all USB devices


@pytest.mark.parametrize("code", [0, -1, -4, -9])
def test_a_read_that_ends_by_itself_is_a_lost_device_whatever_its_code(probe, recording, code):
    heard = _listen(probe, file=recording, speed=0, faults=f"return={code}@200000")
    assert heard.end.startswith("SourceError: RTL-SDR 00000001 (R820T) ended the stream")
    assert f"code {code}" in heard.end
    n = -(-400_000 // TRANSFER) * TRANSFER
    assert heard.data == recording.read_bytes()[:n]
    assert heard.close == "ended"


@pytest.mark.parametrize("code", [-1, -11])
def test_a_read_that_does_not_begin_is_an_error(probe, code):
    heard = _listen(probe, refuse=f"read_async={code}")
    assert heard.end.startswith("SourceError")
    assert heard.data == b""


def test_an_unplugged_dongle_ends_the_stream_and_is_found_again_when_it_is_back(
    probe, recording, tmp_path
):
    absent = tmp_path / "absent"
    heard = _listen(probe, file=recording, loop=1, faults="unplug@100000", absent=absent)
    assert heard.end.startswith("SourceError: RTL-SDR 00000001 (R820T) ended the stream")
    assert heard.close == "ended"
    with pytest.raises(ProbeError, match="No RTL-SDR is plugged in") as raised:
        probe(fake_radio.open_once, SOURCE, RADIO, absent=absent)
    assert raised.value.kind == "SourceError"
    absent.unlink()
    assert probe(fake_radio.open_once, SOURCE, RADIO, absent=absent).center_hz == 433.92e6


def test_stop_ends_a_stream_and_received_is_what_was_delivered(probe, recording, tmp_path):
    log = tmp_path / "log"
    heard = _listen(probe, {"stop_at": 240_000}, file=recording, loop=1, speed=1, log=log)
    assert (heard.end, heard.stop, heard.close) == ("returned", "ended", "ended")
    produced, delivered, lost = _counts(log)
    assert len(heard.data) // 2 == delivered
    assert delivered + lost == produced
    assert delivered >= 240_000


def test_a_stop_before_the_stream_is_not_lost(probe, recording):
    heard = _listen(probe, {"stop_first": True}, file=recording, loop=1)
    assert (heard.end, heard.close, heard.data) == ("returned", "ended", b"")


@pytest.mark.parametrize("faults", ["", "silence"])
def test_a_stop_while_the_stream_begins_is_not_lost(probe, recording, tmp_path, faults):
    log = tmp_path / "log"
    told = {"file": recording, "loop": 1, "slow": 300, "faults": faults, "log": log}
    heard = _listen(probe, {"stop_at": 0, "begun": log}, **told)
    assert (heard.end, heard.stop, heard.close) == ("returned", "ended", "ended")
    assert log.read_text().count("cancel_async") > 1  # the first came too early


@pytest.mark.parametrize("at", [0, 100_000])
def test_a_stream_without_callbacks_can_be_stopped(probe, recording, at):
    heard = _listen(probe, {"stop_at": at}, file=recording, speed=0, faults=f"silence@{at}")
    assert (heard.end, heard.stop, heard.close) == ("returned", "ended", "ended")
    assert len(heard.data) // 2 >= at


def test_an_overflow_leaves_a_hole_and_nothing_else(probe, recording, tmp_path):
    log = tmp_path / "log"
    heard = _listen(probe, file=recording, speed=0, faults="overflow=5001@100000", log=log)
    sent = recording.read_bytes()
    first = -(-200_000 // TRANSFER) * TRANSFER
    assert heard.data == sent[:first] + sent[first + 2 * 5001 :]
    produced, delivered, lost = _counts(log)
    assert (delivered + lost, lost) == (produced, 5001)


def test_the_counter_of_the_test_mode_tells_what_was_lost(probe):
    radio = RadioSettings(device="rtlsdr", options=("test_mode=on",))
    source = SourceSettings()  # a counter needs no frequency
    faults = "overflow=5001@100000 overflow=77@300000 return=0@400000"
    heard = probe(listen, source, radio, speed=0, faults=faults)
    losses = counter_losses(heard.data)
    assert losses.holes == 2
    assert losses.lost_samples == 5001 % 128 + 77
    assert (
        counter_losses(probe(listen, source, radio, speed=0, faults=faults[-15:]).data).holes == 0
    )


def test_an_error_of_the_tape_ends_the_stream_and_is_raised(probe, recording):
    heard = _listen(probe, {"breaks_at": 100_000}, file=recording, loop=1, speed=0)
    assert heard.end == "ValueError: the tape is torn"
    assert heard.close == "ended"


def test_tuning_while_it_streams(probe, recording, tmp_path):
    log = tmp_path / "log"
    heard = _listen(
        probe, {"tune_at": (50_000, 868.3e6), "stop_at": 300_000}, file=recording, loop=1, log=log
    )
    assert heard.tuned == 868.3e6
    assert "set_center_freq 868300000" in log.read_text()
    assert heard.end == "returned"


def test_the_nearest_gain_is_set_while_it_streams(probe, recording, tmp_path):
    log = tmp_path / "log"
    listening = {"tune_at": (50_000, 868.3e6), "gains": (20.0, None, 48.0), "stop_at": 300_000}
    heard = _listen(probe, listening, file=recording, loop=1, log=log)
    called = [line for line in log.read_text().splitlines() if "gain" in line]
    assert called[-5:] == [
        "set_tuner_gain_mode 1",
        "set_tuner_gain 197",
        "set_tuner_gain_mode 0",
        "set_tuner_gain_mode 1",
        "set_tuner_gain 480",
    ]
    assert heard.gains == ("19.7", "auto", "48")
    assert heard.end == "returned"


@pytest.mark.parametrize("wanted_hz", [3e9, 5e9, -1.0])
def test_a_frequency_that_is_refused_leaves_the_stream_as_it_is(probe, recording, wanted_hz):
    listening = {"tune_at": (50_000, wanted_hz), "stop_at": 300_000}
    heard = _listen(probe, listening, file=recording, loop=1)
    assert str(heard.tuned).startswith("SourceError: RTL-SDR 00000001 (R820T) cannot be tuned to")
    assert f"{wanted_hz / 1e6:.10g} MHz" in str(heard.tuned)
    assert len(heard.data) // 2 >= 300_000
    assert (heard.end, heard.close) == ("returned", "ended")


def test_the_bias_tee_is_off_after_the_end(probe, recording, tmp_path):
    log = tmp_path / "log"
    radio = RadioSettings(device="rtlsdr", bias_tee=True)
    heard = probe(listen, SOURCE, radio, file=recording, speed=0, log=log)
    assert heard.close == "ended"
    lines = log.read_text().splitlines()
    assert "set_bias_tee 1" in lines
    assert lines[-1] == "closed with bias_tee 0"


def test_a_cancel_that_hangs_hangs_only_who_calls_it(doomed, recording):
    heard = _listen(
        doomed, {"stop_at": 1, "patience_s": 1}, file=recording, loop=1, hang="cancel_async=1"
    )
    # Its process is there to be killed; close leaves alone what would never return.
    assert (heard.stop, heard.end, heard.close) == ("hangs", "goes on", "ended")
    doomed.kill()
    assert doomed.process.exitcode == -signal.SIGKILL


def test_a_close_that_hangs_can_be_killed(doomed, recording):
    heard = _listen(doomed, {"patience_s": 1}, file=recording, speed=0, hang="close=1")
    assert heard.end.startswith("SourceError")
    assert heard.close == "hangs"
    doomed.kill()
    assert doomed.process.exitcode == -signal.SIGKILL


def test_a_crash_of_the_library_takes_only_its_process(doomed, recording, tmp_path):
    count = tmp_path / "count"
    with pytest.raises(EOFError):
        _listen(doomed, file=recording, speed=0, faults="crash@100000", count=count)
    doomed.process.join(fake_radio.SOON_S)
    assert doomed.process.exitcode == -signal.SIGSEGV
    # What had come until then is known all the same.
    whole = -(-200_000 // TRANSFER) * TRANSFER // 2
    assert list(map(int, count.read_text().split())) == [whole, whole, 0]


def test_a_fault_on_command_is_done_once(probe, recording, tmp_path):
    control, log = tmp_path / "control", tmp_path / "log"
    control.write_text("overflow=1000\n")
    for lost in (1000, 0):
        heard = _listen(probe, file=recording, speed=0, control=control, log=log)
        assert _counts(log) == (500_003, 500_003 - lost, lost)
        assert heard.data == recording.read_bytes()[2 * lost :]
