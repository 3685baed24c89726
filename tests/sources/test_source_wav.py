"""IQ in WAV files, against the standard library's and SciPy's writers and by hand."""

from __future__ import annotations

import math
import os
import struct
import wave
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from replaying import joined, opened, replay
from scipy.io import wavfile

from liveclf.errors import SourceError

PAIRS = [(1, 2), (3, 4), (-5, 6)]
DATA = struct.pack("<6h", *(value for pair in PAIRS for value in pair))


def chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    said = len(data) if size is None else size
    return name + struct.pack("<I", said) + data + bytes(len(data) % 2)


def fmt_chunk(tag: int = 1, channels: int = 2, rate_hz: int = 48000, bits: int = 16) -> bytes:
    align = channels * bits // 8
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * align, align, bits)
    )


def riff(*chunks: bytes, form: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", len(body) if size is None else size) + body


def auxi_chunk(moment: datetime | None, center_hz: int, rate_hz: int) -> bytes:
    fields = [0] * 8
    if moment:
        fields = [moment.year, moment.month, moment.isoweekday() % 7, moment.day]
        fields += [moment.hour, moment.minute, moment.second, moment.microsecond // 1000]
    times = struct.pack("<8H", *fields) * 2
    return chunk(
        b"auxi", times + struct.pack("<9I", center_hz % 2**32, rate_hz, *[0] * 7) + bytes(96)
    )


def written(folder: Path, data: bytes, name: str = "x.wav") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize(("width", "name"), [(1, "cu8"), (2, "cs16"), (3, "cs24"), (4, "cs32")])
def test_pcm_as_the_standard_library_writes_it(tmp_path, width, name):
    rng = np.random.default_rng(width)
    frames = rng.integers(0, 256, (1000, 2, width), np.uint8)
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(width)
        file.setframerate(192_000)
        file.writeframes(frames.tobytes())
    expected = [
        [int.from_bytes(value.tobytes(), "little", signed=width > 1) for value in frame]
        for frame in frames
    ]
    scale = 256 if width == 3 else 1  # 24 bits come at the top of 32
    blocks = replay(tmp_path / "x.wav")
    assert (joined(blocks) // scale).tolist() == expected
    assert (blocks[0].format.name, blocks[0].sample_rate_hz) == (name, 192_000.0)


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<i2", "<i4", "u1"])
def test_what_scipy_writes(tmp_path, dtype):
    iq = (np.random.default_rng(0).standard_normal((777, 2)) * 50 + 100).astype(dtype)
    wavfile.write(tmp_path / "x.wav", 1_000_000, iq)
    blocks = replay(tmp_path / "x.wav")
    assert joined(blocks).dtype == iq.dtype
    assert np.array_equal(joined(blocks), iq)
    assert blocks[0].sample_rate_hz == 1e6


def test_24_bits_span_the_full_scale_of_their_format(tmp_path):
    data = struct.pack("<i", -(2**23))[:3] + struct.pack("<i", 2**22)[:3]
    block = replay(written(tmp_path, riff(fmt_chunk(bits=24), chunk(b"data", data))))[0]
    assert (block.iq / block.format.full_scale).tolist() == [[-1.0, 0.5]]


@pytest.mark.parametrize(("bits", "name"), [(12, "cs16"), (14, "cs16"), (20, "cs24")])
def test_bits_that_do_not_fill_their_bytes_are_at_the_top_of_them(tmp_path, bits, name):
    path = written(tmp_path, riff(fmt_chunk(bits=bits), chunk(b"data", bytes(12))))
    assert opened(path).info.format == name


def test_the_extensible_header_is_read_by_its_sub_format(tmp_path):
    guid_tail = bytes.fromhex("000000001000800000aa00389b71")
    body = struct.pack("<HHIIHH", 0xFFFE, 2, 48000, 384000, 8, 32)
    body += struct.pack("<HHIH", 22, 32, 3, 3) + guid_tail
    data = struct.pack("<4f", 0.5, -0.25, 1.0, -1.0)
    blocks = replay(written(tmp_path, riff(chunk(b"fmt ", body), chunk(b"data", data))))
    assert joined(blocks).tolist() == [[0.5, -0.25], [1.0, -1.0]]
    assert blocks[0].format.name == "cf32"


def test_chunks_in_any_order_and_of_odd_length(tmp_path):
    data = riff(
        chunk(b"LIST", b"odd"), chunk(b"junk", b""), fmt_chunk(),
        chunk(b"x\0y\0", b"12345"), chunk(b"data", DATA), chunk(b"LIST", b"behind it"),
    )  # fmt: skip
    source = opened(written(tmp_path, data))
    assert joined(list(source.blocks())).tolist() == [list(pair) for pair in PAIRS]
    assert source.info.notes == ()


def test_fmt_may_come_behind_the_samples(tmp_path):
    data = riff(chunk(b"data", DATA), fmt_chunk())
    assert len(joined(replay(written(tmp_path, data)))) == 3


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 10_000])
def test_a_wrong_length_is_until_the_end_with_a_note(tmp_path, size):
    path = written(tmp_path, riff(fmt_chunk(), chunk(b"data", DATA, size), size=0))
    source = opened(path)
    assert joined(list(source.blocks())).tolist() == [list(pair) for pair in PAIRS]
    assert "does not give the true length" in source.info.notes[0]


MORE = struct.pack("<600h", *range(-300, 300))


@pytest.mark.parametrize("size", [4, 8, 400, len(MORE) - 4, len(MORE) - 2])
def test_a_length_that_ends_among_samples_is_until_the_end_with_a_note(tmp_path, size):
    source = opened(written(tmp_path, riff(fmt_chunk(), chunk(b"data", MORE, size))))
    assert joined(list(source.blocks())).tobytes() == MORE
    assert "does not give the true length" in source.info.notes[0]


@pytest.mark.parametrize(
    "behind",
    [
        chunk(b"LIST", b"odd") + chunk(b"id3 ", b"x" * 300),
        chunk(b"cue ", b"")
        + chunk(b"LIST", b"odd")[:-1],  # its last byte, of padding, is not there
    ],
)
def test_a_length_with_chunks_behind_it_is_kept(tmp_path, behind):
    source = opened(written(tmp_path, riff(fmt_chunk(), chunk(b"data", DATA), behind)))
    assert joined(list(source.blocks())).tolist() == [list(pair) for pair in PAIRS]
    assert source.info.notes == ()


@pytest.mark.parametrize(
    "behind", [chunk(b"LIST", b"cut", 300), chunk(b"LI\0T", b"four"), chunk(b"LIST", b"") + b"RI"]
)
def test_what_only_begins_like_chunks_is_samples(tmp_path, behind):
    source = opened(written(tmp_path, riff(fmt_chunk(), chunk(b"data", DATA), behind)))
    assert joined(list(source.blocks())).tobytes() == (DATA + behind)[: len(DATA + behind) // 4 * 4]
    assert "does not give the true length" in source.info.notes[0]


def test_half_a_sample_at_the_end_is_left_out_with_a_note(tmp_path):
    path = written(tmp_path, riff(fmt_chunk(), chunk(b"data", DATA + b"ab", 0)))
    source = opened(path)
    assert joined(list(source.blocks())).tolist() == [list(pair) for pair in PAIRS]
    assert "last 2 bytes of x.wav" in source.info.notes[1]


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_64_bit_sizes(tmp_path, form):
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 1, len(DATA), 3, 0))
    data = riff(
        ds64, fmt_chunk(), chunk(b"data", DATA, 0xFFFFFFFF), chunk(b"LIST", b"behind it"),
        form=form, size=0xFFFFFFFF,
    )  # fmt: skip
    source = opened(written(tmp_path, data))
    assert joined(list(source.blocks())).tolist() == [list(pair) for pair in PAIRS]
    assert source.info.notes == ()


