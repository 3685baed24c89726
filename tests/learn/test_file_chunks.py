"""Chunks of training windows out of a file."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.errors import TrainingError
from liveclf.learn.data.datasets import BLOCK, Dataset, FileChunks, open_dataset
from liveclf.learn.data.layout import Layout, StoredWindows
from liveclf.signals.generator import CHUNK

N = 1500


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return windows in which the angle of every sample is that of its row."""
    path = tmp_path_factory.mktemp("chunks") / "set.hdf5"
    turn = np.exp(2j * np.pi * np.arange(N) / N)
    with h5py.File(path, "w") as file:
        file["X"] = np.repeat(turn[:, None], 1024, axis=1).astype(np.complex64)
        file["Y"] = np.arange(N) // 300
        file["Z"] = np.arange(N) % 7
    return open_dataset(path)


def without_file(n: int) -> Dataset:
    """Return a data set whose windows are nowhere, for the order of rows alone."""
    y = np.arange(n, dtype=np.int32) % 2
    windows = StoredWindows(Path("none"), n, Layout("", (), None, 0.0))
    unknown = np.full(n, np.nan, np.float32)
    return Dataset(Path("none"), ("A", "B"), y, unknown, {}, windows, ())


@settings(deadline=None, max_examples=30)
@given(n=st.integers(2, 3000), seed=st.integers(0, 9))
def test_every_pass_takes_every_row_once_in_blocks_of_neighbours(n: int, seed: int) -> None:
    """Also when the rows do not fill a chunk, or no whole number of blocks."""
    chunks = FileChunks(without_file(n), np.arange(n), seed)
    n_passes = 3
    n_chunks = -(-n_passes * n // CHUNK)
    parts = [chunks.rows_of(k) for k in range(n_chunks)]
    assert [len(part) for part in parts] == [CHUNK] * n_chunks
    places = np.concatenate(parts)
    orders = [places[n * k : n * (k + 1)] for k in range(n_passes)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(n))
        starts = np.flatnonzero(np.diff(order, prepend=-2) != 1)
        assert np.all(order[starts] % BLOCK == 0)
    if n > 12 * BLOCK:  # some seeds shuffle a few blocks into the same order again
        assert not np.array_equal(orders[0], orders[1])
        assert not np.array_equal(orders[0], np.arange(n))


def test_the_order_hangs_on_seed_and_chunk_alone() -> None:
    rows = np.arange(5000)
    chunks, again = (FileChunks(without_file(5000), rows, 3) for _ in range(2))
    assert [chunks.rows_of(k).tolist() for k in (0, 1, 9)] == [
        again.rows_of(k).tolist() for k in (9, 1, 0)
    ][::-1]
    other = FileChunks(without_file(5000), rows, 4)
    assert other.rows_of(0).tolist() != chunks.rows_of(0).tolist()


def test_a_chunk_holds_windows_labels_and_snr_of_the_same_rows(data: Dataset) -> None:
    rows = np.flatnonzero(np.arange(N) % 5 != 2)
    chunk = FileChunks(data, rows, 1)(0)
    assert (chunk.x.shape, chunk.x.dtype) == ((CHUNK, 2, 1024), np.float16)
    angle = np.arctan2(*chunk.x[:, ::-1].astype(np.float64).mean(axis=2).T)
    seen = np.round(angle / (2 * np.pi) * N).astype(int) % N
    assert set(seen) <= set(rows)
    assert len(set(seen)) == CHUNK
    assert chunk.y.tolist() == (seen // 300).tolist()
    assert chunk.snr_db.tolist() == (seen % 7).tolist()
    assert len(set(chunk.y)) == 5  # though the file is sorted by class


def test_workers_that_know_nothing_give_the_same(data: Dataset) -> None:
    chunks = FileChunks(data, np.arange(N), 2)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = list(pool.map(chunks, range(2)))
    for k, chunk in enumerate(there):
        here = chunks(k)
        assert np.array_equal(chunk.x, here.x)
        assert np.array_equal(chunk.y, here.y)
        assert np.array_equal(chunk.snr_db, here.snr_db)


def test_what_goes_to_a_worker_is_a_few_bytes_a_row_and_not_the_windows(data: Dataset) -> None:
    assert len(pickle.dumps(FileChunks(data, np.arange(N), 2))) < 20 * N + 2000


def test_rows_of_one_class_or_none_are_refused(data: Dataset) -> None:
    with pytest.raises(TrainingError, match="all of one class, class 1; add windows of another"):
        FileChunks(data, np.arange(300, 600), 1)
    with pytest.raises(TrainingError, match="no windows left to train on"):
        FileChunks(data, np.array([], int), 1)


def test_an_unusable_window_is_named_by_its_row_in_the_file(tmp_path: Path) -> None:
    x = np.ones((200, 1024, 2), np.float32)
    x[137, 5, 0] = np.nan
    with h5py.File(tmp_path / "set.hdf5", "w") as file:
        file["X"], file["Y"] = x, np.arange(200) % 2
    chunks = FileChunks(open_dataset(tmp_path / "set.hdf5"), np.arange(100, 200), 1)
    with pytest.raises(TrainingError, match=r"set\.hdf5: the window at row 137 of X holds NaN"):
        chunks(0)
