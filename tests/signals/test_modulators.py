"""Modulators, each by a property that a receiver for it relies on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from liveclf.signals.analog import am
from liveclf.signals.angle import fm, fsk, lora
from liveclf.signals.audio import audio
from liveclf.signals.classes import CLASSES
from liveclf.signals.constellations import CONSTELLATIONS
from liveclf.signals.generator import MODULATORS
from liveclf.signals.linear import WORK, ComplexArray, _shaped, _synthesise, linear
from liveclf.signals.others import carrier, ofdm, receiver_noise, white

Complex = NDArray[np.complex128]


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def hertz(x: ComplexArray) -> NDArray[np.float64]:
    """Return the frequency from each sample to the next, cycles per sample."""
    x = np.asarray(x, np.complex128)
    return np.angle(x[..., 1:] * x[..., :-1].conj()) / (2 * np.pi)


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_has_a_modulator_that_fills_its_rows(name: str) -> None:
    x = MODULATORS[name](rng(), 6)
    power = np.mean(np.abs(x) ** 2, axis=1)
    assert x.shape == (6, WORK)
    assert x.dtype == np.complex64
    assert np.all(np.isfinite(x))
    assert np.all(power > 1e-4)
    apart = np.mean(np.abs(x[:, None] - x[None, :]) ** 2, axis=2) + 10 * np.eye(6)
    assert apart.min() > 1e-3, "two rows are the same signal"


@pytest.mark.parametrize(
    "make",
    [
        lambda: fsk("GMSK", rng(), 20),
        lambda: fsk("2FSK", rng(), 20),
        lambda: fsk("4FSK", rng(), 20),
        lambda: fm(rng(), 20),
        lambda: lora(rng(), 20),
        lambda: carrier(rng(), 20),
    ],
    ids=["GMSK", "2FSK", "4FSK", "FM", "LoRa", "CW"],
)
def test_what_modulates_the_angle_has_a_constant_envelope(
    make: Callable[[], ComplexArray],
) -> None:
    assert np.allclose(np.abs(make()), 1, atol=1e-6)


# ---------------------------------------------------------------- linear


def rrc_impulse(t: NDArray[np.float64], rolloff: float) -> NDArray[np.float64]:
    """Root raised cosine in the time domain, t in symbols (Proakis 9.2-29 in closed form)."""
    a, t = rolloff, np.where(np.abs(t) < 1e-9, 1e-9, t)
    t = np.where(np.abs(np.abs(4 * a * t) - 1) < 1e-9, t + 1e-7, t)
    top = np.sin(np.pi * t * (1 - a)) + 4 * a * t * np.cos(np.pi * t * (1 + a))
    return top / (np.pi * t * (1 - (4 * a * t) ** 2))


def matched_output(x: Complex, n_symbols: int, rolloff: float, late: float) -> Complex:
    """Correlate one period with the pulse at every symbol instant, `late` symbols late."""
    position = np.arange(len(x)) * n_symbols / len(x)
    distance = position[None, :] - (np.arange(n_symbols) + late)[:, None]
    distance = (distance + n_symbols / 2) % n_symbols - n_symbols / 2
    return rrc_impulse(distance, rolloff) @ x * (n_symbols / len(x))


@pytest.mark.parametrize(("n_symbols", "rolloff"), [(256, 0.1), (300, 0.35), (137, 0.5)])
@pytest.mark.parametrize("name", ["BPSK", "16QAM", "128APSK"])
def test_a_matched_filter_brings_the_symbols_back(
    name: str, n_symbols: int, rolloff: float
) -> None:
    """Nyquist: no intersymbol interference at the symbol instants, at any samples per symbol."""
    make, order = CONSTELLATIONS[name]
    symbols = make(order, rng())[rng(2).integers(order, size=n_symbols)]
    bins = _shaped(symbols, rolloff, matched=False, delay=0.3, staggered=False)
    x = _synthesise(bins, WORK) * (WORK / n_symbols)
    found = matched_output(x, n_symbols, rolloff, late=0.3)
    evm = np.sqrt(np.mean(np.abs(found - symbols) ** 2))
    assert evm < 0.02
    # At half a symbol off there is no eye: the measure can tell.
    missed = matched_output(x, n_symbols, rolloff, late=0.8)
    assert np.sqrt(np.mean(np.abs(missed - symbols) ** 2)) > 0.3


def test_a_raised_cosine_has_the_symbols_in_its_own_samples() -> None:
    """With the receiver's filter included, every eighth sample is a symbol."""
    symbols = CONSTELLATIONS["64QAM"][0](64, rng())[rng(2).integers(64, size=256)]
    bins = _shaped(symbols, 0.25, matched=True, delay=0.0, staggered=False)
    x = _synthesise(bins, WORK) * (WORK / 256)
    assert np.allclose(x[::8], symbols, atol=1e-9)


