"""The channel: the definition of SNR, unit power, multipath, offsets, the converter."""

from __future__ import annotations

import numpy as np
import pytest

from liveclf.signals.channel import (
    WINDOW,
    add_noise,
    carrier_phase,
    digitise,
    half_width,
    multipath,
    propagate,
    receiver_filter,
)
from liveclf.signals.linear import WORK, ComplexArray
from liveclf.signals.others import white


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def unit(n: int, seed: int = 1) -> ComplexArray:
    x = white(rng(seed), (n, WINDOW))
    return x / np.sqrt(np.mean(np.abs(x) ** 2, axis=1, keepdims=True))


@pytest.mark.parametrize("snr_db", [-10.0, -3.0, 0.0, 7.0, 20.0, 30.0])
def test_snr_is_signal_power_over_noise_power_across_the_band(snr_db: float) -> None:
    x = unit(200)
    noise = add_noise(x, np.full(200, snr_db), rng(2)) - x
    measured_db = 10 * np.log10(np.mean(np.abs(x) ** 2) / np.mean(np.abs(noise) ** 2))
    assert measured_db == pytest.approx(snr_db, abs=0.1)


def test_every_row_gets_its_own_snr_and_its_own_noise() -> None:
    snr_db = np.linspace(-10, 30, 100)
    x = unit(100)
    noise = add_noise(x, snr_db, rng(2)) - x
    measured_db = -10 * np.log10(np.mean(np.abs(noise) ** 2, axis=1))
    assert measured_db == pytest.approx(snr_db, abs=0.6)  # 1024 samples: 0.14 dB sigma
    shape = noise / np.sqrt(np.mean(np.abs(noise) ** 2, axis=1, keepdims=True))
    assert np.abs(shape @ shape.conj().T / WINDOW - np.eye(100)).max() < 0.2
    assert np.abs(np.mean(shape * x.conj(), axis=1)).max() < 0.2  # nor does it copy the signal


def test_noise_is_white_across_the_whole_band() -> None:
    noise = add_noise(np.zeros((400, WINDOW), np.complex64), np.zeros(400), rng())
    spectrum = np.mean(np.abs(np.fft.fft(noise, axis=1)) ** 2, axis=0) / WINDOW
    assert spectrum == pytest.approx(np.ones(WINDOW), abs=0.3)


def test_propagation_cuts_windows_of_unit_mean_power() -> None:
    """However strong the signal came in."""
    x = white(rng(), (300, WORK)) * 10 ** np.linspace(-3, 3, 300)[:, None].astype(np.float32)
    y = propagate(x, rng(2))
    assert y.shape == (300, WINDOW)
    assert y.dtype == np.complex64
    assert np.mean(np.abs(y) ** 2, axis=1) == pytest.approx(np.ones(300), abs=1e-4)


def test_propagation_of_silence_is_silence() -> None:
    assert np.all(propagate(np.zeros((20, WORK), np.complex64), rng()) == 0)


@pytest.mark.parametrize(
    ("room", "furthest"), [(0.02, 0.1), (0.1, 0.1), (0.17, 0.17), (0.25, 0.25), (0.5, 0.25)]
)
def test_carrier_offsets_are_small_for_half_and_as_far_as_there_is_room_for_the_rest(
    room: float, furthest: float
) -> None:
    cycles = carrier_phase(rng(), np.full(1000, room))
    offset = np.abs(cycles[:, -1] - cycles[:, 0]) / (WINDOW - 1)
    assert offset.max() < furthest + 0.002
    assert offset.max() > 0.95 * furthest
    assert np.mean(offset < 0.004) == pytest.approx(0.5 + 0.5 * 0.004 / furthest, abs=0.05)
    wide = offset[offset > 0.01]
    assert np.mean(wide > 0.5 * (0.01 + furthest)) == pytest.approx(0.5, abs=0.07)  # evenly


@pytest.mark.parametrize("edge", [0.05, 0.2, 0.4])
def test_the_half_width_is_where_the_power_ends(edge: float) -> None:
    """Of noise that is filtered hard, 99 % lies within 99 % of its band."""
    spectrum = np.fft.fft(white(rng(), (50, WORK)), axis=1)
    spectrum[:, np.abs(np.fft.fftfreq(WORK)) > edge] = 0
    assert half_width(spectrum) == pytest.approx(np.full(50, 0.99 * edge), rel=0.03)


