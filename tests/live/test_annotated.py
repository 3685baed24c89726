"""Windows of annotated emissions are those that a run cuts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from liveclf.config import DetectSettings, SourceSettings
from liveclf.dsp.formats import FORMATS
from liveclf.emissions import Heard
from liveclf.live.annotated import MOST_WINDOWS, OUTSIDE, TOO_SHORT, CutEmission, cut_annotated
from liveclf.live.finder import Finder
from liveclf.records import Annotation, Block
from liveclf.signals.scene.files import write_scene
from liveclf.signals.scene.plan import SceneSettings, plan
from liveclf.signals.scene.receive import Receiver, receive
from liveclf.sources import open_source

WINDOW = 1024
RATE_HZ = 1e6


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write half a second with bursts in it, one of them shorter than a window."""
    settings = SceneSettings(
        seed=3, duration_s=0.5, band_hz=RATE_HZ, snr_db=(15.0, 30.0), burst_s=(0.005, 0.1), steady_share=0.0
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


def test_the_windows_are_those_of_the_run(scene: Path) -> None:
    blocks = blocks_of(scene)
    n_samples = sum(len(block.iq) for block in blocks)
    cut, heard = run_over(blocks)
    ended = [one for one in heard if one.has_ended and one.n_windows]
    assert len(ended) >= 4
    assert any(one.stop_sample - one.start_sample < 20_000 for one in ended)
    annotations = [annotation_of(one) for one in ended]
    again = {
        c.annotation: c for c in cut_annotated(blocks, annotations, n_samples, WINDOW)
    }
    for one, annotation in zip(ended, annotations, strict=True):
        mine, wanted = again[annotation], cut[one.id]
        print(one.id, one.stop_sample-one.start_sample, (one.high-one.low)*1e6, len(mine.x), len(wanted), mine.why_none, [round(likeness(a,b),4) for a,b in zip(mine.x,wanted)][:6], one.note)
    assert 0
