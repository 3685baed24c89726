"""Raw recordings, against bytes written by hand."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import joined, opened, replay

from liveclf.dsp.formats import ENDINGS, FORMATS
from liveclf.errors import SourceError, UsageError
from liveclf.sources import samples as samples_module
from liveclf.sources.samples import FileSamples

# struct's letters, little endian: an oracle that knows nothing of NumPy.
LETTERS = {
    "cu8": "B",
    "cs8": "b",
    "cu16": "H",
    "cs16": "h",
    "cu32": "I",
    "cs32": "i",
    "cf32": "f",
    "cf64": "d",
}
PAIRS = [(0, 1), (2, 127), (100, 3), (5, 6), (1, 0)]


def write_pairs(path: Path, name: str, pairs: list[tuple[int, int]] = PAIRS) -> Path:
    path.write_bytes(b"".join(struct.pack("<2" + LETTERS[name], *pair) for pair in pairs))
    return path


@pytest.mark.parametrize("name", LETTERS)
def test_every_format_is_read_as_it_was_packed(tmp_path, name):
    blocks = replay(write_pairs(tmp_path / "x.iq", name), format=name)
    assert joined(blocks).tolist() == [list(pair) for pair in PAIRS]
    assert blocks[0].format is FORMATS[name]
    assert blocks[0].iq.dtype == FORMATS[name].dtype


def test_the_extremes_keep_their_sign(tmp_path):
    path = write_pairs(tmp_path / "x.cs16", "cs16", [(-32768, 32767)])
    assert joined(replay(path)).tolist() == [[-32768, 32767]]


def test_24_bits_take_6_bytes_and_come_at_the_top_of_32(tmp_path):
    pairs = [(-(2**23), 2**23 - 1), (1, -1)]
    data = b"".join(v.to_bytes(3, "little", signed=True) for pair in pairs for v in pair)
    (tmp_path / "x.iq").write_bytes(data)
    assert joined(replay(tmp_path / "x.iq", format="cs24")).tolist() == [
        [v * 256 for v in pair] for pair in pairs
    ]


@pytest.mark.parametrize(("ending", "name"), ENDINGS.items())
def test_an_ending_stands_for_its_format(tmp_path, ending, name):
    for written in (ending, ending.upper()):
        info = opened(write_pairs(tmp_path / f"x{written}", name)).info
        assert (info.format, info.n_samples) == (name, len(PAIRS))


@pytest.mark.parametrize(
    ("name", "fmt"),
    [
        ("x_cs16.bin", "cs16"),  # .bin says little, the token says it
        ("x_cf32.iq", "cf32"),
        ("x_cs16.cu8", "cu8"),  # the ending is itself the last token
        ("gqrx_20240131_235958_433920000_2400000_fc.raw", "cf32"),
    ],
)
def test_a_format_in_the_name_goes_before_the_ending(tmp_path, name, fmt):
    assert opened(write_pairs(tmp_path / name, fmt)).info.format == fmt


def test_flags_go_before_the_name(tmp_path):
    path = write_pairs(tmp_path / "x_433.92M_250k.cu8", "cs8")
    info = opened(path, format="cs8", rate_hz=1e6, center_hz=(5.0,)).info
    assert (info.format, info.sample_rate_hz, info.center_hz) == ("cs8", 1e6, 5.0)
    info = opened(path).info
    assert (info.format, info.sample_rate_hz, info.center_hz) == ("cu8", 250e3, 433.92e6)


def test_a_folder_tells_nothing(tmp_path):
    folder = tmp_path / "433.92M_250k_cs16"
    folder.mkdir()
    info = opened(write_pairs(folder / "x.cu8", "cu8")).info
    assert info.format == "cu8"
    assert math.isnan(info.sample_rate_hz)
    assert math.isnan(info.center_hz)


def test_the_time_in_the_name_is_the_clock_of_sample_0(tmp_path):
    path = write_pairs(tmp_path / "gqrx_19700102_000000_433920000_2400000_fc.raw", "cf32")
    assert replay(path)[0].epoch_s == 86400.0


@settings(deadline=None)
@given(data=st.data())
def test_any_slice_is_the_slice_of_the_whole(data, tmp_path_factory):
    n = data.draw(st.integers(1, 40))
    pairs = np.arange(2 * n, dtype=np.uint8).reshape(n, 2)
    path = tmp_path_factory.mktemp("raw") / "x.cu8"
    # Two headers: before the first sample and somewhere within.
    cut = data.draw(st.integers(0, n - 1))
    path.write_bytes(b"HEAD" + pairs[:cut].tobytes() + b"abc" + pairs[cut:].tobytes())
    samples = FileSamples(path, FORMATS["cu8"], n, ((0, 4), (cut, 7 + 2 * cut)))
    start, stop = sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))
    assert samples[start:stop].tolist() == pairs[start:stop].tolist()
    assert samples[:].tolist() == pairs.tolist()


def test_a_recording_is_read_forwards_only(tmp_path):
    samples = FileSamples(write_pairs(tmp_path / "x.cu8", "cu8"), FORMATS["cu8"], 5)
    with pytest.raises(ValueError, match="step"):
        samples[::-1]


# -- what cannot be read: each sentence names the file, and what to do -------------


def test_a_missing_file(tmp_path):
    with pytest.raises(SourceError, match=r"gone\.cu8 does not exist; check the path"):
        replay(tmp_path / "gone.cu8")


def test_a_folder(tmp_path):
    (tmp_path / "x.cu8").mkdir()
    with pytest.raises(SourceError, match=r"x\.cu8 is a folder; give one of the files"):
        replay(tmp_path / "x.cu8")


def test_an_empty_file(tmp_path):
    (tmp_path / "x.cu8").touch()
    with pytest.raises(SourceError, match=r"x\.cu8 is empty"):
        replay(tmp_path / "x.cu8")


def test_half_a_sample_at_the_end(tmp_path):
    (tmp_path / "x.cf32").write_bytes(bytes(21))
    with pytest.raises(SourceError, match=r"x\.cf32 has 21 bytes.* 8 bytes.*cut short.*--format"):
        replay(tmp_path / "x.cf32")


@pytest.mark.parametrize(("name", "said"), [("x.iq", "ending .iq"), ("x", "without an ending")])
def test_an_ending_that_tells_nothing(tmp_path, name, said):
    (tmp_path / name).write_bytes(bytes(8))
    with pytest.raises(SourceError, match=rf"{said}.*give --format"):
        replay(tmp_path / name)


def test_a_format_that_is_none(tmp_path):
    (tmp_path / "x.iq").write_bytes(bytes(8))
    with pytest.raises(UsageError, match="'cx9' is not known; choose one of cu8"):
        replay(tmp_path / "x.iq", format="cx9")


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, math.inf])
def test_a_rate_that_is_none(tmp_path, rate_hz):
    with pytest.raises(UsageError, match="--rate must be above 0"):
        replay(write_pairs(tmp_path / "x.cu8", "cu8"), rate_hz=rate_hz)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = write_pairs(tmp_path / "x.cu8", "cu8")
    if os.geteuid() == 0:  # root may read everything, so the system's answer is played

        def refused(*_, **__):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(samples_module.Path, "open", refused)
    else:
        path.chmod(0)
    with pytest.raises(SourceError, match=r"x\.cu8 cannot be opened: permission denied"):
        replay(path)


@pytest.mark.parametrize("name", ["a" * 300 + ".cu8", "nul\0.cu8"])
def test_names_that_the_system_refuses(tmp_path, name):
    with pytest.raises(SourceError, match="cannot be opened"):
        replay(f"{tmp_path}/{name}")


def test_a_link_to_itself(tmp_path):
    (tmp_path / "x.cu8").symlink_to(tmp_path / "x.cu8")
    with pytest.raises(SourceError, match=r"x\.cu8 cannot be opened"):
        replay(tmp_path / "x.cu8")


def test_a_file_that_is_cut_while_it_is_replayed(tmp_path):
    path = tmp_path / "x.cu8"
    path.write_bytes(bytes(2 * 200_000))
    blocks = opened(path).blocks()
    next(blocks)
    os.truncate(path, 100_000)
    with pytest.raises(SourceError, match=r"x\.cu8 was cut short while"):
        list(blocks)
