"""`liveclf evaluate` on recordings that say what emissions are in them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liveclf.cli import main
from liveclf.cli.finding import truths_of
from liveclf.learn.score.verdicts import Network
from liveclf.records import Annotation
from liveclf.signals.classes import CLASSES, FAMILY_OF
from liveclf.signals.scene.files import write_scene
from liveclf.signals.scene.plan import Planned
from liveclf.signals.scene.receive import Receiver, Scene, receive
from liveclf.signals.scene.senders import occupied_band, send
from liveclf.signals.scene.truth import Truth

RATE_HZ = 250e3
NETWORK = Network("a", "onnx", "int8", CLASSES, FAMILY_OF, 1.0, 0.0)


def planned(name: str, start_s: float, at_hz: float, seed: int) -> Planned:
    """Plan a burst of 0.1 s, 25 dB in its band."""
    sending = send(name, np.random.default_rng(seed), 0.1, 20e3)
    lower, upper = occupied_band(sending.iq, sending.rate_hz)
    return Planned(name, sending, (start_s,), at_hz, (at_hz + lower, at_hz + upper), 25.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Three bursts, two of them at once."""
    sent = [
        planned("2FSK", 0.1, 60e3, 1),
        planned("AM-DSB-SC", 0.15, -50e3, 2),
        planned("QPSK", 0.35, 20e3, 3),
    ]
    return receive(sent, 0.5, Receiver(rate_hz=RATE_HZ, noise="flat"), 1)


@pytest.fixture
def path(scene: Scene, tmp_path: Path) -> Path:
    return write_scene(scene, tmp_path / "scene")


def evaluated(capfd: pytest.CaptureFixture[str], *arguments: Any) -> tuple[str, str]:
    assert main(["evaluate", "auto", *map(str, arguments)]) == 0
    out, said = capfd.readouterr()
    return out, said


def test_emissions_are_found_and_compared_with_the_annotations(
    path: Path, scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    out, _ = evaluated(capfd, "--data", path, "--json")
    told = json.loads(out)["emissions"]
    assert (told["n_there"], told["n_matched"], told["n_found"]) == (3, 3, 3)
    assert (told["recall"], told["precision"]) == (1, 1)
    assert told["by_snr"]["20 to 25 dB"]["n"] + told["by_snr"].get("25 dB and above", {"n": 0})[
        "n"
    ] == len(scene.truths)
    assert told["strong"]["n"] == 3
    assert told["time_iou"] > 0.8
    assert (told["missed"], told["false"]) == ([], [])
    # Windows of the whole band say nothing of what is in a part of it.
    assert told["notes"] == ["Of scene.sigmf-meta the emissions alone were measured."]
    assert "overall" not in json.loads(out)


def test_an_annotation_of_nothing_is_missed_and_an_emission_without_one_is_false(
    scene: Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, *others = scene.truths
    moved = replace(first, lower_hz=first.lower_hz - 30e3, upper_hz=first.upper_hz - 30e3)
    path = write_scene(replace(scene, truths=(moved, *others)), tmp_path / "moved")
    out, _ = evaluated(capfd, "--data", path, "--json")
    told = json.loads(out)["emissions"]
    assert (told["recall"], told["precision"]) == pytest.approx((2 / 3, 2 / 3))
    assert told["n_nothing_there"] == 1
    assert told["missed"][0].startswith("moved.sigmf-meta: missed: 2FSK at sample")
    assert told["false"][0].startswith("moved.sigmf-meta: nothing there: ")


def test_without_edges_time_alone_counts_and_windows_are_measured_too(
    scene: Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_scene(scene, tmp_path / "timed")
    meta = json.loads(path.read_text())
    for annotation in meta["annotations"]:
        del annotation["core:freq_lower_edge"], annotation["core:freq_upper_edge"]
    path.write_text(json.dumps(meta))
    out, _ = evaluated(capfd, "--data", path, "--json")
    told = json.loads(out)
    assert told["emissions"]["recall"] == 1
    assert told["emissions"]["frequency_iou"] == 1
    assert told["n"] > 10  # windows
    out, _ = evaluated(capfd, "--data", path, "--json", "--no-detect")
    assert json.loads(out) == told | {"emissions": None}


def test_tables_and_report_have_the_emissions(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, said = evaluated(capfd, "--data", path, "--out", tmp_path / "report")
    assert "emissions: 3 of 3 found, recall 100.0%; 3 told, precision 100.0%" in " ".join(
        out.split()
    )
    assert "SNR in the band" in out
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<title>Emissions of scene.sigmf-meta</title>" in page
    assert "recall 100.0%" in page
    figures = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert figures["emissions"]["n_matched"] == 3
    assert "report: " in said


def test_annotations_become_truths_of_what_was_sent() -> None:
    annotations = [
        Annotation(0, 10, "qpsk", 1e6, 2e6, 12.0),
        Annotation(5, 10, "Fsk"),
        Annotation(6, 10, "door bell"),
        Annotation(0, 90, "noise"),
        Annotation(7, 10, "fm"),
    ]
    truths = truths_of(annotations, NETWORK)
    assert [(t.label, t.family) for t in truths] == [
        ("QPSK", "PSK"), ("", "FSK"), ("door bell", ""), ("FM", "FM"),
    ]  # fmt: skip
    assert truths[0] == Truth(0, 10, 1e6, 2e6, "QPSK", "PSK", 12.0)
    assert math.isnan(truths[1].lower_hz)
    assert math.isnan(truths[1].snr_db)
