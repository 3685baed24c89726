"""Standard input and named pipes: bytes come when they like, in any pieces."""

from __future__ import annotations

import io
import itertools
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import joined, opened, same

from liveclf.config import SourceSettings
from liveclf.errors import SourceError, UsageError
from liveclf.sources import open_source
from liveclf.sources.stdin import StreamSource


class Pieces(io.RawIOBase):
    """Delivers its bytes in the pieces given, however much is asked for."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def read(self, size: int = -1) -> bytes:
        if not self._pieces:
            return b""
        piece, self._pieces[0] = self._pieces[0][:size], self._pieces[0][size:]
        if not self._pieces[0]:
            del self._pieces[0]
        return piece


def stream(data: bytes | list[bytes], **settings: object) -> StreamSource:
    pieces = [data] if isinstance(data, bytes) else data
    return StreamSource(SourceSettings(path="-", **settings), Pieces(pieces), "the test")


class Stdin:
    """Stands in for sys.stdin."""

    closed = False

    def __init__(self, buffer: object, *, tty: bool = False) -> None:
        self.buffer, self._tty = buffer, tty

    def isatty(self) -> bool:
        return self._tty


@pytest.fixture
def pipe(monkeypatch):
    """Make standard input a pipe; yields the end to write into."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", buffering=0) as feed:
        monkeypatch.setattr(sys, "stdin", Stdin(stdin))
        yield feed


