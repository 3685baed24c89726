"""Batches for training: the same for any number of workers, and for a resumed run."""

from __future__ import annotations

import os
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray
from tones import Tones

from liveclf.config import DataSettings
from liveclf.errors import TrainingError
from liveclf.learn.data.feed import HELDOUT_CHUNK, Feed, GeneratedChunks, heldout
from liveclf.records import FloatArray
from liveclf.signals.generator import CHUNK, make_chunk

# Two chunks in the pool, of 1024 windows; a step uses 512, and a window is used twice on
# average: every four steps a chunk is replaced.
SEED, BATCH, STEPS = 5, 512, 12
SNR_DB = (-6.0, 30.0)
CHUNKS = Tones(SEED)

Batches = list[tuple[FloatArray, NDArray[np.int32]]]


def data(workers: int = 1) -> DataSettings:
    return DataSettings(
        snr_min_db=SNR_DB[0],
        snr_max_db=SNR_DB[1],
        pool_windows=2 * CHUNK,
        reuse=2.0,
        workers=workers,
    )


def batches(n: int, workers: int = 1, first_step: int = 0) -> Batches:
    with Feed(CHUNKS, data(workers), SEED, BATCH, first_step) as feed:
        return list(islice(iter(feed), n))


def same(a: Batches, b: Batches) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(xa, xb) and np.array_equal(ya, yb)
        for (xa, ya), (xb, yb) in zip(a, b, strict=True)
    )


@pytest.fixture(scope="module")
def alone() -> Batches:
    """Return what one worker gives."""
    return batches(STEPS)


@pytest.fixture(scope="module")
def envelopes() -> NDArray[np.float64]:
    """Return |x|^2 of the first samples of every window of chunks 0 to 3, (4 * CHUNK, 24)."""
    x = np.concatenate([CHUNKS(k).x[:, :, :24] for k in range(4)])
    return np.asarray(np.sum(x.astype(np.float64) ** 2, axis=1))


def origins(x: FloatArray, envelopes: NDArray[np.float64]) -> tuple[NDArray[np.int64], float]:
    """Find which made window each is, by its envelope; a turn of phase leaves that."""
    mine = np.sum(x[:, :, :24].astype(np.float64) ** 2, axis=1)
    distance = (mine**2).sum(axis=1)[:, None] + (envelopes**2).sum(axis=1) - 2 * mine @ envelopes.T
    return np.argmin(distance, axis=1), float(np.abs(distance.min(axis=1)).max())


def test_two_workers_give_what_one_gives(alone: Batches) -> None:
    assert same(batches(STEPS, workers=2), alone)


def test_started_later_it_gives_what_it_would_have_come_to(alone: Batches) -> None:
    """This is what lets a resumed run see the data of an uninterrupted one."""
    assert same(batches(STEPS - 5, first_step=5), alone[5:])


@pytest.mark.timeout(60)
def test_a_late_start_does_not_make_again_what_has_left_the_pool() -> None:
    """Of the thousand chunks that were used up before, not one is made."""
    x, y = batches(1, first_step=4000)[0]
    made = [CHUNKS(k) for k in (1000, 1001)]
    windows = np.concatenate([m.x[:, :, :24] for m in made]).astype(np.float64)
    which, distance = origins(x, np.sum(windows**2, axis=1))
    assert distance < 1e-3
    assert np.array_equal(y, np.concatenate([m.y for m in made])[which])


def test_batches_have_the_shapes_and_types_of_the_network(alone: Batches) -> None:
    for x, y in alone:
        assert x.shape == (BATCH, 2, 1024)
        assert x.dtype == np.float32
        assert y.shape == (BATCH,)
        assert y.dtype == np.int32


def test_no_two_batches_are_alike(alone: Batches) -> None:
    assert len({y.tobytes() for _, y in alone}) == STEPS
    assert len({x.tobytes() for x, _ in alone}) == STEPS


def test_windows_keep_their_label_and_get_a_new_phase(
    alone: Batches, envelopes: NDArray[np.float64]
) -> None:
    x, y = alone[0]
    which, distance = origins(x, envelopes)
    assert distance < 1e-3
    made = [CHUNKS(k) for k in range(2)]
    labels = np.concatenate([m.y for m in made])
    assert np.array_equal(y, labels[which])
    windows = np.concatenate([m.x for m in made])[which].astype(np.float64)
    before, after = (w[:, 0] + 1j * w[:, 1] for w in (windows, x.astype(np.float64)))
    turn = np.sum(after * before.conj(), axis=1) / 1024
    assert np.abs(turn) == pytest.approx(np.ones(BATCH), abs=2e-3)  # a turn and nothing else
    assert abs(np.mean(turn)) < 0.2  # anywhere on the circle
    assert len(np.unique(turn.round(6))) == BATCH


def test_the_pool_is_renewed_as_it_is_used(alone: Batches, envelopes: NDArray[np.float64]) -> None:
    """Every four steps the oldest chunk makes room for the next."""
    for step, (x, _) in enumerate(alone):
        which, _ = origins(x, envelopes)
        oldest = step // 4
        assert set(which // CHUNK) == {oldest, oldest + 1}
        assert len(set(which)) > 0.75 * BATCH  # drawn from all over them


def test_a_feed_can_be_closed_before_it_is_used_and_twice() -> None:
    feed = Feed(CHUNKS, data(), SEED, BATCH)
    feed.close()
    feed.close()


def test_generated_chunks_are_those_of_the_generator() -> None:
    made, wanted = GeneratedChunks(SEED, SNR_DB)(7), make_chunk(SEED, 7, SNR_DB)
    assert np.array_equal(made.x, wanted.x)
    assert np.array_equal(made.y, wanted.y)


class Dying:
    """Chunks whose making takes the process down, as the system does when memory ends."""

    def __call__(self, index: int) -> None:
        os._exit(9)


def test_a_process_that_is_killed_is_a_training_error() -> None:
    with (
        Feed(Dying(), data(), SEED, BATCH) as feed,
        pytest.raises(TrainingError, match="was killed, perhaps for want of memory") as caught,
    ):
        next(iter(feed))
    assert "\n" not in str(caught.value)


def test_a_process_is_sent_its_source_once() -> None:
    """Labels of a file of 20 GB are tens of megabytes."""
    source = Heavy()
    with Feed(source, data(), SEED, BATCH) as feed:
        for _ in islice(iter(feed), 9):
            pass
    assert source.sent == 1


class Heavy(Tones):
    """Chunks that count how often they are sent."""

    sent = 0

    def __reduce__(self) -> tuple[type[Tones], tuple[int]]:
        Heavy.sent += 1
        return Tones, (1,)


def test_held_out_windows_are_whole_chunks_that_training_never_reaches() -> None:
    settings = DataSettings(heldout_windows=1500, snr_min_db=0.0, snr_max_db=10.0)
    made = heldout(settings, seed=3)
    assert len(made.x) == len(made.y) == len(made.snr_db) == 2 * CHUNK
    assert made.snr_db.min() >= 0
    assert made.snr_db.max() <= 10
    wanted = make_chunk(3, HELDOUT_CHUNK + 1, (0.0, 10.0))
    assert np.array_equal(made.x[CHUNK:], wanted.x)
    # The most that a run may use: 10^9 windows at 1024 a chunk, each seen once.
    assert HELDOUT_CHUNK > 1e9 / CHUNK
