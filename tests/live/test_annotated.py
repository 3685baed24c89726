"""Windows of annotated emissions are those that a run cuts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from liveclf.config import DetectSettings, SourceSettings
from liveclf.dsp.formats import FORMATS
from liveclf.emissions import Emission, Heard
from liveclf.live.annotated import MOST_WINDOWS, OUTSIDE, TOO_SHORT, CutEmission, cut_annotated
from liveclf.live.finder import Finder
from liveclf.live.history import History
from liveclf.records import Annotation, Block
from liveclf.signals.scene.files import write_scene
from liveclf.signals.scene.plan import SceneSettings, plan
from liveclf.signals.scene.receive import Receiver, receive
from liveclf.sources import open_source
from liveclf.view.clips import block_of as block_of_clip
from liveclf.view.clips import cut_clip

WINDOW = 1024
RATE_HZ, CENTER_HZ = 1e6, 433e6


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write half a second with bursts in it, one of them shorter than a window."""
    settings = SceneSettings(
        seed=3,
        duration_s=0.5,
        band_hz=RATE_HZ,
        snr_db=(15.0, 30.0),
        burst_s=(0.005, 0.1),
        steady_share=0.0,
    )
    made = receive(plan(settings), settings.duration_s, Receiver(rate_hz=RATE_HZ), 3)
    return write_scene(made, tmp_path_factory.mktemp("scenes") / "scene")


def blocks_of(path: Path) -> list[Block]:
    source = open_source(SourceSettings(path=str(path)))
    blocks = [replace(block, iq=block.iq.copy()) for block in source.blocks()]
    source.close()
    return blocks


def run_over(blocks: list[Block]) -> tuple[dict[int, list[NDArray[np.float32]]], list[Heard]]:
    """Return the windows of each emission that a run finds, and those emissions."""
    finder = Finder(WINDOW, DetectSettings())
    cut: dict[int, list[NDArray[np.float32]]] = {}
    for block in blocks:
        for windows in finder.push(block):
            cut.setdefault(int(windows.emission_id[0]), []).extend(windows.x)
    for windows in finder.flush():
        cut.setdefault(int(windows.emission_id[0]), []).extend(windows.x)
    return cut, finder.heard()


def annotation_of(heard: Heard) -> Annotation:
    """Return what `liveclf run --save-unknown` writes of an emission."""
    low, high = (heard.center_hz + edge * heard.sample_rate_hz for edge in (heard.low, heard.high))
    return Annotation(heard.start_sample, heard.stop_sample, "unknown", low, high)


def likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Correlate two windows of unit power; a carrier's phase does not count."""
    return float(abs(np.vdot(a[0] + 1j * a[1], b[0] + 1j * b[1])) / WINDOW)


def emission_of(heard: Heard) -> Emission:
    """Return what the page knows of an emission."""
    rate_hz = heard.sample_rate_hz
    known = dict.fromkeys(Emission.__dataclass_fields__)
    known |= {
        "id": heard.id,
        "sample": heard.start_sample,
        "n_samples": heard.stop_sample - heard.start_sample,
        "offset_hz": round((heard.low + heard.high) / 2 * rate_hz, 1),
        "bandwidth_hz": round((heard.high - heard.low) * rate_hz, 1),
    }
    return Emission(**known)  # type: ignore[arg-type]


def block_of(iq: NDArray[np.complex64], start_sample: int = 0, **other: Any) -> Block:
    known = {"segment": 0, "sample_rate_hz": RATE_HZ, "center_hz": CENTER_HZ}
    known |= {"epoch_s": math.nan, "received_s": 0.0, "format": FORMATS["cf32"]} | other
    pairs = np.ascontiguousarray(iq, np.complex64).view(np.float32).reshape(-1, 2)
    return Block(iq=pairs, start_sample=start_sample, **known)  # type: ignore[arg-type]


def noise(n: int) -> NDArray[np.complex64]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((n, 2), np.float32).view(np.complex64)[:, 0]


