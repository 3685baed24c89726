"""Files that are cut short, damaged, or no HDF5 at all."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from liveclf.errors import TrainingError
from liveclf.learn.data.datasets import open_dataset, read_hdf5

N = 12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file of `N` windows, each a compressed chunk of its own."""
    x = np.random.default_rng(1).normal(size=(N, 1024, 2))
    with h5py.File(tmp_path / "set.hdf5", "w") as file:
        file.create_dataset("X", data=x, chunks=(1, 1024, 2), compression=1)
        file["Y"] = np.arange(N) % 3
    return tmp_path / "set.hdf5"


def test_an_interrupted_download_is_called_that(path: Path) -> None:
    data = path.read_bytes()
    for length in (100, len(data) // 2, len(data) - 100):
        path.write_bytes(data[:length])
        with pytest.raises(TrainingError, match=rf"cut short, {length} bytes of {len(data)}, "):
            open_dataset(path)
    path.write_bytes(b"")
    with pytest.raises(TrainingError, match="is empty"):
        open_dataset(path)


def test_a_file_cut_short_while_it_is_used_is_an_error_and_no_crash(path: Path) -> None:
    data = open_dataset(path)
    os.truncate(path, 4000)
    with pytest.raises(TrainingError, match="cut short"):
        data.read(np.arange(3))


def test_damage_inside_is_an_error(path: Path) -> None:
    """A chunk is overwritten, as by a bad disk."""
    with h5py.File(path) as file:
        where = file["X"].id.get_chunk_info(5)
    with path.open("r+b") as raw:
        raw.seek(where.byte_offset)
        raw.write(b"\xff" * where.size)
    with pytest.raises(TrainingError, match="cannot be read"):
        open_dataset(path).read(np.arange(N))


RADIOML_2016 = {("QPSK", 2): np.zeros((1, 2, 128), np.float32)}


def tarred(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("RML2016.10a_dict.pkl")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["RML2016.10a_dict.pkl", "RML2016.10b.dat", "set.hdf5"])
@pytest.mark.parametrize("pack", [bytes, bz2.compress, lambda raw: gzip.compress(tarred(raw))])
@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_a_pickle_is_refused_by_what_it_holds_and_not_opened(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes], protocol: int
) -> None:
    (tmp_path / name).write_bytes(pack(pickle.dumps(RADIOML_2016, protocol)))
    with pytest.raises(TrainingError, match=r"pickle.*can run code.*128 samples, not 1024"):
        open_dataset(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x93NUMPY\x01\x00", "is a NumPy array"),
        (b"PK\x03\x04 and so on", "zip archive"),
        (b"MATLAB 5.0 MAT-file", "save it with -v7.3"),
        (b"\n<!doctype html><title>Sign in</title>", "is a web page"),
        (tarred(b"no pickle"), "is a tar archive; unpack it"),
        (gzip.compress(b"\x89HDF", mtime=0), r"compressed \(gzip\); unpack it"),
        (bz2.compress(bytes(9999))[:20], r"compressed \(bzip2\); unpack it"),
        (b"(a text that opens with a bracket", "is not readable HDF5"),
        (b"\x00" * 5000, "is not readable HDF5"),
    ],
)
def test_another_format_is_called_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "set.hdf5").write_bytes(content)
    with pytest.raises(TrainingError, match=words):
        open_dataset(tmp_path / "set.hdf5")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.hdf5 is not there"):
        read_hdf5(tmp_path / "none.hdf5")
    with pytest.raises(TrainingError, match="is a folder"):
        read_hdf5(tmp_path)
