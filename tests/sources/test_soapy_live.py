"""A SoapySDR radio as a live source: every fault ends in samples again, or in a sentence."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faking_soapy import FakeSoapy
from numpy.typing import NDArray

from liveclf.config import Count, Hertz, RadioSettings, Seconds, SourceSettings
from liveclf.errors import SourceError
from liveclf.records import Block
from liveclf.sources import open_source
from liveclf.sources.capture.live import LiveSource
from liveclf.sources.capture.timeline import AWAY, DEVICE

LIMIT_S = 90.0
RATE_HZ = 1e6
MANY = 100_000


class Radio:
    """A radio that is not there, seen by this process and those it starts."""

    def __init__(self, soapy: FakeSoapy, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch, self._soapy = monkeypatch, soapy
        self.path, self.iq = soapy.recording("i2")
        self._control, self._log = soapy.scratch / "control", soapy.scratch / "log"
        self.set(file=self.path, pace="real", control=self._control, log=self._log)

    def set(self, **arguments: Any) -> None:
        for name, value in self._soapy.environment(**arguments).items():
            self._monkeypatch.setenv(name, value)

    def do(self, command: str) -> None:
        part = self._control.with_suffix(".part")  # so that it never sees half of it
        part.write_text(command)
        part.rename(self._control)

    def count(self, what: str) -> int:
        """How often the module noted it."""
        return sum(line.startswith(f"{what} ") for line in self._log.read_text().splitlines())


@pytest.fixture
def radio(soapy: FakeSoapy, monkeypatch: pytest.MonkeyPatch) -> Radio:
    return Radio(soapy, monkeypatch)


def opened(device: str = "soapy:driver=fakeradio", **settings: Any) -> LiveSource:
    source = open_source(
        SourceSettings(rate_hz=Hertz(RATE_HZ), **settings),
        RadioSettings(device=device, buffer_s=Seconds(20), max_retries=20),
    )
    assert isinstance(source, LiveSource)
    return source


def heard(blocks: Any, n_samples: int, until_cause: str = "") -> list[Block]:
    """Return blocks with so many samples, counted from the first loss of `until_cause`."""
    found: list[Block] = []
    counts, n, until_s = not until_cause, 0, time.monotonic() + LIMIT_S
    for block in blocks:
        assert time.monotonic() < until_s, "nothing came any more"
        if not len(block.iq):
            continue
        found.append(block)
        counts = counts or any(loss.cause == until_cause for loss in block.losses)
        n += counts * len(block.iq)
        if n >= n_samples:
            break
    return found


def check_samples(blocks: list[Block], iq: NDArray[Any], first_sample: int = 0) -> None:
    """Each block is what the recording has there; every jump is explained."""
    for block in blocks:
        at = np.arange(len(block.iq)) + block.start_sample - first_sample
        np.testing.assert_array_equal(block.iq, iq[at % len(iq)])
    for before, block in pairwise(blocks):
        jump = block.start_sample - before.start_sample - len(before.iq)
        assert jump == sum(loss.samples for loss in block.losses)


def close(source: LiveSource, blocks: Any) -> float:
    began_s = time.monotonic()
    source.close()
    for _ in blocks:
        pass
    return time.monotonic() - began_s


@pytest.mark.parametrize("fault", ["hang", "crash", "throw", "silence", "code/-2"])
def test_after_a_fault_it_is_opened_again(radio: Radio, fault: str) -> None:
    source = opened()
    blocks = source.blocks()
    before = heard(blocks, MANY)
    check_samples(before, radio.iq)
    radio.do(fault)
    after = heard(blocks, MANY, until_cause=AWAY)
    again = next(i for i, block in enumerate(after) if block.losses)
    check_samples(before + after[:again], radio.iq)
    # A device that is opened again begins at the beginning.
    check_samples(after[again:], radio.iq, first_sample=after[again].start_sample)
    assert after[again].segment != before[-1].segment
    assert radio.count("rate") == 2
    close(source, blocks)


@pytest.mark.parametrize("n_lost", [1, 12_345, 900_000])
def test_positions_jump_by_what_the_time_stamps_say(radio: Radio, n_lost: int) -> None:
    radio.set(stamps="samples")
    source = opened()
    blocks = source.blocks()
    before = heard(blocks, MANY)
    radio.do(f"overflow/{n_lost}")
    after = heard(blocks, MANY, until_cause=DEVICE)
    check_samples(before + after, radio.iq)
    assert [loss.samples for block in after for loss in block.losses] == [n_lost]
    close(source, blocks)


def test_a_capture_process_that_stood_still_has_lost_what_the_time_stamps_say(
    radio: Radio,
) -> None:
    radio.set(stamps="samples")
    source = opened()
    blocks = source.blocks()
    before = heard(blocks, MANY)
    pid = source._process._process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.0)  # four times the module's queue
    os.kill(pid, signal.SIGCONT)
    after = heard(blocks, MANY, until_cause=DEVICE)
    check_samples(before + after, radio.iq)
    assert sum(loss.samples for block in after for loss in block.losses) > 0.25 * RATE_HZ
    close(source, blocks)


@pytest.mark.parametrize("where", ["deactivate", "close"])
def test_a_driver_that_hangs_in_closing_does_not_keep_the_program(radio: Radio, where: str) -> None:
    radio.set(hang_in=where)
    source = opened()
    blocks = source.blocks()
    heard(blocks, MANY)
    pid = source._process._process.pid
    assert close(source, blocks) < LIMIT_S / 3
    assert not _alive(pid)


def test_a_radio_that_is_gone_for_good_is_said_after_the_retries(
    radio: Radio, soapy: FakeSoapy
) -> None:
    source = open_source(
        SourceSettings(rate_hz=Hertz(RATE_HZ)),
        RadioSettings(device="soapy:driver=fakeradio", max_retries=1),
    )
    blocks = source.blocks()
    heard(blocks, MANY)
    radio.set(refuse="open")
    radio.do("code/-2")
    with pytest.raises(SourceError, match=r"code -2 .STREAM_ERROR.*did not come back in 1"):
        heard(blocks, 10**9)


def test_it_ends_after_so_many_samples(radio: Radio) -> None:
    source = opened(samples=Count(123_457))
    assert sum(len(block.iq) for block in source.blocks()) == 123_457


def _alive(pid: int | None) -> bool:
    return pid is not None and Path(f"/proc/{pid}").exists()