@settings(deadline=None)
@given(
    values=st.lists(st.integers(-(2**15), 2**15 - 1), min_size=2, max_size=60),
    cuts=st.lists(st.integers(0, 120), max_size=8),
    name=st.sampled_from(["cs16", "cu8", "cs24"]),
)
def test_samples_are_the_same_however_their_bytes_arrive(values, cuts, name):
    size = {"cs16": 4, "cu8": 2, "cs24": 6}[name]
    data = np.array(values, "<i2").tobytes()
    data = (data * 3)[: len(data) * 3 // size * size]
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    blocks = list(stream(pieces, format=name).blocks())
    whole = list(stream(data, format=name).blocks())
    assert np.array_equal(joined(blocks), joined(whole))
    assert len(joined(blocks)) == len(data) // size
    starts = np.cumsum([0] + [len(block.iq) for block in blocks])
    assert [block.start_sample for block in blocks] == starts[:-1].tolist()


def test_a_pipe_is_read_to_its_end(pipe):
    iq = np.random.default_rng(0).integers(0, 256, (300_000, 2), np.uint8)

    def feed() -> None:
        with pipe:
            pipe.write(iq.tobytes())

    writer = threading.Thread(target=feed)
    writer.start()
    source = opened("-", format="cu8", rate_hz=1e6, center_hz=(5.0,))
    blocks = list(source.blocks())
    writer.join()
    assert np.array_equal(joined(blocks), iq)
    assert {(b.sample_rate_hz, b.center_hz, b.segment) for b in blocks} == {(1e6, 5.0, 0)}
    assert same(blocks[0].epoch_s, float("nan"))
    assert source.info.n_samples is None
    assert not source.info.is_live
    (note,) = source.info.notes
    assert "lost before they reach standard input cannot be seen" in note


def test_what_has_come_is_delivered_before_more_comes(pipe):
    blocks = opened("-", format="cu8").blocks()
    for sent, expected in ((b"abc", ["ab"]), (b"d", ["cd"]), (b"efgh", ["ef", "gh"])):
        pipe.write(sent)
        assert [pair.tobytes().decode() for pair in next(blocks).iq] == expected


def test_a_regular_file_as_standard_input(tmp_path, monkeypatch):
    iq = np.arange(500_000, dtype="<i2").reshape(-1, 2)
    iq.tofile(tmp_path / "x")
    with (tmp_path / "x").open("rb") as file:
        monkeypatch.setattr(sys, "stdin", Stdin(file))
        source = opened("-", format="cs16")
        assert np.array_equal(joined(list(source.blocks())), iq)
        assert source.info.notes == ()


def test_an_override_serves_as_flags_of_a_pipe(pipe):
    pipe.write(b"abcd")
    source = opened("cs16:433.92M:250k:-")
    assert (source.info.sample_rate_hz, source.info.center_hz) == (250e3, 433.92e6)
    assert len(next(source.blocks()).iq) == 1


def test_a_named_pipe(tmp_path):
    os.mkfifo(tmp_path / "radio")

    def feed() -> None:
        (tmp_path / "radio").write_bytes(bytes(range(100)))

    writer = threading.Thread(target=feed)
    writer.start()
    source = opened(tmp_path / "radio", format="cu8")
    assert joined(list(source.blocks())).ravel().tolist() == list(range(100))
    writer.join()
    with pytest.raises(UsageError, match=r"radio is not known; give --format"):
        StreamSource(SourceSettings(path="x"), Pieces([]), "radio")


@pytest.mark.parametrize(
    ("name", "flags", "told"),
    [
        ("in_433.92M_250k.cu8", {}, ("cu8", 250e3, 433.92e6)),
        ("in_433.92M_250k.cu8", {"format": "cs8", "rate_hz": 2e6}, ("cs8", 2e6, 433.92e6)),
        ("in_868M_1Msps_cs16", {}, ("cs16", 1e6, 868e6)),
    ],
)
def test_the_name_of_a_pipe_tells_as_that_of_a_file_does(tmp_path, name, flags, told):
    os.mkfifo(tmp_path / name)
    writer = threading.Thread(target=(tmp_path / name).write_bytes, args=(bytes(8),))
    writer.start()
    source = opened(tmp_path / name, **flags)
    info = source.info
    assert (info.format, info.sample_rate_hz, info.center_hz) == told
    assert joined(list(source.blocks())).nbytes == 8
    writer.join()


IQ = np.arange(200_000, dtype=np.uint8).reshape(-1, 2)


@pytest.mark.parametrize(
    ("limits", "start", "stop"),
    [
        ({"samples": 5}, 0, 5),
        ({"samples": 70_000}, 0, 70_000),
        ({"samples": 10**9}, 0, 100_000),
        ({"duration_s": 0.5, "rate_hz": 1000.0}, 0, 500),
        ({"start_s": 66.0, "rate_hz": 1000.0}, 66_000, 100_000),
        ({"start_s": 66.0, "duration_s": 2.0, "rate_hz": 1000.0}, 66_000, 68_000),
        ({"start_s": 66.0, "duration_s": 2.0, "samples": 3, "rate_hz": 1000.0}, 66_000, 66_003),
    ],
)
@pytest.mark.parametrize("piece", [997, 65_537, 10**6])
def test_limits_count_from_the_beginning_of_the_stream(limits, start, stop, piece):
    data = IQ.tobytes()
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    blocks = list(stream(pieces, format="cu8", **limits).blocks())
    assert blocks[0].start_sample == start
    assert np.array_equal(joined(blocks), IQ[start:stop])


def test_no_more_is_taken_from_the_pipe_than_asked_for(pipe):
    pipe.write(bytes(range(10)))
    assert len(joined(list(opened("-", format="cu8", samples=2).blocks()))) == 2
    assert os.read(sys.stdin.buffer.fileno(), 100) == bytes(range(4, 10))


# -- ends that are none -----------------------------------------------------------------


def test_half_a_sample_at_the_end_is_an_error_after_everything_whole():
    blocks = stream([b"abcdefg", b"hijk"], format="cs16").blocks()
    assert [next(blocks).iq.tobytes(), next(blocks).iq.tobytes()] == [b"abcd", b"efgh"]
    with pytest.raises(SourceError, match=r"the test ended within a sample, 3 bytes of 4"):
        next(blocks)


def test_a_stream_without_a_sample():
    with pytest.raises(SourceError, match=r"the test ended after 0 samples.*program that feeds it"):
        list(stream(b"", format="cu8").blocks())
    with pytest.raises(SourceError, match=r"ended after 3 samples.*--start"):
        list(stream(bytes(6), format="cu8", start_s=1.0, rate_hz=3.0).blocks())


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({}, "standard input is not known; give --format, one of cu8"),
        ({"format": "cu9"}, "'cu9' is not known"),
        ({"format": "cu8", "loop": True}, "--loop cannot be kept"),
        ({"format": "cu8", "realtime": True}, "--realtime needs a sample rate.*--rate"),
        ({"format": "cu8", "duration_s": 1.0}, "--duration needs a sample rate"),
        ({"format": "cu8", "rate_hz": 0.0}, "--rate must be above 0"),
    ],
)
def test_wrong_use(pipe, flags, said):
    with pytest.raises(UsageError, match=said):
        opened("-", **flags)