def test_rf64_whose_writer_stopped_before_it_knew_the_size(tmp_path):
    ds64 = chunk(b"ds64", bytes(28))
    data = riff(ds64, fmt_chunk(), chunk(b"data", DATA, 0xFFFFFFFF), form=b"RF64")
    source = opened(written(tmp_path, data))
    assert len(joined(list(source.blocks()))) == 3
    assert "true length" in source.info.notes[0]


def test_a_plain_header_that_wrapped_beyond_4_gib(tmp_path):
    path = written(tmp_path, riff(fmt_chunk(), chunk(b"data", b"", 400)))
    samples_at = path.stat().st_size
    os.truncate(path, samples_at + 2**32 + 400)  # sparse: takes no room
    source = opened(path, start_s=(2**30 + 97) / 48000)
    assert source.info.n_samples == 3
    assert joined(list(source.blocks())).tolist() == [[0, 0]] * 3


MOMENT = datetime(2021, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)


def test_auxi_tells_the_centre_and_the_time(tmp_path):
    data = riff(fmt_chunk(), auxi_chunk(MOMENT, 433_920_000, 48000), chunk(b"data", DATA))
    block = replay(written(tmp_path, data))[0]
    assert (block.center_hz, block.epoch_s) == (433.92e6, MOMENT.timestamp())