def cut_one(
    blocks: list[Block], start: int, stop: int, width_hz: float | None = 20e3, offset_hz: float = 0
) -> CutEmission:
    """Cut one annotated stretch."""
    edges = () if width_hz is None else (CENTER_HZ + offset_hz + k * width_hz / 2 for k in (-1, 1))
    annotation = Annotation(start, stop, "BPSK", *edges)
    (cut,) = cut_annotated(blocks, [annotation], sum(len(b.iq) for b in blocks), WINDOW)
    assert np.mean(np.square(cut.x), axis=(1, 2)) * 2 == pytest.approx(1, rel=1e-3)
    return cut


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Correlate what two windows have in common, wherever in the emission they begin."""
    u, v = a[0] + 1j * a[1], b[0] + 1j * b[1]
    best = 0.0
    for lag in range(-WINDOW // 2, WINDOW // 2):
        p, q = (u[lag:], v[: WINDOW - lag]) if lag >= 0 else (u[:lag], v[-lag:])
        best = max(best, abs(np.vdot(p, q)) / np.linalg.norm(p) / np.linalg.norm(q))
    return best


def test_the_windows_are_those_of_the_run(scene: Path) -> None:
    blocks = blocks_of(scene)
    n_samples = sum(len(block.iq) for block in blocks)
    cut, heard = run_over(blocks)
    ended = [one for one in heard if one.has_ended and one.n_windows]
    # Some of them are shorter than a window at three samples a hertz.
    widths = [(one.stop_sample - one.start_sample) * (one.high - one.low) * 3 for one in ended]
    assert min(widths) < WINDOW < 8 * WINDOW < max(widths)
    annotations = [annotation_of(one) for one in ended]
    again = {c.annotation: c for c in cut_annotated(blocks, annotations, n_samples, WINDOW)}
    assert len(again) == len(ended) >= 8
    for one, annotation in zip(ended, annotations, strict=True):
        mine, wanted = again[annotation], cut[one.id]
        assert not mine.why_none
        assert len(mine.x) == len(wanted)
        # How much of it is pauses a run knows, and an annotation does not.
        assert min(map(likeness, mine.x, wanted)) > 0.9, one
    assert (
        np.median(
            [likeness(again[a].x[0], cut[o.id][0]) for o, a in zip(ended, annotations, strict=True)]
        )
        > 0.999
    )


def test_the_windows_of_a_clip_from_the_page_are_those_of_the_run(scene: Path) -> None:
    blocks = blocks_of(scene)
    cut, heard = run_over(blocks)
    found = 0
    for one in (h for h in heard if h.has_ended and h.n_windows):
        mine = cut_clip_of(blocks, one)
        if not mine.why_none:
            found += 1
            assert max(overlap(a, b) for a in mine.x[:2] for b in cut[one.id][:2]) > 0.9
    assert found >= 5


def test_a_clip_that_fills_no_window_is_interpolated_as_the_run_would_bring_it_to_more() -> None:
    n = 10_000  # of 20 kHz: 600 samples at three a hertz
    iq = 0.01 * noise(60_000)
    spectrum = np.fft.fft(noise(n))
    spectrum[np.abs(np.fft.fftfreq(n)) > 0.01] = 0
    iq[30_000 : 30_000 + n] += np.fft.ifft(spectrum) * np.exp(0.2j * np.pi * np.arange(n))
    blocks = [block_of(iq)]
    one = Heard(
        **dict.fromkeys(Heard.__dataclass_fields__)  # type: ignore[arg-type]
        | {"start_sample": 30_000, "stop_sample": 30_000 + n, "low": 0.09, "high": 0.11}
        | {"sample_rate_hz": RATE_HZ, "center_hz": CENTER_HZ}
    )
    (run,) = cut_annotated(blocks, [annotation_of(one)], len(iq), WINDOW)
    mine = cut_clip_of(blocks, one)
    assert len(mine.x) == len(run.x) == 1
    assert overlap(mine.x[0], run.x[0]) > 0.98


def cut_clip_of(blocks: list[Block], one: Heard) -> CutEmission:
    """Cut windows of what the page saves of an emission."""
    history = History(10**6)
    for block in blocks:
        history.keep(block)
    clip = cut_clip(emission_of(one), history)
    assert clip is not None
    saved = block_of_clip(clip)
    half_hz = (one.high - one.low) * one.sample_rate_hz / 2
    n, middle_hz = len(saved.iq), saved.center_hz
    annotation = Annotation(0, n, "x", middle_hz - half_hz, middle_hz + half_hz)
    (cut,) = cut_annotated([saved], [annotation], n, WINDOW)
    return cut


def test_what_fills_less_than_a_quarter_of_a_window_is_too_short() -> None:
    band = [block_of(noise(400_000))]
    # At 10 samples a hertz of 20 kHz a window is 5 ms.
    assert cut_one(band, 200_000, 201_000).why_none == TOO_SHORT
    assert len(cut_one(band, 200_000, 202_000).x) == 1


def test_a_window_that_would_reach_beyond_the_recording_is_none() -> None:
    band = [block_of(noise(4000))]
    assert cut_one(band, 0, 2000).why_none == TOO_SHORT
    assert len(cut_one([block_of(noise(8000))], 3000, 5000).x) == 1


def test_what_lies_outside_the_band_is_told_apart() -> None:
    assert cut_one([block_of(noise(40_000))], 0, 40_000, offset_hz=2e6).why_none == OUTSIDE


def test_without_edges_the_windows_are_of_the_whole_band() -> None:
    iq = noise(3 * WINDOW)
    cut = cut_one([block_of(iq)], 0, 3 * WINDOW, width_hz=None)
    windows = [iq[k : k + WINDOW] for k in range(0, 2 * WINDOW + 1, WINDOW // 8)]
    for x in cut.x:
        assert max(likeness(x, np.stack([w.real, w.imag])) for w in windows) > 0.99


def test_without_a_rate_or_a_centre_it_is_cut_all_the_same() -> None:
    unknown = block_of(noise(40_000), sample_rate_hz=math.nan, center_hz=math.nan)
    cut = cut_one([unknown], 10_000, 30_000, width_hz=None)
    assert len(cut.x)
    assert math.isnan(cut.first_s)


def test_a_window_never_bridges_a_gap() -> None:
    """The halves are of different frequencies: a window across would hold both."""
    k = np.arange(100_000)
    halves = [np.exp(2j * np.pi * f * k).astype(np.complex64) for f in (-0.005, 0.005)]
    blocks = [block_of(halves[0]), block_of(halves[1], 150_000)]
    cut = cut_one(blocks, 0, 250_000)
    assert len(cut.x) > 4
    for x in cut.x:
        power = np.abs(np.fft.fft(x[0] + 1j * x[1])) ** 2
        assert np.sort(power)[-6:].sum() > 0.9 * power.sum()
        assert np.ptp(np.angle(np.diff(np.unwrap(np.angle(x[0] + 1j * x[1]))))) < 1


def test_of_a_long_emission_windows_are_left_out_evenly_and_counted() -> None:
    band = [block_of(noise(62_500), k * 62_500, sample_rate_hz=RATE_HZ / 4) for k in range(20)]
    cut = cut_one(band, 0, 1_250_000, width_hz=100e3)
    assert MOST_WINDOWS / 2 <= len(cut.x) <= MOST_WINDOWS
    assert cut.n_left_out >= len(cut.x) // 2


def test_times_are_those_of_the_clock() -> None:
    cut = cut_one([block_of(noise(40_000), 1_000_000, epoch_s=1e9)], 1_010_000, 1_030_000)
    assert (cut.first_s, cut.last_s) == (1e9 + 1.01, 1e9 + 1.03)