@pytest.mark.parametrize("rolloff", [0.1, 0.5])
def test_the_pulse_keeps_within_its_bandwidth(rolloff: float) -> None:
    """99 % of the power, and with this exact pulse nearly all, within (1 + rolloff) / sps."""
    symbols = CONSTELLATIONS["QPSK"][0](4, rng())[rng(2).integers(4, size=256)]
    x = _synthesise(_shaped(symbols, rolloff, False, 0.0, False), WORK)
    power = np.abs(np.fft.fft(x)) ** 2
    f = np.abs(np.fft.fftfreq(WORK)) * 8  # in symbol rates: 8 samples per symbol
    inside = power[f <= (1 + rolloff) / 2].sum() / power.sum()
    core = power[f <= (1 - rolloff) / 2].sum() / power.sum()
    assert inside > 0.99
    assert core < 0.96  # the skirts are there: it is no brick wall


def rectangular_rows(name: str, n: int = 40, length: int = 8192) -> list[Complex]:
    """Return the signals that hold each symbol: those of few distinct values."""
    rows = linear(name, rng(), n, length).astype(np.complex128)
    return [x for x in rows if len(np.unique(x.round(5))) <= CONSTELLATIONS[name][1]]


@pytest.mark.parametrize("name", ["BPSK", "8PSK", "16QAM", "32QAM", "64QAM", "4ASK", "OOK"])
def test_rectangular_pulses_hold_the_points_of_the_constellation(name: str) -> None:
    """All points appear, about equally often, at unit mean power."""
    rows = rectangular_rows(name)
    assert 2 <= len(rows) <= 30
    order = CONSTELLATIONS[name][1]
    for x in rows:
        points, counts = np.unique(x.round(5), return_counts=True)
        assert len(points) == order
        assert np.mean(np.abs(points) ** 2) == pytest.approx(1, abs=1e-3)
        assert counts.min() > 0.2 * counts.mean()


@pytest.mark.parametrize(
    ("name", "c40", "c42"),
    [("BPSK", 2, -2), ("QPSK", 1, -1), ("16QAM", 0.68, -0.68), ("64QAM", 0.619, -0.619)],
)
def test_the_sent_symbols_have_the_cumulants_of_the_literature(
    name: str, c40: float, c42: float
) -> None:
    """Swami and Sadler, table I: the symbols are independent and equally likely."""
    s = np.concatenate(rectangular_rows(name))
    s = s / np.sqrt(np.mean(np.abs(s) ** 2))
    c20 = np.mean(s**2)
    assert abs(np.mean(s**4) - 3 * c20**2) == pytest.approx(c40, abs=0.06)
    assert np.mean(np.abs(s) ** 4) - abs(c20) ** 2 - 2 == pytest.approx(c42, abs=0.06)


def test_linear_signals_have_unit_power_and_no_memory_of_each_other() -> None:
    x = linear("QPSK", rng(), 60)
    power = np.mean(np.abs(x) ** 2, axis=1)
    assert power == pytest.approx(np.ones(60), abs=0.25)
    correlation = np.abs(x @ x.conj().T) / WORK - np.diag(power)
    assert correlation.max() < 0.35


def test_oqpsk_has_a_constant_envelope_and_turns_by_no_more_than_a_quarter() -> None:
    """I and Q change half a symbol apart, so held symbols only go to a neighbour."""
    rows = [x for x in linear("OQPSK", rng(), 40, 8192) if len(np.unique(x.round(4))) <= 16]
    assert rows
    for x in rows:
        turns = np.angle(x[1:] * x[:-1].conj())
        assert np.allclose(np.abs(x), 1, atol=1e-4)
        assert np.abs(turns).max() == pytest.approx(np.pi / 2, abs=1e-3)


