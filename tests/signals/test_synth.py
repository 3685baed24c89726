"""Data sets of generated windows: the layout, the plan, the processes, and what breaks off."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveclf import __version__
from liveclf.config import SynthDataSettings, SynthSettings, WorkSettings, load
from liveclf.errors import LiveclfError, TrainingError, UsageError
from liveclf.learn.data.feed import HELDOUT_CHUNK
from liveclf.signals import dataset
from liveclf.signals.classes import CLASSES
from liveclf.signals.dataset import FIRST_CHUNK, classes_of, plan, write_dataset
from liveclf.signals.generator import CHUNK, Labelled, make_chunk
from liveclf.signals.workers import in_order

N = CHUNK + 40  # a whole chunk and the beginning of another


def settings(workers: int = 1, **data: Any) -> SynthSettings:
    return SynthSettings(data=SynthDataSettings(**data), work=WorkSettings(workers=workers))


def nothing(_: int) -> None:
    pass


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a set that one process made."""
    path = tmp_path_factory.mktemp("synth") / "alone.hdf5"
    write_dataset(path, settings(windows=N, seed=3), nothing)
    return path


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make windows in this process, and without work: the number of the chunk in I."""

    def chunk(
        seed: int, index: int, snr_db: tuple[float, float], classes: tuple[str, ...]
    ) -> Labelled:
        x = np.zeros((CHUNK, 2, 1024), np.float16)
        x[:, 0] = index - FIRST_CHUNK
        y = np.arange(CHUNK) % len(classes)
        return Labelled(x, y.astype(np.uint8), np.full(CHUNK, snr_db[0], np.float32))

    def one_by_one(make: Callable[[Any], Any], items: Iterable[Any], _: int) -> Iterator[Any]:
        for item in items:
            yield make(item)

    monkeypatch.setattr(dataset, "make_chunk", chunk)
    monkeypatch.setattr(dataset, "in_order", one_by_one)


# -- the file ------------------------------------------------------------------------------


def test_two_processes_write_the_same_file_as_one(alone: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.hdf5"
    told: list[int] = []
    write_dataset(both, settings(2, windows=N, seed=3), told.append)
    assert both.read_bytes() == alone.read_bytes()
    assert told == [CHUNK, 40]
    assert os.listdir(tmp_path) == ["both.hdf5"]


def test_another_seed_writes_other_windows(alone: Path) -> None:
    (part, *_) = plan(SynthDataSettings(windows=8))
    made = dataset._make(part, seed=4, classes=CLASSES)
    with h5py.File(alone) as file:
        assert not np.any(np.all(file["X"][:8] == made.x.transpose(0, 2, 1), axis=(1, 2)))


def test_the_layout_is_that_of_radioml(alone: Path) -> None:
    with h5py.File(alone) as file:
        assert set(file) == {"X", "Y", "Z"}
        x, y, z = (file[name][:] for name in "XYZ")
    assert (x.shape, x.dtype) == ((N, 1024, 2), np.float32)
    assert (y.shape, y.dtype) == ((N, len(CLASSES)), np.int64)
    assert (z.shape, z.dtype) == ((N, 1), np.float32)
    assert np.all(np.sort(y, axis=1) == [0] * (len(CLASSES) - 1) + [1])
    assert np.mean(np.sum(x**2, axis=2), axis=1) == pytest.approx(np.ones(N), abs=2e-3)


def test_the_rows_are_those_of_the_generator_with_i_and_q_side_by_side(alone: Path) -> None:
    """The second chunk begins where the first ends, and is cut off at the end of the set."""
    with h5py.File(alone) as file:
        x, y, z = (file[name][:] for name in "XYZ")
    data = SynthDataSettings()
    made = [make_chunk(3, FIRST_CHUNK + k, (data.snr_min_db, data.snr_max_db)) for k in range(2)]
    for k, chunk in enumerate(made):
        rows = slice(k * CHUNK, min((k + 1) * CHUNK, N))
        n = len(y[rows])
        assert np.array_equal(x[rows, :, 0], chunk.x[:n, 0])
        assert np.array_equal(x[rows, :, 1], chunk.x[:n, 1])
        assert np.array_equal(np.argmax(y[rows], axis=1), chunk.y[:n])
        assert np.array_equal(z[rows, 0], chunk.snr_db[:n])


def test_the_attributes_say_what_it_is_and_how_to_make_it_again(
    alone: Path, tmp_path: Path
) -> None:
    with h5py.File(alone) as file:
        attributes = dict(file.attrs)
    assert json.loads(attributes["classes"]) == list(CLASSES)
    assert attributes["seed"] == 3
    assert attributes["liveclf"] == __version__
    toml = tmp_path / "again.toml"
    toml.write_text(attributes["settings"])
    assert load(SynthSettings, toml, {}).data == SynthDataSettings(windows=N, seed=3)


@pytest.mark.usefixtures("cheap")
def test_float16_takes_half_the_room_and_holds_the_same(tmp_path: Path) -> None:
    wide, narrow = tmp_path / "wide.hdf5", tmp_path / "narrow.hdf5"
    write_dataset(wide, settings(windows=N), nothing)
    write_dataset(narrow, settings(windows=N, dtype="float16"), nothing)
    with h5py.File(wide) as a, h5py.File(narrow) as b:
        assert (a["X"].dtype, b["X"].dtype) == (np.float32, np.float16)
        assert all(np.array_equal(a[name][:], b[name][:]) for name in "XYZ")
        assert set(b["X"][:, 0, 0]) == {0, 1}
    assert wide.stat().st_size - narrow.stat().st_size == N * 1024 * 2 * 2


@pytest.mark.usefixtures("cheap")
def test_only_the_classes_that_were_asked_for_are_columns(tmp_path: Path) -> None:
    path = tmp_path / "few.hdf5"
    write_dataset(path, settings(windows=30, classes="FM, OOK,8PSK"), nothing)
    with h5py.File(path) as file:
        assert json.loads(file.attrs["classes"]) == ["FM", "OOK", "8PSK"]
        assert np.array_equal(np.argmax(file["Y"][:], axis=1), np.arange(30) % 3)


def test_the_generator_makes_only_those_and_counts_in_their_order() -> None:
    part = dataset.Part(FIRST_CHUNK, (30.0, 30.0), 64)
    made = dataset._make(part, seed=1, classes=("CW", "4FSK"))
    assert len(made.x) == len(made.snr_db) == 64
    assert set(made.y) == {0, 1}
    line = np.abs(np.fft.fft(made.x[:, 0] + 1j * made.x[:, 1], axis=1)).max(axis=1)
    assert line[made.y == 0].min() > 2 * np.median(line[made.y == 1])  # a carrier is one line


# -- the plan ------------------------------------------------------------------------------


@given(
    windows=st.integers(1, 20_000),
    n_levels=st.integers(1, 30),
    step=st.sampled_from([0.1, 0.25, 1.0, 2.0, 2.7]),
)
def test_every_level_of_snr_comes_equally_often_and_in_chunks_of_its_own(
    windows: int, n_levels: int, step: float
) -> None:
    highest = -10 + (n_levels - 1) * step
    data = SynthDataSettings(
        windows=windows, snr_min_db=-10.0, snr_max_db=highest, snr_step_db=step
    )
    if windows < n_levels:
        with pytest.raises(UsageError, match=f"makes {n_levels} levels of SNR, more than"):
            list(plan(data))
        return
    parts = list(plan(data))
    assert [part.index for part in parts] == list(range(FIRST_CHUNK, FIRST_CHUNK + len(parts)))
    assert all(0 < part.n <= CHUNK and part.snr_db[0] == part.snr_db[1] for part in parts)
    often: Counter[float] = Counter()
    for part in parts:
        often[part.snr_db[0]] += part.n
    assert sorted(often) == pytest.approx([-10 + k * step for k in range(n_levels)])
    assert often.total() == windows
    assert max(often.values()) - min(often.values()) <= 1


def test_without_steps_every_chunk_has_the_whole_range() -> None:
    parts = list(plan(SynthDataSettings(windows=2500, snr_min_db=1.0, snr_max_db=5.0)))
    assert [(p.snr_db, p.n) for p in parts] == [((1.0, 5.0), n) for n in (1024, 1024, 452)]


def test_no_data_set_shares_a_chunk_with_training_or_its_validation() -> None:
    """There are 10^9 chunks, of 10^12 windows, for each."""
    assert FIRST_CHUNK >= HELDOUT_CHUNK + 1_000_000_000


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ("OOK,BPSQ", "'BPSQ' is not known; choose from OOK, 4ASK,"),
        ("OOK,", "'' is not known"),
        ("OOK,CW,OOK", "name each class once"),
    ],
)
def test_classes_that_cannot_be_made_are_refused(classes: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        classes_of(SynthDataSettings(classes=classes))
    with pytest.raises(UsageError, match=words):
        write_dataset(tmp_path / "set.hdf5", settings(classes=classes), nothing)
    assert os.listdir(tmp_path) == []


# -- what breaks off -----------------------------------------------------------------------


@pytest.mark.usefixtures("cheap")
def test_a_run_that_is_broken_off_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "set.hdf5"
    path.write_bytes(b"the one before")

    def interrupt(_: int) -> None:
        assert sorted(os.listdir(tmp_path)) == ["set.hdf5", "set.hdf5.part"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(path, settings(windows=N), interrupt)
    assert os.listdir(tmp_path) == ["set.hdf5"]
    assert path.read_bytes() == b"the one before"
    write_dataset(path, settings(windows=N), nothing)
    assert h5py.is_hdf5(path)


@pytest.mark.usefixtures("cheap")
def test_a_disk_without_room_for_it_is_noticed_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bytes_of_a_row = 1024 * 2 * 4 + len(CLASSES) * 8 + 4
    free = N * bytes_of_a_row - 1
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TrainingError, match=r"needs 0\.00898 GB, and 0\.00898 GB are free; make"):
        write_dataset(tmp_path / "set.hdf5", settings(windows=N), nothing)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="sets a limit on the size of files")
@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("after", [0, 1])
def test_a_disk_that_runs_full_is_one_sentence_and_leaves_nothing(
    after: int, tmp_path: Path
) -> None:
    """A limit on the size of a file stands for it, from the start or after a few parts."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(_: int = 0) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (CHUNK * 1024 * 8, before[1]))

    if after == 0:
        limit()
    try:
        with pytest.raises(TrainingError, match=r"set\.hdf5 cannot be written: File too large\."):
            write_dataset(tmp_path / "set.hdf5", settings(windows=4 * CHUNK), limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("cheap")
def test_the_unfinished_file_of_another_run_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "set.hdf5"
    beside = tmp_path / "set.hdf5.part"
    beside.write_bytes(b"of another")
    with pytest.raises(TrainingError, match=r"set\.hdf5\.part is there: either another run"):
        write_dataset(path, settings(windows=N), nothing)
    assert beside.read_bytes() == b"of another"


@pytest.mark.usefixtures("cheap")
def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be written: No such file or directory"):
        write_dataset(tmp_path / "no" / "set.hdf5", settings(windows=N), nothing)


# -- the processes -------------------------------------------------------------------------


def test_results_come_in_order_and_no_more_than_a_few_ahead() -> None:
    taken: list[int] = []

    def counting() -> Iterator[int]:
        for k in range(40):
            taken.append(k)
            yield -k

    results = in_order(abs, counting(), workers=2)
    assert next(results) == 0
    assert len(taken) == 5
    assert list(results) == list(range(1, 40))


@pytest.mark.timeout(60)
def test_what_is_being_made_is_not_waited_for_when_it_is_not_wanted() -> None:
    results = in_order(time.sleep, [0, 300, 300, 300], workers=1)
    next(results)
    results.close()


def test_a_process_that_is_killed_is_one_sentence() -> None:
    with pytest.raises(LiveclfError, match="was killed, perhaps for want of memory; try fewer"):
        list(in_order(os._exit, [1], workers=1))
