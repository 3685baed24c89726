"""The generator of labelled windows."""

from __future__ import annotations

import numpy as np
import pytest

from liveclf.signals.classes import CLASSES, OTHER_CLASSES
from liveclf.signals.generator import CHUNK, MODULATORS, Labelled, make_chunk, to_rows

SNR_DB = (-6.0, 30.0)


@pytest.fixture(scope="module")
def chunk() -> Labelled:
    return make_chunk(1, 0, SNR_DB)


def test_a_chunk_has_the_promised_shapes_and_types(chunk: Labelled) -> None:
    assert chunk.x.shape == (CHUNK, 2, 1024)
    assert chunk.x.dtype == np.float16
    assert chunk.y.shape == chunk.snr_db.shape == (CHUNK,)
    assert chunk.y.dtype == np.uint8
    assert chunk.snr_db.dtype == np.float32


def test_every_window_is_finite_and_of_unit_mean_power(chunk: Labelled) -> None:
    x = chunk.x.astype(np.float64)
    assert np.all(np.isfinite(x))
    power = np.sum(x**2, axis=(1, 2)) / 1024
    assert power == pytest.approx(np.ones(CHUNK), abs=2e-3)  # float16 keeps 11 bits


def test_classes_come_equally_often_and_in_no_order(chunk: Labelled) -> None:
    counts = np.bincount(chunk.y, minlength=len(CLASSES))
    assert len(counts) == len(CLASSES)
    assert np.ptp(counts) <= 1
    assert len(set(np.diff(chunk.y.astype(int)))) > 30


def test_which_classes_come_once_more_is_drawn_too() -> None:
    """1024 windows are no multiple of 30 classes; over many chunks that evens out."""
    often = {
        tuple(np.flatnonzero(counts == counts.max()))
        for counts in (np.bincount(make_chunk(1, k, SNR_DB).y) for k in range(3))
    }
    assert len(often) > 1


def test_snr_is_drawn_evenly_from_the_range(chunk: Labelled) -> None:
    assert chunk.snr_db.min() >= SNR_DB[0]
    assert chunk.snr_db.max() <= SNR_DB[1]
    quarters = np.histogram(chunk.snr_db, np.linspace(*SNR_DB, 5))[0] / CHUNK
    assert quarters == pytest.approx([0.25] * 4, abs=0.05)


def test_the_same_seed_and_number_give_the_same_windows(chunk: Labelled) -> None:
    again = make_chunk(1, 0, SNR_DB)
    assert np.array_equal(again.x, chunk.x)
    assert np.array_equal(again.y, chunk.y)
    assert np.array_equal(again.snr_db, chunk.snr_db)


@pytest.mark.parametrize(("seed", "index"), [(1, 1), (2, 0)])
def test_another_seed_or_number_gives_others(chunk: Labelled, seed: int, index: int) -> None:
    other = make_chunk(seed, index, SNR_DB)
    assert not np.array_equal(other.y, chunk.y)
    assert not np.any(np.all(other.x == chunk.x, axis=(1, 2)))


def test_no_window_comes_twice(chunk: Labelled) -> None:
    assert len(np.unique(chunk.x[:, :, :8].reshape(CHUNK, -1), axis=0)) == CHUNK


def test_bare_carriers_show_the_snr_they_are_labelled_with() -> None:
    """The label is what is in the window: a line, and the rest of the band is noise."""
    windows, labels = [], []
    for k in range(2):
        made = make_chunk(5, k, (0.0, 20.0))
        cw = made.y == CLASSES.index("CW")
        windows.append(made.x[cw].astype(np.float64))
        labels.append(made.snr_db[cw])
    x = np.concatenate(windows)
    iq = (x[:, 0] + 1j * x[:, 1]) * np.blackman(1024)
    power = np.sort(np.abs(np.fft.fft(iq, axis=1)) ** 2, axis=1)
    # Most bins hold noise alone: their mean from the median of an exponential distribution.
    noise = np.median(power, axis=1) / np.log(2) * 1024
    snr_db = 10 * np.log10(power.sum(axis=1) / noise - 1)
    error = snr_db - np.concatenate(labels)
    assert len(error) > 60
    assert np.median(error) == pytest.approx(0, abs=0.3)
    assert np.quantile(np.abs(error), 0.8) < 1


def test_all_classes_have_a_modulator_and_no_others_do() -> None:
    assert set(MODULATORS) == {*CLASSES, *OTHER_CLASSES}


def test_only_the_classes_asked_for_are_made_and_labelled_by_their_place() -> None:
    made = make_chunk(1, 0, (30.0, 30.0), ("CW", "noise"))
    assert np.bincount(made.y).tolist() == [CHUNK // 2, CHUNK // 2]
    power = np.abs(np.fft.fft(made.x[:, 0] + 1j * made.x[:, 1], axis=1)) ** 2
    strongest = power.max(axis=1) / power.sum(axis=1)
    assert np.median(strongest[made.y == 0]) > 0.3  # a line
    assert strongest[made.y == 1].max() < 0.05


def test_rows_are_i_and_q() -> None:
    rows = to_rows(np.array([[1 + 2j, 3 + 4j]], np.complex64))
    assert rows.dtype == np.float32
    assert rows.tolist() == [[[1, 3], [2, 4]]]
