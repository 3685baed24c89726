"""Train, validation and test: shares, strata, and what is written down."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from liveclf.errors import TrainingError, UsageError
from liveclf.learn.data.datasets import Dataset, open_dataset
from liveclf.learn.data.split import Split, make_split, read_split, write_split


def parts_of(split: Split) -> tuple[NDArray[np.int64], ...]:
    return split.train, split.validation, split.test


def radioml(per_cell: int, n_classes: int = 24) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return labels and SNR sorted as RadioML 2018.01A is."""
    snr_db = np.repeat(np.arange(-20, 32, 2), per_cell)
    return np.repeat(np.arange(n_classes), len(snr_db)), np.tile(snr_db, n_classes).astype("f4")


def test_every_class_at_every_snr_is_split_alike() -> None:
    """15 % test, then 15 % of the rest for validation, as in the posted split."""
    y, snr_db = radioml(40)
    split = make_split(y, snr_db, 1, 0.15, 0.15)
    assert np.array_equal(np.sort(np.concatenate(parts_of(split))), np.arange(len(y)))
    for part, share in zip(parts_of(split), (0.7225, 0.1275, 0.15), strict=True):
        assert part.dtype == np.int64
        assert np.all(np.diff(part) > 0)
        cells = np.unique([y[part], snr_db[part]], axis=1, return_counts=True)[1]
        assert len(cells) == 24 * 26
        assert np.all(np.abs(cells - 40 * share) <= 1)
        assert np.all(np.abs(np.bincount(y[part]) - 26 * 40 * share) <= 2)
        assert len(part) == pytest.approx(len(y) * share, abs=1)


@settings(deadline=None, max_examples=30)
@given(
    cells=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([0.0, 10.0, np.nan]), st.integers(1, 12)),
        min_size=1,
        max_size=20,
    ),
    shares=st.sampled_from([(0.15, 0.15), (0.5, 0.5), (0.3, 0.0), (0.0, 0.2)]),
    seed=st.integers(0, 5),
)
def test_nothing_is_lost_or_doubled_and_shares_are_met(
    cells: list[tuple[int, float, int]], shares: tuple[float, float], seed: int
) -> None:
    y = np.concatenate([np.full(n, k) for k, _, n in cells])
    snr_db = np.concatenate([np.full(n, snr) for _, snr, n in cells]).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(y))
    y, snr_db = y[order], snr_db[order]
    try:
        split = make_split(y, snr_db, seed, *shares)
    except TrainingError:
        assert len(y) < 25  # so few that a share of them is none, or none may be held back
        return
    assert np.array_equal(np.sort(np.concatenate(parts_of(split))), np.arange(len(y)))
    assert set(y[split.train]) == set(y)
    level = np.nan_to_num(snr_db, nan=-1)
    for k, snr in set(zip(y.tolist(), level.tolist(), strict=True)):
        inside = (y == k) & (level == snr)
        if inside.sum() >= 2:
            assert inside[split.train].any()
    # A share can be missed only where the windows to train on are too few for it.
    n_test = round(shares[0] * len(y))
    assert len(split.test) <= n_test
    if shares == (0.15, 0.15) and min(np.bincount(y)[np.unique(y)]) > 8:
        assert len(split.test) == n_test
        assert len(split.validation) == round(shares[1] * (len(y) - n_test))


@pytest.mark.parametrize("per_cell", [2, 3])
def test_a_class_at_an_snr_keeps_a_window_to_train_on(per_cell: int) -> None:
    y, snr_db = radioml(per_cell, 5)
    split = make_split(y, snr_db, 1, 0.4, 0.4)
    assert len(split.test) == round(0.4 * len(y))
    assert len(np.unique([y[split.train], snr_db[split.train]], axis=1).T) == 5 * 26


def test_a_class_keeps_a_window_to_train_on() -> None:
    """Also where it has only one, or one at every SNR."""
    y = np.array([0] * 10 + [1] + [2] * 2)
    snr_db = np.arange(len(y), dtype=np.float32)
    for seed in range(10):
        assert set(y[make_split(y, snr_db, seed, 0.5, 0.5).train]) == {0, 1, 2}


def test_a_continuous_snr_is_split_as_well() -> None:
    """No two windows of a generated set have the same; whole decibels are alike."""
    rng = np.random.default_rng(1)
    y = np.repeat(np.arange(4), 1000)
    snr_db = rng.uniform(0, 10, 4000).astype(np.float32)
    split = make_split(y, snr_db, 1, 0.15, 0.15)
    assert np.bincount(y[split.test]).tolist() == [150] * 4
    whole = np.round(snr_db)
    for level in range(11):
        held = np.count_nonzero(whole[split.test] == level)
        assert held == pytest.approx(0.15 * np.count_nonzero(whole == level), abs=4)