def test_a_terminal_and_no_standard_input_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Stdin(io.BytesIO(), tty=True))
    with pytest.raises(SourceError, match="is a terminal; pipe samples into it"):
        opened("-", format="cu8")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match="is closed; give a recording"):
        opened("-", format="cu8")


def test_a_pipe_that_breaks(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)  # reading a folder fails as a broken device does
    try:
        with pytest.raises(SourceError, match=r"the test cannot be read: is a directory"):
            list(StreamSource(SourceSettings(format="cu8"), Folder(folder), "the test").blocks())
    finally:
        os.close(folder)


class Folder:
    """A stream whose every read fails."""

    def __init__(self, descriptor: int) -> None:
        self.fileno = lambda: descriptor


# -- ending it --------------------------------------------------------------------------


def test_a_silent_pipe_ends_soon_after_close(pipe):
    source = opened("-", format="cu8")
    closer = threading.Timer(0.1, source.close)
    closer.start()
    began_s = time.monotonic()
    blocks = list(source.blocks())
    assert 0.05 < time.monotonic() - began_s < 0.6
    closer.join()
    # Empty blocks tell the pipeline that time passes, so that waiting windows go.
    assert {len(block.iq) for block in blocks} == {0}
    assert {block.start_sample for block in blocks} == {0}


def test_a_closed_stream_delivers_nothing():
    source = stream(bytes(100), format="cu8")
    source.close()
    source.close()
    assert list(source.blocks()) == []


def test_realtime_paces_a_stream_that_is_all_there():
    source = stream(bytes(2 * 3000), format="cu8", rate_hz=10_000.0, realtime=True)
    assert source.info.is_live
    began_s = time.monotonic()
    blocks = list(source.blocks())
    assert 0.29 < time.monotonic() - began_s < 1.0
    # 10 ms, and between them the word that nothing is waiting.
    assert {len(block.iq) for block in blocks} == {0, 100}
    assert sum(len(block.iq) for block in blocks) == 3000


def test_realtime_counts_the_naps_of_the_reader_but_not_those_of_the_feeder(pipe):
    late_s, is_written = [], False
    pipe.write(bytes(2 * 300))
    source = opened("-", format="cu8", rate_hz=10_000.0, realtime=True, samples=600)
    for block in source.blocks():
        if len(block.iq):
            late_s.append(time.monotonic() - block.received_s)
            time.sleep(0.1 * (len(late_s) == 1))
        elif len(late_s) == 3 and not is_written:
            time.sleep(0.1)
            pipe.write(bytes(2 * 300))
            is_written = True
    after_nap_s, after_silence_s = late_s[1], late_s[3]
    assert after_nap_s > 0.08
    assert after_silence_s < 0.15  # 0.2 and more if the silence counted


def test_no_file_stays_open(tmp_path: Path):
    iq = np.zeros(4, np.uint8)
    iq.tofile(tmp_path / "x.cu8")
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(20):
        open_source(SourceSettings(path=str(tmp_path / "x.cu8")))
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) <= before + 1