def test_noise_of_the_receiver_meets_no_paths() -> None:
    """Without paths only edges are filtered: the middle of the band stays flat."""
    x = np.zeros((300, WORK), np.complex64)
    x[:, WORK // 2] = 1
    y = propagate(x, rng(), paths=False)
    spectrum = np.abs(np.fft.fft(y, axis=1))
    middle = np.abs(np.fft.fftfreq(WINDOW)) < 0.1
    assert np.max(spectrum[:, middle].std(axis=1) / spectrum[:, middle].mean(axis=1)) < 0.05
    assert np.std(np.abs(propagate(x, rng())).max(axis=1)) > 0.01  # with them it is not


def test_the_carrier_starts_at_any_phase() -> None:
    start = np.exp(2j * np.pi * carrier_phase(rng(), np.full(2000, 0.1))[:, 0])
    assert abs(start.mean()) < 0.06
    assert abs((start**2).mean()) < 0.06


def test_phase_noise_is_a_slow_walk_that_some_windows_have() -> None:
    """With offset and drift taken off, the rest wanders by a fraction of a turn."""
    cycles = carrier_phase(rng(), np.full(1000, 0.1))
    t = np.arange(WINDOW)
    rest = cycles - np.polynomial.polynomial.polyval(
        t, np.polynomial.polynomial.polyfit(t, cycles.T, 2)
    )
    wander = rest.std(axis=1)
    assert np.mean(wander > 1e-8) == pytest.approx(0.3, abs=0.05)
    assert wander.max() < 0.05


def test_echoes_come_within_four_samples_of_the_first_path() -> None:
    impulse = np.fft.ifft(multipath(rng(), 400), axis=1)
    power = np.abs(impulse) ** 2
    total = power.sum(axis=1)
    near = power[:, :6].sum(axis=1) + power[:, -2:].sum(axis=1)  # fractional delays ring
    assert np.quantile(near / total, 0.02) > 0.93
    assert np.median(power[:, 0] / total) > 0.5
    assert np.mean(total > 1.01) > 0.5  # most rows have an echo at all


def test_multipath_differs_from_row_to_row() -> None:
    response = multipath(rng(), 50)
    assert len(np.unique(np.abs(response[:, 700]).round(4))) > 40
    assert np.median(np.ptp(np.abs(response), axis=1)) > 0.3  # and is frequency selective


def test_the_receiver_filter_is_flat_in_the_middle_and_falls_at_the_edges() -> None:
    response = receiver_filter(rng(), 200)
    f = np.abs(np.fft.fftfreq(WORK))
    assert response[:, f < 0.25].min() > 0.98
    by_frequency = response[:, np.argsort(f, kind="stable")]
    assert np.all(np.diff(by_frequency, axis=1) <= 1e-6)
    assert by_frequency[:, -1].min() < 0.2
    assert by_frequency[:, -1].max() < 0.75


def test_half_the_windows_pass_an_eight_bit_converter() -> None:
    """At most 256 levels of I and of Q, evenly spaced; the others are not quantised."""
    y = digitise(white(rng(), (200, 8192)), np.full(200, 30.0), rng(2))
    n_levels = np.array([[len(np.unique(row.real)), len(np.unique(row.imag))] for row in y])
    quantised = n_levels.max(axis=1) <= 256
    assert np.all(n_levels[~quantised] > 6000)
    assert quantised.mean() == pytest.approx(0.5, abs=0.1)
    assert n_levels[quantised].max() > 200  # some use the whole range
    for row in y[quantised]:
        for part in (row.real, row.imag):
            steps = np.diff(np.unique(part.astype(np.float64)))
            whole = steps / steps.min()
            assert np.allclose(whole, np.rint(whole), atol=0.02)


def test_the_converter_clips_what_is_beyond_its_range() -> None:
    """Peaks far above the mean power still fall on 256 levels."""
    x = white(rng(), (60, 8192))
    x[:, ::97] *= 12
    for row in digitise(x, np.full(60, 30.0), rng(2)):
        levels = np.unique(row.real.astype(np.float64))
        if len(levels) < 1000:
            assert np.ptp(levels) / np.diff(levels).min() < 255.5
            assert np.sum(row.real == levels[-1]) > 5


def test_imbalance_and_dc_stay_weak() -> None:
    """Of a tone, the image and the spike at DC stay 18 dB below it, and some windows have them."""
    tone = np.exp(2j * np.pi * 128 / WINDOW * np.arange(WINDOW)).astype(np.complex64)
    y = digitise(np.repeat(tone[None, :], 400, axis=0), np.full(400, 30.0), rng())
    power = np.abs(np.fft.fft(y, axis=1)) ** 2
    image_db = 10 * np.log10(power[:, -128] / power[:, 128] + 1e-12)
    dc_db = 10 * np.log10(power[:, 0] / power[:, 128] + 1e-12)
    assert image_db.max() < -18
    assert dc_db.max() < -18
    assert np.mean(image_db > -40) == pytest.approx(0.3, abs=0.1)
    assert np.mean(dc_db > -45.5) == pytest.approx(0.3, abs=0.1)


def test_the_converter_does_not_care_how_strong_the_signal_is() -> None:
    """Its gain is set by the signal's power; all else follows from the seed."""
    x = white(rng(), (20, WINDOW))
    assert np.allclose(
        digitise(x, np.zeros(20), rng(2)),
        digitise(x * np.float32(1024), np.zeros(20), rng(2)),
        atol=1e-5,
    )


def test_noise_is_never_weaker_than_the_steps_of_the_converter() -> None:
    """Whatever the SNR, of the windows that are quantised, noise alone has some 0.7 steps."""
    for snr_db in (-np.inf, 0.0, 20.0):
        n = 400
        clean = np.zeros((n, WINDOW)) if snr_db == -np.inf else np.ones((n, WINDOW))
        noise = white(rng(), (n, WINDOW)) * (10 ** (-max(snr_db, 0) / 20))
        y = digitise((clean + noise).astype(np.complex64), np.full(n, snr_db), rng(3))
        quantised = [row for row in y if len(np.unique(row.real)) <= 256]
        steps = [np.diff(np.unique(row.real.astype(np.float64))).min() for row in quantised]
        spread = [np.std(row) for row in quantised]  # of the noise: the carrier is constant
        in_steps = np.array(spread) / np.array(steps)
        assert in_steps.min() > 0.6
        assert np.percentile(in_steps, 90) > 3 * in_steps.min()