@pytest.mark.parametrize("n_symbols", [256, 300])
def test_a_staggered_pulse_brings_q_back_half_a_symbol_later(n_symbols: int) -> None:
    points = np.exp(1j * np.pi * (0.25 + np.arange(4) / 2))
    symbols = points[rng(2).integers(4, size=n_symbols)]
    bins = _shaped(symbols, 0.3, matched=False, delay=0.0, staggered=True)
    x = _synthesise(bins, WORK) * (WORK / n_symbols)
    now = matched_output(x, n_symbols, 0.3, late=0.0)
    later = matched_output(x, n_symbols, 0.3, late=0.5)
    assert np.allclose(now.real, symbols.real, atol=0.03)
    assert np.allclose(later.imag, symbols.imag, atol=0.03)
    assert not np.allclose(now.imag, symbols.imag, atol=0.3)


# ---------------------------------------------------------------- angle


def test_gmsk_has_modulation_index_one_half() -> None:
    """Repeated symbols turn the phase by pi/2 each.

    The symbol rate is taken from the squared signal, FSK of index 1: lines at plus and
    minus half of it.
    """
    turns = []
    for x in fsk("GMSK", rng(), 40, 32768):
        power = np.abs(np.fft.fft(x.astype(np.complex128) ** 2)) ** 2
        both = power[1 : len(x) // 2] * power[: len(x) // 2 : -1]
        symbol_rate = 2 * (1 + int(np.argmax(both))) / len(x)
        turns.append(2 * np.pi * np.quantile(np.abs(hertz(x)), 0.995) / symbol_rate)
    assert np.median(turns) == pytest.approx(np.pi / 2, rel=0.003)
    # At two samples a symbol a Gaussian pulse rings a little; a weak line may be missed.
    assert np.mean(np.isclose(turns, np.pi / 2, rtol=0.07)) > 0.94


def near_levels(f: NDArray[np.float64], order: int) -> NDArray[np.bool_]:
    """Tell which samples lie on one of `order` even levels from the lowest to the highest."""
    levels = np.linspace(f.min(), f.max(), order)
    return np.asarray(np.abs(f[:, None] - levels[None, :]).min(axis=1) < 3e-5)


@pytest.mark.parametrize(("name", "order"), [("2FSK", 2), ("4FSK", 4)])
def test_unfiltered_fsk_keys_evenly_spaced_frequencies(name: str, order: int) -> None:
    """About half are unfiltered; these sit on 2 or 4 frequencies, symmetrical about zero."""
    made = hertz(fsk(name, rng(), 40, 32768))
    keyed = [f for f in made if near_levels(f, order).mean() > 0.99]
    assert 10 <= len(keyed) <= 30
    for f in keyed:
        levels = np.linspace(f.min(), f.max(), order)
        used = [np.mean(np.abs(f - level) < 3e-5) for level in levels]
        # As often as each other, but for line codes, of which one level may have a fifth.
        assert min(used) > (0.5 / order if order == 4 else 0.15)
        assert f.max() == pytest.approx(-f.min(), abs=3e-5)
        assert f.max() <= 0.4 + 1e-5


@pytest.mark.parametrize(("name", "order"), [("2FSK", 2), ("4FSK", 4)])
def test_filtered_fsk_is_in_between_as_well_but_not_beyond(name: str, order: int) -> None:
    """The other half passes gradually from level to level, with little overshoot."""
    frequency = hertz(fsk(name, rng(), 40, 8192))
    filtered = [f for f in frequency if near_levels(f, order).mean() < 0.6]
    assert len(filtered) >= 10
    assert np.abs(frequency).max() < 0.45


def test_fm_swings_as_its_message_does_and_stays_in_the_band() -> None:
    """Carson: deviation and message bandwidth together within 0.4 of the rate."""
    swings = []
    for x in fm(rng(), 200, 4096):
        f = hertz(x)
        assert np.abs(f).max() <= 0.4
        spectrum = np.abs(np.fft.rfft((f - f.mean()) * np.hanning(len(f)))) ** 2
        high = np.fft.rfftfreq(len(f)) > 0.125  # the message is below 0.1, its glide 10 % more
        assert spectrum[high].sum() < 0.01 * spectrum.sum()
        swings.append(np.abs(f).max())
    assert min(swings) < 0.02
    assert max(swings) > 0.2


def test_lora_is_up_chirps_of_a_power_of_two_of_chips() -> None:
    """With the slope taken off, modulo the bandwidth, each symbol is one frequency.

    These lie on a grid of bandwidth / 2^SF and last 2^SF / bandwidth samples.
    """
    factors = set()
    for x in lora(rng(), 24, 16384):
        f = hertz(x)
        slope = np.median(np.diff(f))
        bandwidth = np.ptp(f)
        assert slope > 0
        spreading = np.log2(bandwidth**2 / slope)
        assert spreading == pytest.approx(round(spreading), abs=0.15)
        chips = 2 ** round(spreading)
        bandwidth = np.sqrt(slope * chips)
        line = (f - slope * np.arange(len(f))) / bandwidth % 1  # in bandwidths
        jump = np.abs(np.angle(np.exp(2j * np.pi * np.diff(line)))) / (2 * np.pi)
        edges = np.flatnonzero(jump > 0.4 / chips)
        n_symbols = len(f) * bandwidth / chips
        assert len(edges) <= n_symbols + 1
        assert len(edges) > 0.5 * n_symbols - 2
        length = chips / bandwidth
        assert np.allclose(
            (edges - edges[0]) / length, np.rint((edges - edges[0]) / length), atol=2.5 / length
        )
        on_grid = jump[edges] * chips
        assert np.allclose(on_grid, np.rint(on_grid), atol=0.25)
        factors.add(round(spreading))
    assert factors <= set(range(5, 13))
    assert len(factors) >= 5


# ---------------------------------------------------------------- amplitude


def one_sided(x: ComplexArray) -> NDArray[np.float64]:
    """Return the share of power at positive frequencies, the carrier left out."""
    power = np.abs(np.fft.fft(x.astype(np.complex128), axis=1)) ** 2
    half = x.shape[1] // 2
    up, down = power[:, 1:half].sum(axis=1), power[:, half + 1 :].sum(axis=1)
    return np.asarray(up / (up + down))


def carrier_share(x: ComplexArray) -> NDArray[np.float64]:
    return np.asarray(np.abs(x.mean(axis=1)) ** 2 / np.mean(np.abs(x) ** 2, axis=1))


@pytest.mark.parametrize("name", ["AM-DSB-SC", "AM-DSB-WC"])
def test_both_sidebands_mirror_each_other(name: str) -> None:
    x = am(name, rng(), 20)
    spectrum = np.abs(np.fft.fft(x.astype(np.complex128), axis=1))
    mirrored = np.roll(spectrum[:, ::-1], 1, axis=1)
    assert np.allclose(spectrum, mirrored, atol=1e-3)
    assert one_sided(x) == pytest.approx(np.full(20, 0.5), abs=1e-4)


@pytest.mark.parametrize("name", ["AM-SSB-SC", "AM-SSB-WC"])
def test_a_single_sideband_is_on_one_side_only_and_either_occurs(name: str) -> None:
    up = one_sided(am(name, rng(), 40))
    assert np.all((up > 0.9999) | (up < 0.0001))
    assert 8 <= np.sum(up > 0.5) <= 32


@pytest.mark.parametrize(("name", "present"), [("DSB-WC", True), ("SSB-WC", True)])
def test_with_carrier_there_is_one(name: str, present: bool) -> None:
    assert np.quantile(carrier_share(am(f"AM-{name}", rng(), 40, 8192)), 0.1) > 0.3


@pytest.mark.parametrize("name", ["DSB-SC", "SSB-SC"])
def test_without_carrier_there_is_none(name: str) -> None:
    assert carrier_share(am(f"AM-{name}", rng(), 40, 8192)).max() < 0.02


def test_one_in_ten_with_carrier_is_over_modulated() -> None:
    """1 + m a(t) goes below zero only where m is above 1."""
    x = am("AM-DSB-WC", rng(), 400)
    assert np.all(x.imag == 0)
    assert 0.03 < np.mean(x.real.min(axis=1) < 0) < 0.12
    assert x.real.min() >= -1
    assert x.real.max() <= 3


def test_messages_have_peak_one_and_the_bandwidth_they_are_said_to_have() -> None:
    messages, bandwidth = audio(rng(), 60, 8192)
    assert np.abs(messages).max(axis=1) == pytest.approx(np.ones(60))
    assert np.all((bandwidth >= 0.01) & (bandwidth <= 0.25))
    f = np.fft.rfftfreq(8192)
    power = np.abs(np.fft.rfft(messages * np.hanning(8192), axis=1)) ** 2
    for row, width in zip(power, bandwidth, strict=True):
        assert row[f > 1.15 * width + 0.003].sum() < 0.01 * row.sum()
        assert row[f > 0.15 * width].sum() > 0.05 * row.sum()


# ---------------------------------------------------------------- the others


def test_ofdm_repeats_the_end_of_each_symbol_before_it() -> None:
    """x(n) and x(n + N) agree during the prefix of L samples out of every N + L, and only then."""
    sizes = set()
    for x in ofdm(rng(), 12, 32768):
        power = np.mean(np.abs(x) ** 2)
        best = (0.0, 0.0, 0)
        for n_bins in (32, 64, 128, 256, 512):
            product = x[:-n_bins] * x[n_bins:].conj()
            for prefix in (n_bins // 4, n_bins // 8, n_bins // 16, n_bins // 32):
                period = n_bins + prefix
                folded = product[: len(product) // period * period].reshape(-1, period).mean(axis=0)
                ring = np.concatenate([folded, folded[: prefix - 1]]) / power
                inside = np.abs(np.convolve(ring, np.ones(prefix), "valid")) / prefix
                start = int(np.argmax(inside))
                outside = np.abs(np.roll(folded, -start)[prefix:]).mean() / power
                best = max(best, (inside[start] - outside, inside[start], n_bins))
        difference, inside_best, n_bins = best
        assert difference > 0.7
        assert inside_best == pytest.approx(1, abs=0.2)
        sizes.add(n_bins)
    assert len(sizes) >= 3


def test_ofdm_fills_its_band_evenly() -> None:
    """40 to 90 % of the band, flat: the median bin is about the mean of the occupied ones."""
    for x in ofdm(rng(2), 12, 32768):
        power = np.abs(np.fft.fft(x.reshape(-1, 64) * np.hanning(64), axis=1)) ** 2
        power = np.fft.fftshift(power.mean(axis=0))
        occupied = power > 0.3 * np.median(power[power > 0.05 * power.max()])
        assert 0.35 <= occupied.mean() <= 1
        assert power[occupied].max() < 3 * np.median(power[occupied])


def test_a_carrier_is_one_line_in_the_middle_of_the_band() -> None:
    x = carrier(rng(), 40)
    f = hertz(x)
    assert np.ptp(f, axis=1).max() < 1e-5
    assert np.all(np.abs(f) <= 0.3 + 1e-6)
    assert f[:, 0].min() < -0.2
    assert f[:, 0].max() > 0.2


def test_white_noise_is_white_circular_and_gaussian() -> None:
    x = white(rng(), (200000,))
    assert np.mean(np.abs(x) ** 2) == pytest.approx(1, abs=0.01)
    assert abs(np.mean(x**2)) < 0.01  # circular
    assert np.mean(np.abs(x) ** 4) == pytest.approx(2, abs=0.04)  # complex Gaussian
    lags = [abs(np.mean(x[k:] * x[:-k].conj())) for k in (1, 2, 3, 7, 50)]
    assert max(lags) < 0.01
    spectrum = np.mean(np.abs(np.fft.fft(x.reshape(-1, 100), axis=1)) ** 2, axis=0) / 100
    assert spectrum == pytest.approx(np.ones(100), abs=0.15)


def test_receiver_noise_is_gaussian_and_at_most_gently_coloured() -> None:
    flat = 0
    for x in receiver_noise(rng(), 40, 32768):
        power = np.mean(np.abs(x) ** 2)
        assert power == pytest.approx(1, abs=0.05)
        assert np.mean(np.abs(x) ** 4) / power**2 == pytest.approx(2, abs=0.15)
        spectrum = np.mean(np.abs(np.fft.fft(x.reshape(-1, 64), axis=1)) ** 2, axis=0) / 64
        tilt_db = 10 * np.log10(np.quantile(spectrum, 0.95) / np.quantile(spectrum, 0.05))
        assert tilt_db < 20
        flat += tilt_db < 2
    assert 12 <= flat <= 28  # half of it is white


def test_tones_in_the_noise_are_20_db_below_it_and_in_some_windows_only() -> None:
    """Louder than that, the class would be CW."""
    spectrum = np.abs(np.fft.fft(receiver_noise(rng(), 100, 32768), axis=1)) ** 2 / 32768**2
    level_db = 10 * np.log10(spectrum.max(axis=1))
    assert level_db.max() < -20
    # Noise alone stays below -30 dB in its strongest bin.
    loud = level_db > -28
    assert 0.05 < np.mean(loud) < 0.4
    at_dc = np.argmax(spectrum[loud], axis=1) == 0
    assert 0.2 < np.mean(at_dc) < 0.9  # the spike of a receiver's own, and spurs elsewhere
