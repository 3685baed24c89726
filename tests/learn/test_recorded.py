"""Recorded emissions: parted without a leak, and mixed with generated windows."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from liveclf.config import DataSettings, FitSettings, NetworkSettings, TrainSettings
from liveclf.errors import TrainingError, UsageError
from liveclf.learn import RECORDINGS
from liveclf.learn.data import material as material_module
from liveclf.learn.data.feed import Feed, GeneratedChunks
from liveclf.learn.data.material import gather
from liveclf.learn.data.recorded import MixedChunks, Recorded, RecordedEmission, part
from liveclf.learn.data.tuning import EMISSION
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import CHUNK, Labelled

SNR_DB = (-6.0, 30.0)


def windows(n: int, seed: int = 0) -> NDArray[np.float32]:
    """Return windows of unit power, none like another."""
    x = np.random.default_rng(seed).standard_normal((n, 2, 1024), np.float32)
    return x / np.sqrt(np.mean(np.square(x), axis=(1, 2), keepdims=True) * 2)


def emission(k: int, label: str = "BPSK", n: int = 3, **other: object) -> RecordedEmission:
    """Return emission number k: a second after the one before."""
    one = RecordedEmission(
        recording=f"{k}.sigmf-meta",
        label=label,
        x=windows(n, k),
        start=float(k),
        stop=k + 0.5,
        axis="UTC",
        lower_hz=433.0e6,
        upper_hz=433.1e6,
    )
    return replace(one, **other)  # type: ignore[arg-type]


def recorded(emissions: Sequence[RecordedEmission], *added: str) -> Recorded:
    return Recorded("mine", (*CLASSES, *added), tuple(emissions))


# ---------------------------------------------------------------- the parts


def test_of_each_class_a_share_is_held_out_and_the_rest_trained_on() -> None:
    labels = ["BPSK"] * 12 + ["OOK"] * 4 + ["CW"] * 3
    emissions = [emission(k, label) for k, label in enumerate(labels)]
    held = part(recorded(emissions), 0.25, seed=1)
    counts = {name: int(held[np.array(labels) == name].sum()) for name in dict.fromkeys(labels)}
    assert counts == {"BPSK": 3, "OOK": 1, "CW": 0}  # three are too few to part
    assert np.array_equal(held, part(recorded(emissions), 0.25, seed=1))
    others = [part(recorded(emissions), 0.25, seed) for seed in range(2, 6)]
    assert any(not np.array_equal(held, other) for other in others)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_emissions_that_share_time_and_band_are_in_one_part(share: float) -> None:
    """One is kept as unknown, and again from the page; a third overlaps the second alone."""
    emissions = [emission(k) for k in range(8)]
    emissions += [
        replace(e, recording="again", start=e.start + 0.3, stop=e.stop + 0.3) for e in emissions
    ]
    emissions += [
        replace(e, recording="third", start=e.start + 0.7, stop=e.stop + 0.7) for e in emissions[:3]
    ]
    for seed in range(10):
        held = part(recorded(emissions), share, seed)
        assert 0 < held.sum() < len(held)
        for k, one in enumerate(emissions):
            for other, is_held in zip(emissions, held, strict=True):
                if one.overlaps(other):
                    assert held[k] == is_held


@pytest.mark.parametrize(
    "apart",
    [
        {"axis": "another.sigmf-meta"},
        {"lower_hz": 433.1e6, "upper_hz": 433.2e6},
        {"start": 0.5, "stop": 0.9},
    ],
)
def test_what_is_elsewhere_overlaps_nothing(apart: dict[str, object]) -> None:
    other = emission(0, **apart)
    assert not emission(0).overlaps(other)
    assert len(np.unique(recorded([emission(0), other]).groups())) == 2
    everywhere = emission(0, lower_hz=-math.inf, upper_hz=math.inf)
    assert everywhere.overlaps(emission(0))


# ---------------------------------------------------------------- the mixture


@dataclass(frozen=True)
class Zeros(GeneratedChunks):
    """Generated windows that are told by their amplitude."""

    def __call__(self, index: int) -> Labelled:
        y = np.arange(CHUNK) % len(self.classes)
        x = np.zeros((CHUNK, 2, 1024), np.float16)
        return Labelled(x, y.astype(np.uint8), np.full(CHUNK, 5.0, np.float32))


def mixed(share: float, generated: GeneratedChunks | None = None) -> MixedChunks:
    """Return chunks with one long and two short emissions of one class, and one of another."""
    emissions = tuple(windows(n, n).astype(np.float16) for n in (50, 1, 2, 5))
    generated = generated or Zeros(1, SNR_DB, ("OOK", "BPSK"))
    return MixedChunks(generated, (0, 3), emissions, (7, 7, 7, 9), share)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_a_chunk_holds_the_share_asked_for_and_the_rest_is_rehearsed(share: float) -> None:
    made = pickle.loads(pickle.dumps(mixed(share)))(3)  # as a worker gets it
    is_recorded = np.any(made.x != 0, axis=(1, 2))
    assert is_recorded.sum() == round(share * CHUNK)
    assert set(made.y[~is_recorded].tolist()) == {0, 3}
    assert np.all(np.isnan(made.snr_db) == is_recorded)
    counts = np.bincount(made.y[is_recorded], minlength=10)
    assert counts[7] == pytest.approx(counts[9], abs=5 * math.sqrt(share * CHUNK))
    assert counts[7] + counts[9] == is_recorded.sum()
    assert not np.array_equal(mixed(share)(4).y, made.y)


def test_recorded_windows_are_those_of_the_emissions_but_for_the_phase() -> None:
    chunks = mixed(0.5)
    made = chunks(0)
    rows = np.flatnonzero(np.any(made.x != 0, axis=(1, 2)))
    whole = np.concatenate(chunks.emissions).astype(np.float64)
    known = (whole[:, 0] + 1j * whole[:, 1]) / 1024
    x = made.x[rows].astype(np.float64)
    likeness = np.abs((x[:, 0] + 1j * x[:, 1]) @ known.conj().T)
    which = likeness.argmax(axis=1)
    assert likeness.max(axis=1) == pytest.approx(1, abs=1e-2)
    of = np.repeat(np.arange(4), [50, 1, 2, 5])[which]
    assert np.array_equal(np.array([7, 7, 7, 9])[of], made.y[rows])
    # A long emission comes up no more often than a short one.
    counts = np.bincount(of, minlength=4)[:3]
    assert counts == pytest.approx(counts.mean(), abs=5 * math.sqrt(counts.mean()))


def test_the_batches_of_a_feed_hold_the_share() -> None:
    settings = DataSettings(pool_windows=2048, workers=1)
    with Feed(mixed(0.25), settings, seed=1, batch=256) as feed:
        batches = [x for x, _ in (batch for batch, _ in zip(feed, range(8), strict=False))]
    shares = [np.any(x != 0, axis=(1, 2)).mean() for x in batches]
    assert np.mean(shares) == pytest.approx(0.25, abs=0.05)


# ---------------------------------------------------------------- what a run gets


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> TrainSettings:
    """Return the settings of a run; what is generated is quickly made."""

    def heldout(_data: object, seed: int, classes: tuple[str, ...]) -> Labelled:
        return Zeros(seed, SNR_DB, classes)(0)

    monkeypatch.setattr(material_module, "heldout", heldout)
    monkeypatch.setattr(material_module, "GeneratedChunks", Zeros)
    return TrainSettings(
        network=NetworkSettings(start="small"),
        data=DataSettings(recorded_share=0.3, test_share=0.25),
        fit=FitSettings(seed=2),
    )


def test_no_window_that_is_held_out_is_trained_on(settings: TrainSettings, tmp_path: Path) -> None:
    """By their content: every emission has windows of its own."""
    mine = recorded([emission(k) for k in range(12)])
    told: list[str] = []
    material = gather(settings, tmp_path, told.append, recorded=mine)
    assert told == ["mine: 12 emissions with 36 windows (12 BPSK), 3 of them held out"]
    assert isinstance(material.chunks, MixedChunks)
    assert material.tuning is not None
    test = material.tuning.test()
    assert test is not None
    trained = {x.tobytes() for e in material.chunks.emissions for x in e}
    held = {x.tobytes() for x in test.x.astype(np.float16)}
    assert (len(trained), len(held)) == (27, 9)
    assert not trained & held
    assert np.bincount(test.groups[EMISSION]).max() == 3
    assert {CLASSES[k] for k in test.y} == {"BPSK"}
    assert material.check.classes == CLASSES
    assert len(np.unique(material.check.y)) == len(CLASSES)


def test_a_class_that_is_added_gets_the_last_number(
    settings: TrainSettings, tmp_path: Path
) -> None:
    mine = recorded([emission(k, "DMR") for k in range(4)], "DMR")
    material = gather(settings, tmp_path, lambda _: None, recorded=mine)
    made = material.chunks(0)
    assert int(np.sum(made.y == len(CLASSES))) == round(0.3 * CHUNK)
    assert material.check.y.max() == len(CLASSES) - 1  # it cannot be generated


def test_too_few_emissions_are_all_trained_on_and_it_is_said(
    settings: TrainSettings, tmp_path: Path
) -> None:
    told: list[str] = []
    mine = recorded([emission(k) for k in range(3)])
    material = gather(settings, tmp_path, told.append, recorded=mine)
    assert material.tuning is not None
    assert material.tuning.test() is None
    assert "of BPSK none is held out, as there are fewer than 4 apart" in told[1]


def test_classes_that_cannot_be_generated_are_at_risk_and_it_is_said(
    settings: TrainSettings, tmp_path: Path
) -> None:
    told: list[str] = []
    mine = Recorded("mine", ("DMR", "BPSK", "TETRA"), (emission(0, "TETRA"),))
    material = gather(settings, tmp_path, told.append, recorded=mine)
    assert "the generator does not make DMR" in told[-1]
    assert set(material.check.y.tolist()) == {1}
    nothing = Recorded("mine", ("DMR", "TETRA"), (emission(0, "TETRA"),))
    with pytest.raises(UsageError, match="none of its classes can be generated"):
        gather(settings, tmp_path, told.append, recorded=nothing)


def test_a_run_goes_on_with_the_emissions_it_began_with(
    settings: TrainSettings, tmp_path: Path
) -> None:
    mine = recorded([emission(k) for k in range(8)])
    first = gather(settings, tmp_path, lambda _: None, recorded=mine)
    with pytest.raises(TrainingError, match=r"recordings\.json is not there"):
        gather(settings, tmp_path, lambda _: None, recorded=mine, resume=True)
    first.keep(tmp_path)
    again = gather(settings, tmp_path, lambda _: None, recorded=mine, resume=True)
    assert again.fingerprint == first.fingerprint
    relabelled = recorded([emission(0, "OOK"), *mine.emissions[1:]])
    with pytest.raises(UsageError, match="or their labels, are not those that the run began"):
        gather(settings, tmp_path, lambda _: None, recorded=relabelled, resume=True)
    (tmp_path / RECORDINGS).write_text("{")
    with pytest.raises(TrainingError, match="is damaged"):
        gather(settings, tmp_path, lambda _: None, recorded=mine, resume=True)
