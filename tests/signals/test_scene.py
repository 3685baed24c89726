"""Scenes: what is told of them is measured here anew, from their samples alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy import signal
from sigmf import sigmffile

from liveclf.config import SourceSettings
from liveclf.dsp.formats import as_complex
from liveclf.signals.scene.files import write_scene
from liveclf.signals.scene.plan import Planned, SceneSettings, plan
from liveclf.signals.scene.receive import NOISE_SHAPES, Receiver, Scene, receive
from liveclf.signals.scene.senders import SENDABLE, Sending, band_of, occupied_band, send
from liveclf.signals.scene.truth import Truth
from liveclf.sources import open_source

RATE_HZ = 1e6
FLAT = Receiver(rate_hz=RATE_HZ, noise="flat", format="cf32")


def samples(scene: Scene) -> np.ndarray:
    return as_complex(scene.iq, scene.format)


def one(name: str, snr_db: float, *, duration_s: float = 0.1, seed: int = 5) -> Planned:
    """Plan one burst in the middle of 0.3 s, 200 kHz above the centre."""
    rng = np.random.default_rng(seed)
    sending = send(name, rng, duration_s, 100e3)
    lower, upper = occupied_band(sending.iq, sending.rate_hz)
    return Planned(name, sending, (0.1,), 200e3, (200e3 + lower, 200e3 + upper), snr_db)


def band_power(iq: np.ndarray, lower_hz: float, upper_hz: float) -> float:
    """Return the mean power between two frequencies, by a plain periodogram."""
    power = np.abs(np.fft.fft(iq)) ** 2 / len(iq) ** 2
    f = np.fft.fftfreq(len(iq), 1 / RATE_HZ)
    return float(power[(f >= lower_hz) & (f < upper_hz)].sum())


def offsets(truth: Truth) -> tuple[float, float]:
    return truth.lower_hz - FLAT.center_hz, truth.upper_hz - FLAT.center_hz


# -- what a truth says ---------------------------------------------------------------------


@pytest.mark.parametrize("noise", NOISE_SHAPES)
@pytest.mark.parametrize(("name", "snr_db"), [("QPSK", 10.0), ("2FSK", 3.0), ("OFDM", 25.0)])
def test_the_snr_is_what_a_periodogram_shows(name: str, snr_db: float, noise: str) -> None:
    receiver = replace(FLAT, noise=noise)
    scene = receive([one(name, snr_db)], 0.3, receiver, 1)
    (truth,) = scene.truths
    iq, (low, high) = samples(scene), offsets(truth)
    during = band_power(iq[truth.start_sample : truth.stop_sample], low, high)
    outside = [iq[: truth.start_sample - 500], iq[truth.stop_sample + 500 :]]
    quiet = float(np.mean([band_power(part, low, high) for part in outside]))
    assert 10 * np.log10((during - quiet) / quiet) == pytest.approx(truth.snr_db, abs=0.4)
    assert truth.snr_db == pytest.approx(snr_db, abs=0.01)


def test_rounding_counts_as_noise() -> None:
    """A strong signal leaves the noise less than a step of the converter."""
    planned = [one("OFDM", 70.0)]
    assert receive(planned, 0.3, FLAT, 1).truths[0].snr_db == pytest.approx(70, abs=0.01)
    scene = receive(planned, 0.3, replace(FLAT, format="cu8"), 1)
    (truth,) = scene.truths
    iq, (low, high) = samples(scene), offsets(truth)
    within = iq[truth.start_sample : truth.stop_sample]
    width = high - low
    beside = band_power(within, high + 2 * width, high + 4 * width) / 2
    during = band_power(within, low, high)
    assert 10 * np.log10(during / beside) == pytest.approx(truth.snr_db, abs=1.0)
    assert truth.snr_db < 60


@pytest.mark.parametrize("name", ["16QAM", "GMSK", "4FSK", "LoRa", "FM"])
def test_the_edges_hold_99_percent_of_the_power(name: str) -> None:
    scene = receive([one(name, 60.0)], 0.3, FLAT, 1)
    (truth,) = scene.truths
    iq, (low, high) = samples(scene), offsets(truth)
    burst = iq[truth.start_sample : truth.stop_sample]
    whole = band_power(burst, -RATE_HZ / 2, RATE_HZ / 2)
    assert band_power(burst, low, high) / whole == pytest.approx(0.99, abs=0.002)
    assert band_power(burst, -RATE_HZ / 2, low) / whole == pytest.approx(0.005, abs=0.001)


@pytest.mark.parametrize(("name", "sides"), [("AM-DSB-WC", 2), ("AM-SSB-WC", 1)])
def test_am_is_as_wide_as_what_it_carries(name: str, sides: int) -> None:
    """The audio ends at 2.5 to 5 kHz; of a weak modulation the carrier alone has 99 %."""
    widths = []
    for seed in range(12):
        sending = send(name, np.random.default_rng(seed), 0.3, 100e3)
        lower, upper = band_of(name, sending)
        widths.append(upper - lower)
        assert 1.9e3 < upper - lower < 1.02 * sides * 5e3
        if sides == 2:
            assert upper == pytest.approx(-lower, rel=0.01)
    assert np.median(widths) > 1.2e3 * sides


def test_a_carrier_is_as_wide_as_a_receiver_resolves() -> None:
    (truth,) = receive([one("CW", 20.0)], 0.3, FLAT, 1).truths
    assert offsets(truth) == pytest.approx((199e3, 201e3), abs=1)


@pytest.mark.parametrize("name", ["QPSK", "FM", "OOK"])
def test_the_burst_is_where_it_is_said_to_be(name: str) -> None:
    """It is loud inside, and everything before and after is noise."""
    scene = receive([one(name, 40.0)], 0.3, FLAT, 1)
    (truth,) = scene.truths
    level = signal.oaconvolve(np.abs(samples(scene)) ** 2, np.ones(50) / 50, mode="same")
    noise = np.median(level[: int(RATE_HZ) // 20])
    loud = np.flatnonzero(level > 20 * noise)
    assert loud[0] == pytest.approx(truth.start_sample, abs=200)
    assert loud[-1] + 1 == pytest.approx(truth.stop_sample, abs=200)


def test_the_symbol_rate_is_a_line_of_the_envelope() -> None:
    n_lines = 0
    for seed in range(6):
        sending = send("QPSK", np.random.default_rng(seed), 0.5, 100e3)
        assert sending.symbol_rate_hz
        lower, upper = occupied_band(sending.iq, sending.rate_hz)
        if upper - lower > 2 * sending.symbol_rate_hz:
            continue  # held symbols: there is no line
        power = np.abs(sending.iq[100:-100]) ** 2
        spectrum = np.abs(np.fft.rfft(power - power.mean()))
        f = np.fft.rfftfreq(len(power), 1 / sending.rate_hz)
        near = np.abs(f / sending.symbol_rate_hz - 1) < 0.2
        assert f[near][np.argmax(spectrum[near])] == pytest.approx(sending.symbol_rate_hz, rel=2e-3)
        n_lines += 1
    assert n_lines > 2


def test_chips_of_a_remote_control_last_as_long_as_is_said() -> None:
    rng = np.random.default_rng(4)
    for _ in range(8):
        sending = send("OOK", rng, 0.05, 100e3)
        assert sending.symbol_rate_hz
        on = np.abs(sending.iq) > 0.5 * np.abs(sending.iq).max()
        edges = np.flatnonzero(np.diff(on.astype(int)))
        chips = np.diff(edges) / sending.rate_hz * sending.symbol_rate_hz
        if not np.allclose(chips, np.rint(chips), atol=0.15):
            continue  # shaped symbols
        assert np.rint(chips).min() == 1
        return
    pytest.fail("no remote control in eight")


@pytest.mark.parametrize("name", SENDABLE)
def test_every_class_is_sent_about_as_long_and_as_wide_as_asked(name: str) -> None:
    for seed in range(3):
        sending = send(name, np.random.default_rng(seed), 0.04, 400e3)
        assert np.mean(np.abs(sending.iq[64:-64]) ** 2) == pytest.approx(1, rel=1e-3)
        assert not sending.iq[:64].any()
        assert not sending.iq[-64:].any()
        lower, upper = occupied_band(sending.iq, sending.rate_hz)
        assert 1.9e3 < upper - lower < 450e3
        long_s = (len(sending.iq) - 128) / sending.rate_hz
        if sending.symbol_rate_hz is None or sending.symbol_rate_hz * 0.04 > 64:
            assert name == "OFDM" or long_s == pytest.approx(0.04, rel=0.05)


def test_short_bursts_are_flagged() -> None:
    scene = receive([one("CW", 10, duration_s=4e-3)], 0.3, FLAT, 1)
    assert [truth.is_short for truth in scene.truths] == [True]
    scene = receive([one("CW", 10, duration_s=6e-3)], 0.3, FLAT, 1)
    assert [truth.is_short for truth in scene.truths] == [False]


# -- plans ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_emissions_keep_clear_of_each_other_and_of_the_edges(seed: int) -> None:
    settings = SceneSettings(seed=seed, band_hz=RATE_HZ, emissions=(10, 12), keep_dc_clear=True)
    planned = plan(settings)
    assert len(planned) > 3
    for a, b in combinations(planned, 2):
        in_time = a.starts_s[0] < b.stop_s and b.starts_s[0] < a.stop_s
        apart_hz = max(a.edges_hz[0] - b.edges_hz[1], b.edges_hz[0] - a.edges_hz[1])
        assert not in_time or apart_hz >= 5e3
    edges = np.array([each.edges_hz for each in planned])
    assert np.abs(edges).max() <= 0.46 * RATE_HZ + 1
    assert not np.any((edges[:, 0] < 6e3) & (edges[:, 1] > -6e3))


def test_a_scene_is_made_again_by_its_seed() -> None:
    settings = SceneSettings(seed=7, band_hz=RATE_HZ, duration_s=0.2)
    receiver = Receiver(rate_hz=RATE_HZ, spurs=1, image_db=-35, dc_db=-10, gain_step_db=3)
    a, b = (receive(plan(settings), 0.2, receiver, 7) for _ in range(2))
    assert np.array_equal(a.iq, b.iq)
    assert a.truths == b.truths
    other = receive(plan(replace(settings, seed=8)), 0.2, receiver, 8)
    assert not np.array_equal(a.iq, other.iq)


def test_a_plan_is_the_same_at_every_rate() -> None:
    settings = SceneSettings(seed=3, band_hz=200e3, duration_s=0.3, emissions=(4, 6))
    planned = plan(settings)
    slow, fast = (
        receive(planned, 0.3, Receiver(rate_hz=rate_hz, format="cf32"), 3)
        for rate_hz in (250e3, 1e6)
    )
    assert len(slow.truths) == len(fast.truths) >= 3
    for a, b in zip(slow.truths, fast.truths, strict=True):
        assert (a.label, a.symbol_rate_hz) == (b.label, b.symbol_rate_hz)
        assert (a.lower_hz, a.upper_hz) == pytest.approx((b.lower_hz, b.upper_hz))
        assert a.snr_db == pytest.approx(b.snr_db, abs=0.1)
        assert 4 * a.start_sample == pytest.approx(b.start_sample, abs=250)
        assert 4 * a.stop_sample == pytest.approx(b.stop_sample, abs=250)


def test_a_train_is_one_packet_several_times() -> None:
    settings = SceneSettings(
        seed=0, classes=("OOK",), train_share=1, steady_share=0, emissions=(1, 1), band_hz=RATE_HZ
    )
    planned = next(p for seed in range(9) if (p := plan(replace(settings, seed=seed))))
    assert len(planned[0].starts_s) > 1
    scene = receive(planned, 0.5, FLAT, 0)
    assert len(scene.truths) == len(planned[0].starts_s)
    assert {truth.train for truth in scene.truths} == {0}
    lengths = [truth.stop_sample - truth.start_sample for truth in scene.truths]
    assert len(set(lengths)) == 1
    gaps = np.diff([truth.start_sample for truth in scene.truths]) - lengths[0]
    assert gaps.min() > 0.01 * RATE_HZ


# -- the receiver --------------------------------------------------------------------------


def test_a_constant_and_a_gain_step() -> None:
    receiver = replace(FLAT, dc_db=0.0, gain_step_db=6.0)
    scene = receive([], 0.2, receiver, 1)
    iq = samples(scene)
    before, after = iq[: len(iq) // 2], iq[len(iq) // 2 :]
    spike = np.abs(before.mean()) ** 2
    noise = np.mean(np.abs(before - before.mean()) ** 2)
    assert spike / noise == pytest.approx(1, rel=0.05)
    change = np.mean(np.abs(after) ** 2) / np.mean(np.abs(before) ** 2)
    assert 10 * np.log10(change) == pytest.approx(6, abs=0.1)
    assert [truth.label for truth in scene.truths if truth.is_artefact] == ["dc"]


def test_an_image_is_where_and_as_strong_as_is_said() -> None:
    scene = receive([one("16QAM", 50.0)], 0.3, replace(FLAT, image_db=-30), 1)
    truth, image = scene.truths
    assert (truth.is_artefact, image.is_artefact) == (False, True)
    burst = samples(scene)[truth.start_sample : truth.stop_sample]
    ratio = band_power(burst, *offsets(image)) / band_power(burst, *offsets(truth))
    assert 10 * np.log10(ratio) == pytest.approx(-30, abs=0.3)


def test_a_spur_is_where_and_as_strong_as_is_said() -> None:
    scene = receive([], 0.2, replace(FLAT, spurs=1), 1)
    (spur,) = scene.truths
    iq, (low, high) = samples(scene), offsets(spur)
    spectrum = np.abs(np.fft.fft(iq)) ** 2
    loudest_hz = np.fft.fftfreq(len(iq), 1 / RATE_HZ)[np.argmax(spectrum)]
    assert loudest_hz == pytest.approx((low + high) / 2, abs=10)
    ratio = band_power(iq, low, high) / band_power(iq, high + 1e3, high + 3e3) - 1
    assert 10 * np.log10(ratio) == pytest.approx(spur.snr_db, abs=1)


@pytest.mark.parametrize("noise", NOISE_SHAPES)
def test_noise_is_as_strong_as_its_shape_says(noise: str) -> None:
    """A flat band is flat to a tenth of a dB, the others are not."""
    scene = receive([], 0.5, replace(FLAT, noise=noise), 3)
    _, density = signal.welch(
        samples(scene), RATE_HZ, nperseg=64, return_onesided=False, detrend=False
    )
    spread_db = np.ptp(10 * np.log10(density))
    assert (spread_db < 0.5) == (noise == "flat")


def test_eight_bits_are_used_and_not_overdriven() -> None:
    receiver = replace(FLAT, format="cu8")
    quiet = receive([], 0.1, receiver, 1).iq.astype(float) - 127.5
    assert 2 < quiet.std() < 4
    loud = receive([one("OFDM", 40.0)], 0.3, receiver, 1).iq
    assert loud.max() < 255
    assert loud.max() > 200


# -- files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cu8", "cs16", "cf32"])
def test_a_scene_is_a_valid_recording_with_its_truth(tmp_path: Path, name: str) -> None:
    settings = SceneSettings(seed=2, band_hz=RATE_HZ, duration_s=0.2, emissions=(3, 6))
    scene = receive(plan(settings), 0.2, Receiver(rate_hz=RATE_HZ, spurs=1, format=name), 2)
    path = write_scene(scene, tmp_path / "scene")
    read = sigmffile.fromfile(str(path))
    read.validate()
    assert np.allclose(read.read_samples(), samples(scene), atol=1 / 64)
    sent = [truth for truth in scene.truths if not truth.is_artefact]
    told = [a for a in read.get_annotations() if "core:label" in a]
    assert len(told) == len(sent) >= 2
    for annotation, truth in zip(told, sent, strict=True):
        assert annotation["core:label"] == truth.label
        assert annotation["core:sample_start"] == truth.start_sample
        assert annotation["core:sample_count"] == truth.stop_sample - truth.start_sample
        assert annotation["core:freq_lower_edge"] == truth.lower_hz
        assert annotation["core:freq_upper_edge"] == truth.upper_hz
        assert annotation["liveclf:snr_db"] == pytest.approx(truth.snr_db, abs=0.01)
    info = open_source(SourceSettings(path=str(path))).info
    assert [(a.start_sample, a.stop_sample, a.label) for a in info.annotations] == [
        (truth.start_sample, truth.stop_sample, truth.label) for truth in sent
    ]


def test_resampling_keeps_what_was_sent() -> None:
    """A tone goes where it belongs, as long as it was: another rate is no other signal."""
    tone = np.exp(2j * np.pi * 0.1 * np.arange(2000)) * np.hanning(2000)
    sending = Sending(np.pad(tone, 64).astype(np.complex64), 20e3)
    edges = occupied_band(sending.iq, 20e3, least_hz=0)
    assert np.mean(edges) == pytest.approx(2e3, abs=5)
    planned = Planned("CW", sending, (0.05,), 100e3, (101e3, 103e3), 50.0)
    scene = receive([planned], 0.3, FLAT, 1)
    iq = samples(scene)
    spectrum = np.abs(np.fft.fft(iq)) ** 2
    assert np.fft.fftfreq(len(iq), 1 / RATE_HZ)[np.argmax(spectrum)] == pytest.approx(102e3, abs=5)
    centroid = np.sum(np.arange(len(iq)) * np.abs(iq) ** 8) / np.sum(np.abs(iq) ** 8)
    assert centroid / RATE_HZ == pytest.approx(0.05 + 1064 / 20e3, abs=1e-3)
