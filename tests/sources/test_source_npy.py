"""NumPy arrays as recordings, written by np.save."""

from __future__ import annotations

import numpy as np
import pytest
from replaying import joined, opened, replay

from liveclf.errors import SourceError, UsageError

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("dtype", ["<c8", "<c16", ">c8", ">c16"])
def test_complex_samples(tmp_path, dtype):
    samples = (RNG.standard_normal(999) + 1j * RNG.standard_normal(999)).astype(dtype)
    np.save(tmp_path / "x.npy", samples)
    iq = joined(replay(tmp_path / "x.npy"))
    assert np.array_equal(iq[:, 0], samples.real)
    assert np.array_equal(iq[:, 1], samples.imag)


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        ("u1", "cu8"),
        ("i1", "cs8"),
        ("<u2", "cu16"),
        ("<i2", "cs16"),
        (">i2", "cs16_be"),
        ("<u4", "cu32"),
        ("<i4", "cs32"),
        ("<f4", "cf32"),
        (">f8", "cf64_be"),
    ],
)
def test_i_and_q_side_by_side(tmp_path, dtype, name):
    samples = RNG.integers(0, 100, (321, 2)).astype(dtype)
    np.save(tmp_path / "x.npy", samples)
    blocks = replay(tmp_path / "x.npy")
    assert np.array_equal(joined(blocks), samples)
    assert blocks[0].format.name == name


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header(tmp_path, version):
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, np.arange(8, dtype=np.int16).reshape(4, 2), version)
    assert joined(replay(tmp_path / "x.npy")).tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_the_name_tells_rate_and_centre(tmp_path):
    np.save(tmp_path / "x_433.92M_250k.npy", np.zeros(4, np.complex64))
    info = opened(tmp_path / "x_433.92M_250k.npy").info
    assert (info.sample_rate_hz, info.center_hz, info.n_samples) == (250e3, 433.92e6, 4)


def test_format_reads_the_same_bytes_another_way_if_they_fit(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[255, 1]], np.uint8))
    assert joined(replay(tmp_path / "x.npy", format="cs8")).tolist() == [[-1, 1]]
    with pytest.raises(UsageError, match=r"--format cf32 does not fit.*holds cu8"):
        replay(tmp_path / "x.npy", format="cf32")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 2), np.float32, order="F"),
        np.zeros((2, 3), np.float32),
        np.zeros(4, np.float32),
        np.zeros((3, 2), np.complex64),
        np.zeros(0, np.complex64),
        np.zeros((0, 2), np.int8),
        np.zeros((3, 2), np.int64),
        np.zeros((3, 2), np.float16),
        np.zeros((3, 2), bool),
        np.zeros((3, 2), "U3"),
        np.zeros(3, np.clongdouble),
        np.zeros(3, [("re", "i2"), ("im", "i2")]),
        np.float32(1),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_other_arrays_are_refused_with_their_type(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(SourceError, match=r"x\.npy holds .*(save|convert)"):
        replay(tmp_path / "x.npy")


def test_fortran_order_is_named(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 2), np.float32, order="F"))
    with pytest.raises(SourceError, match="in Fortran order; save"):
        replay(tmp_path / "x.npy")


def test_a_pickle_is_never_loaded(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(SourceError, match=r"x\.npy cannot be read as a NumPy array"):
        replay(tmp_path / "x.npy")


def test_not_numpys(tmp_path):
    (tmp_path / "x.npy").write_bytes(b"PK\3\4 whatever this is")
    with pytest.raises(SourceError, match=r"x\.npy is no NumPy array file"):
        replay(tmp_path / "x.npy")


def test_no_cut_of_a_good_file_is_worse_than_an_error(tmp_path):
    np.save(tmp_path / "whole.npy", np.zeros((4, 2), np.int8))
    data = (tmp_path / "whole.npy").read_bytes()
    for length in range(1, len(data)):
        (tmp_path / "x.npy").write_bytes(data[:length])
        with pytest.raises(SourceError, match=r"x\.npy"):
            replay(tmp_path / "x.npy")