def test_single_windows_are_not_all_from_the_first_classes() -> None:
    """One window of every class at every SNR: equals are settled by the seed."""
    y, snr_db = radioml(1)
    split = make_split(y, snr_db, 1, 0.15, 0.15)
    assert len(split.test) == round(0.15 * len(y))
    assert np.bincount(y[split.test], minlength=24).min() >= 3  # of 3.9
    assert len(set(snr_db[split.test])) > 20


def test_the_seed_decides() -> None:
    y, snr_db = radioml(10, 3)
    first, again, other = (make_split(y, snr_db, seed, 0.15, 0.15) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(parts_of(first), parts_of(again), strict=True))
    assert not np.array_equal(first.test, other.test)
    # Drawn, not cut: a stretch of the file would be windows that were made together.
    assert len(set(first.test % 10)) == 10


def test_too_few_windows_to_hold_back_are_refused() -> None:
    with pytest.raises(TrainingError, match="3 windows are too few to hold back 15% of"):
        make_split(np.array([0, 1, 2]), np.zeros(3, np.float32), 1, 0.15, 0.15)
    split = make_split(np.array([0, 1, 2]), np.zeros(3, np.float32), 1, 0, 0)
    assert split.train.tolist() == [0, 1, 2]


def dataset(path: Path, seed: int = 0, n: int = 60) -> Dataset:
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        file["X"] = rng.normal(size=(n, 1024, 2)).astype(np.float16)
        file["Y"] = np.arange(n) % 3
    return open_dataset(path)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return dataset(tmp_path / "a.hdf5")


@pytest.fixture
def written(tmp_path: Path, data: Dataset) -> Path:
    split = make_split(data.y, data.snr_db, 1, 0.15, 0.15)
    write_split(tmp_path / "split.npz", split, data)
    return tmp_path / "split.npz"


def test_a_split_comes_back_as_it_was_written(data: Dataset, written: Path) -> None:
    split = make_split(data.y, data.snr_db, 1, 0.15, 0.15)
    back = read_split(written, data)
    for a, b in zip(parts_of(split), parts_of(back), strict=True):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)
    assert [path.name for path in written.parent.glob("*.npz")] == ["split.npz"]


def test_a_split_can_be_read_without_this_program(data: Dataset, written: Path) -> None:
    with np.load(written, allow_pickle=False) as file:
        names, parts = file["part_names"].tolist(), file["part"]
    test = np.flatnonzero(parts == names.index("test"))
    assert test.tolist() == read_split(written, data).test.tolist()


@pytest.mark.parametrize(("seed", "n"), [(1, 60), (0, 61)])
def test_a_split_of_another_file_is_refused_with_both_names(
    tmp_path: Path, written: Path, seed: int, n: int
) -> None:
    other = dataset(tmp_path / "b.hdf5", seed, n)
    words = rf"split\.npz is of a\.hdf5 with 60 windows, not of .*b\.hdf5 with {n} as"
    with pytest.raises(UsageError, match=words):
        read_split(written, other)


def test_a_file_that_was_moved_is_the_same(tmp_path: Path, data: Dataset, written: Path) -> None:
    data.path.rename(tmp_path / "c.hdf5")
    assert len(read_split(written, open_dataset(tmp_path / "c.hdf5")).test) == 9


def damaged(written: Path, **change: object) -> None:
    with np.load(written) as file:
        arrays = dict(file) | change
    np.savez(written, **{key: value for key, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    "change",
    [
        {"part": None},
        {"fingerprint": None},
        {"part": np.full(60, 3, np.uint8)},
        {"part": np.zeros((60, 1), np.uint8)},
        {"part": np.zeros(60)},
        {"part_names": np.array(["test", "validation", "train"])},
        {"part": np.array([{}] * 60, dtype=object)},  # would be a pickle
    ],
)
def test_a_damaged_split_is_refused(
    data: Dataset, written: Path, change: dict[str, object]
) -> None:
    damaged(written, **change)
    with pytest.raises(TrainingError, match=r"split\.npz is damaged"):
        read_split(written, data)


def test_a_split_that_is_cut_short_or_gone_is_refused(data: Dataset, written: Path) -> None:
    content = written.read_bytes()
    for length in (0, 3, 100, len(content) - 1):
        written.write_bytes(content[:length])
        with pytest.raises(TrainingError, match=r"split\.npz is damaged"):
            read_split(written, data)
    written.write_bytes(content[:200] + bytes(20) + content[220:])
    with pytest.raises(TrainingError, match=r"split\.npz is damaged"):
        read_split(written, data)
    written.unlink()
    with pytest.raises(TrainingError, match=r"split\.npz is not there"):
        read_split(written, data)


def test_a_split_that_cannot_be_written_is_an_error(tmp_path: Path, data: Dataset) -> None:
    split = make_split(data.y, data.snr_db, 1, 0.15, 0.15)
    with pytest.raises(TrainingError, match=r"split\.npz cannot be written: No such file"):
        write_split(tmp_path / "none" / "split.npz", split, data)