def test_auxi_behind_the_samples_without_a_time(tmp_path):
    data = riff(fmt_chunk(rate_hz=0), chunk(b"data", DATA), auxi_chunk(None, 7_000_000, 96000))
    block = replay(written(tmp_path, data))[0]
    assert (block.center_hz, block.sample_rate_hz) == (7e6, 96e3)
    assert math.isnan(block.epoch_s)


def test_auxi_that_is_xml_is_not_taken_for_numbers(tmp_path):
    xml = '<?xml version="1.0"?><SDR-XML-Root><Definition/></SDR-XML-Root>'.encode("utf-16-le")
    block = replay(written(tmp_path, riff(fmt_chunk(), chunk(b"auxi", xml), chunk(b"data", DATA))))[
        0
    ]
    assert math.isnan(block.center_hz)
    assert math.isnan(block.epoch_s)
    assert block.sample_rate_hz == 48000.0


def test_a_centre_beyond_32_bits_is_taken_from_a_name_that_agrees(tmp_path):
    data = riff(fmt_chunk(), auxi_chunk(MOMENT, 5_800_000_000, 48000), chunk(b"data", DATA))
    named = written(tmp_path, data, "baseband_5800000000Hz_05-06-07_04-03-2021.wav")
    assert opened(named).info.center_hz == 5.8e9
    assert opened(written(tmp_path, data)).info.center_hz == 5.8e9 % 2**32


def test_flags_before_header_before_name(tmp_path):
    data = riff(fmt_chunk(), auxi_chunk(MOMENT, 1000, 48000), chunk(b"data", DATA))
    path = written(tmp_path, data, "SDRSharp_20240131_235958Z_403000kHz_9k_IQ.wav")
    block = replay(path)[0]
    assert (block.center_hz, block.sample_rate_hz) == (1000.0, 48000.0)
    assert block.epoch_s == MOMENT.timestamp()
    block = replay(path, center_hz=(2.0,), rate_hz=3.0, format="cu16")[0]
    assert (block.center_hz, block.sample_rate_hz, block.format.name) == (2.0, 3.0, "cu16")
    bare = written(tmp_path, riff(fmt_chunk(), chunk(b"data", DATA)), path.name)
    assert opened(bare).info.center_hz == 403e6


# -- what cannot be read ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"OggS" + bytes(40), "is no WAV file.*rename it"),
        (b"RIFF", "is no WAV file"),
        (riff(fmt_chunk(channels=1), chunk(b"data", DATA)), "has 1 channel; IQ has 2"),
        (riff(fmt_chunk(channels=3), chunk(b"data", DATA)), "has 3 channels; IQ has 2"),
        (riff(fmt_chunk(tag=0x55), chunk(b"data", DATA)), "format 0x0055.*PCM or float"),
        (riff(fmt_chunk(tag=3, bits=16), chunk(b"data", DATA)), "format 0x0003 with 16 bits"),
        (riff(fmt_chunk()), "without a data chunk.*cut short"),
        (riff(chunk(b"data", DATA)), "without a whole fmt chunk"),
        (riff(chunk(b"fmt ", b"abcd"), chunk(b"data", DATA)), "without a whole fmt chunk"),
        (riff(fmt_chunk(), chunk(b"data", b"")), "no samples after it"),
        (riff(fmt_chunk()) + bytes(100_000), "without a data chunk"),
    ],
)
def test_one_sentence_for_what_is_no_iq_recording(tmp_path, data, said):
    with pytest.raises(SourceError, match=rf"x\.wav.*{said}"):
        replay(written(tmp_path, data))


def test_no_cut_of_a_good_file_is_worse_than_an_error(tmp_path):
    data = riff(fmt_chunk(), auxi_chunk(MOMENT, 1, 2), chunk(b"data", DATA))
    outcomes = set()
    for length in range(1, len(data)):
        try:
            outcomes.add(len(joined(replay(written(tmp_path, data[:length])))))
        except SourceError:
            outcomes.add("error")
    assert outcomes == {"error", 1, 2}
