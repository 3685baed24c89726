"""Thresholds that are set while a run goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fake_parts import CLASSES, FAMILY_OF, make_windows
from test_emission_decider import HEARD
from test_finder import BURSTS, WINDOW, blocks_of, bursts

from liveclf.config import DetectSettings
from liveclf.live.emission_decider import EmissionDecider, Rules
from liveclf.live.finder import Finder
from liveclf.live.thresholds import Thresholds
from liveclf.records import StreamInfo


def made() -> tuple[Finder, EmissionDecider, Thresholds]:
    rules = Rules(CLASSES, FAMILY_OF, 1.0, top_k=2, min_probability=0.6, report_s=1.0)
    decider = EmissionDecider(rules, [StreamInfo("fake", "cf32", 1e6, 433e6, None, False)])
    finder = Finder(WINDOW, DetectSettings())
    return finder, decider, Thresholds([finder], decider)


def ended_with(raised_at: int) -> tuple[list[int], Finder]:
    """Raise the least SNR beyond all at a sample; return where what was told began."""
    finder, _, thresholds = made()
    heard = []
    for block in blocks_of(bursts(), 5000):
        if block.start_sample >= raised_at:
            thresholds.min_snr_db = 50
        list(finder.push(block))
        heard += finder.heard()
    list(finder.flush())
    heard += finder.heard()
    return [one.start_sample for one in heard if one.has_ended], finder


def test_what_is_weaker_is_left_out_from_then_on():
    told, finder = ended_with(raised_at=230_000)
    assert len(told) == len(BURSTS) - 1
    assert finder.left_out["too weak"] == 1


def test_what_was_told_before_is_told_to_its_end():
    start, stop, center = 50_000, 350_000, 0.1
    iq = bursts()
    iq[start:stop] += (0.1 * np.exp(2j * np.pi * center * np.arange(stop - start))).astype("c8")
    finder, _, thresholds = made()
    heard = []
    for block in blocks_of(iq, 5000):
        list(finder.push(block))
        heard += finder.heard()
        if any(abs(one.low - center) < 0.02 for one in heard):
            thresholds.min_snr_db = 60
    list(finder.flush())
    heard += finder.heard()
    last = [one for one in heard if one.low < center < one.high][-1]
    assert last.has_ended
    assert abs(last.stop_sample - stop) < 5000


def test_a_label_is_unknown_below_what_was_set_last():
    _, decider, thresholds = made()
    logits = np.zeros((2, len(CLASSES)), np.float32)
    logits[:, 1] = 3.0  # some 90 %

    def label(number: int) -> str:
        decider.decide(make_windows(2, emission_id=number), logits, 2.5)
        (record,) = decider.hear(0, [replace(HEARD, id=number)], 2.5).rows()
        return record.label

    assert label(1) == CLASSES[1]
    thresholds.min_probability = 0.99
    assert (label(2), thresholds.min_probability) == ("unknown", 0.99)
    thresholds.min_probability = 0.0
    assert label(3) == CLASSES[1]
