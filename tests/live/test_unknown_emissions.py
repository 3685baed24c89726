"""Keeping unknown emissions: which samples, which words, and what is not kept."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_parts import CLASSES, FAMILY_OF, make_blocks

from liveclf.config import SourceSettings
from liveclf.emissions import Emissions, Heard
from liveclf.live.emission_decider import EmissionDecider, Rules
from liveclf.live.unknown_emissions import Candidates, Remembering, UnknownEmissionSaver
from liveclf.records import Block, StreamInfo
from liveclf.sources import open_source

RATE_HZ = 100e3
MARGIN = 5000  # 50 ms of it
RULES = Rules(CLASSES, FAMILY_OF, 1.0, top_k=2, min_probability=0.6, report_s=1.0)
HEARD = Heard(
    id=1, has_ended=True, start_sample=30_000, stop_sample=32_000, low=0.1, high=0.2, snr=100.0,
    power=0.01, symbol_rate=None, n_windows=0, note=None, sample_rate_hz=RATE_HZ,
    center_hz=433e6, epoch_s=1.7e9, received_s=2.0,
)  # fmt: skip


class Kept:
    """What stands around the saver in a run, by hand."""

    def __init__(self, folder: Path, limit_bytes: int = 10**9, pending_bytes: int = 10**9) -> None:
        self.folder = folder
        self.candidates = Candidates(RATE_HZ, 0.012, pending_bytes)
        self.saver = UnknownEmissionSaver(
            folder, self.candidates, limit_bytes=limit_bytes, generator="a test"
        )
        info = StreamInfo("fake", "cf32", RATE_HZ, 433e6, None, False)
        self.decider = Remembering(EmissionDecider(RULES, [info]), self.candidates)

    def push(self, *blocks: Block) -> None:
        for block in blocks:
            assert list(self.candidates.history.push(block)) == [block]

    def hear(self, **values) -> Emissions:
        told = self.decider.hear(0, [replace(HEARD, **values)], 2.5)
        self.saver.write(told)
        return told

    @property
    def metas(self) -> list[dict]:
        return [json.loads(p.read_text()) for p in sorted(self.folder.glob("*.sigmf-meta"))]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "unknown")


def blocks(*lengths: int, **values) -> list[Block]:
    return make_blocks(*lengths, sample_rate_hz=RATE_HZ, epoch_s=1.7e9, **values)


def replayed(folder: Path) -> list[Block]:
    (path,) = folder.glob("*.sigmf-meta")
    found = open_source(SourceSettings(path=str(path))).blocks()
    return [block for block in found if len(block.iq)]


def test_the_samples_of_an_unknown_emission_and_as_many_before_and_after_are_kept(kept):
    whole = blocks(*[7000] * 10)
    kept.push(*whole)
    kept.hear()
    found = replayed(kept.folder)
    assert found[0].start_sample == 28_000
    iq = np.concatenate([b.iq for b in found])
    assert np.array_equal(iq, np.concatenate([b.iq for b in whole])[28_000:34_000])
    assert (kept.saver.kept, kept.saver.not_kept) == (1, {"full": 0, "late": 0})
    assert kept.saver.report() == "1 unknown emissions kept in 1 recordings"


def test_the_annotation_says_where_it_was_and_what_was_guessed(kept):
    kept.push(*blocks(*[7000] * 10))
    kept.hear(n_windows=0, note="fills 3% of a window")
    (meta,) = kept.metas
    (one,) = meta["annotations"]
    assert (one["core:sample_start"], one["core:sample_count"]) == (2000, 2000)
    assert one["core:freq_lower_edge"] == pytest.approx(433e6 + 10e3)
    assert one["core:freq_upper_edge"] == pytest.approx(433e6 + 20e3)
    assert one["core:label"] == "unknown"
    assert one["core:generator"] == "a test"
    assert one["core:comment"] == "20 dB over the noise in its band; fills 3% of a window."
    info = open_source(SourceSettings(path=str(next(kept.folder.glob("*.sigmf-meta"))))).info
    assert [(a.start_sample, a.stop_sample, a.label) for a in info.annotations] == [
        (30_000, 32_000, "unknown")
    ]


def test_guesses_are_those_of_the_record(kept):
    kept.push(*blocks(*[7000] * 10))
    (record,) = kept.decider.hear(0, [replace(HEARD, n_windows=0)], 2.5).rows()
    guessed = replace(record, top=[("BPSK", 0.4), ("QPSK", 0.35), ("noise", 0.0)], n_windows=7)
    kept.saver.write(Emissions((guessed,)))
    (meta,) = kept.metas
    comment = meta["annotations"][0]["core:comment"]
    assert comment.startswith("Guesses over 7 windows: BPSK 40%, QPSK 35%; 20 dB")


def test_the_margin_is_no_longer_than_so_much(kept):
    kept.push(*blocks(*[10_000] * 10))
    kept.hear(start_sample=30_000, stop_sample=60_000)
    found = replayed(kept.folder)
    assert found[0].start_sample == 30_000 - MARGIN
    assert sum(len(b.iq) for b in found) == 30_000 + 2 * MARGIN


def test_of_one_that_lasted_long_the_end_is_kept_and_the_rest_is_said(kept):
    kept.push(*blocks(*[10_000] * 42))
    kept.hear(start_sample=10_000, stop_sample=400_000)
    found = replayed(kept.folder)
    assert found[0].start_sample == 400_000 - 100_000 - MARGIN  # a second of it
    (one,) = kept.metas[0]["annotations"]
    assert one["core:sample_start"] + one["core:sample_count"] == 100_000 + MARGIN
    assert "the first 285,000 samples are not kept" in one["core:comment"]


def test_what_was_told_while_it_lasted_is_kept_when_it_has_ended(kept):
    kept.push(*blocks(*[7000] * 10))
    kept.hear(has_ended=False)
    assert kept.metas == []
    kept.hear()
    assert len(kept.metas) == 1


def test_what_is_known_is_not_kept_and_its_samples_are_forgotten(kept):
    kept.push(*blocks(*[7000] * 10))
    (record,) = kept.decider.hear(0, [HEARD], 2.5).rows()
    kept.saver.write(Emissions((replace(record, label="BPSK"),)))
    assert kept.metas == []
    assert kept.candidates.take(1) == []


def test_samples_of_before_a_retune_are_not_mixed_with_it(kept):
    first, second = blocks(31_000, 40_000)
    kept.push(first, replace(second, center_hz=868e6, segment=1))
    kept.hear(start_sample=31_500, stop_sample=36_000)
    assert {b.center_hz for b in replayed(kept.folder)} == {868e6}
    assert replayed(kept.folder)[0].start_sample == 31_000


def test_a_full_folder_takes_no_more_and_says_how_many(tmp_path, caplog):
    kept = Kept(tmp_path / "unknown", limit_bytes=120_000)
    kept.push(*blocks(*[7000] * 10))
    for k in range(1, 6):
        kept.hear(id=k)
    assert (kept.saver.kept, kept.saver.not_kept["full"]) == (2, 3)
    assert sum(p.stat().st_size for p in kept.folder.iterdir()) <= 120_000
    assert "3 not kept, as 0.12 MB are reached (--save-unknown-max)" in kept.saver.report()
    assert sum("is full" in r.message for r in caplog.records) == 1


def test_what_waits_for_its_label_is_bounded_and_what_had_to_go_is_counted(tmp_path):
    kept = Kept(tmp_path / "unknown", pending_bytes=100_000)  # two of 6000 samples of 8 bytes
    kept.push(*blocks(*[7000] * 10))
    told = [kept.decider.hear(0, [replace(HEARD, id=k)], 2.5) for k in range(1, 6)]
    for report in told:
        kept.saver.write(report)
    assert (kept.saver.kept, kept.saver.not_kept["late"]) == (2, 3)
    assert "3 not kept, as they were told too late" in kept.saver.report()


def test_without_a_centre_the_edges_count_from_0_hz(kept):
    kept.push(*make_blocks(*[7000] * 10, center_hz=math.nan))
    kept.hear(center_hz=math.nan)
    (meta,) = kept.metas
    (one,) = meta["annotations"]
    assert one["core:freq_lower_edge"] == pytest.approx(10e3)
    assert one["core:freq_upper_edge"] == pytest.approx(20e3)


def test_without_a_rate_or_a_centre_there_are_no_edges(kept):
    nothing = {"sample_rate_hz": math.nan, "center_hz": math.nan, "epoch_s": math.nan}
    kept.push(*make_blocks(*[7000] * 10, **nothing))
    kept.hear(**nothing)
    (meta,) = kept.metas
    assert not [key for key in meta["annotations"][0] if "edge" in key]
