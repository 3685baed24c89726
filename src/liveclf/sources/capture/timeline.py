"""Positions of a live stream that go on through everything that happens to its device."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from liveclf.records import Block, Loss
from liveclf.sources.capture.driver import Opened
from liveclf.sources.capture.ring import Slot
from liveclf.sources.samples import decode

OVERWRITTEN = "the classifier was late"
DEVICE = "the device dropped them"
CLOCK = "missing by the clock"
AWAY = "the device was away"
SETTLING = "a tuner settled"
CAUSES = (OVERWRITTEN, DEVICE, CLOCK, AWAY)  # of losses


class Timeline:
    """Slots of one capture after the other in, blocks of one stream out."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._expected = 0  # position that would continue the stream
        self._base = 0  # position of the first sample of this capture
        self._segment = self._segment_base = 0
        self._begun = True  # whether this capture has delivered
        self._last: Block | None = None
        self._before = (0, 0, 0)  # losses up to the slot before: device, clock, settling

    def restart(self) -> None:
        """Begin a new capture with the next slot."""
        self._begun = False

    def block(self, slot: Slot, opened: Opened) -> Block:
        """Turn a slot into a block, with the losses before it by cause."""
        away = self._continue(slot, opened) if not self._begun else 0
        iq = decode(slot.data, opened.format)
        start_sample = self._base + slot.start_sample
        totals = (slot.lost, slot.estimated, slot.settled)
        dropped, by_clock, settled = (now - b for now, b in zip(totals, self._before, strict=True))
        self._before = totals
        overwritten = start_sample - self._expected - dropped - by_clock - settled - away
        losses = (
            Loss(DEVICE, dropped),
            Loss(CLOCK, by_clock, is_exact=False),
            Loss(SETTLING, settled, is_wanted=True),
            Loss(AWAY, away, is_exact=False),
            Loss(OVERWRITTEN, overwritten, had_arrived=True),
        )
        self._segment = self._segment_base + slot.segment
        self._expected = start_sample + len(iq)
        self._last = Block(
            iq=iq,
            format=opened.format,
            start_sample=start_sample,
            segment=self._segment,
            sample_rate_hz=slot.sample_rate_hz,
            center_hz=slot.center_hz,
            epoch_s=slot.epoch_s - self._base / slot.sample_rate_hz,
            received_s=slot.received_s,
            losses=tuple(loss for loss in losses if loss.samples),
        )
        return self._last

    def silence(self, now_s: float) -> Block:
        """Return a block without samples, which says that time passes."""
        if self._last is not None:
            end = self._expected
            return replace(
                self._last, iq=self._last.iq[:0], start_sample=end, received_s=now_s, losses=()
            )
        fmt = self._opened.format
        return Block(
            iq=np.empty((0, 2), fmt.dtype),
            format=fmt,
            start_sample=0,
            segment=0,
            sample_rate_hz=self._opened.sample_rate_hz,
            center_hz=self._opened.center_hz,
            epoch_s=math.nan,
            received_s=now_s,
        )

    def _continue(self, slot: Slot, opened: Opened) -> int:
        """Place a new capture behind the last one; return how long that was away, in samples."""
        self._begun, self._before = True, (0, 0, 0)
        self._segment_base = self._segment + 1
        away = 0
        if self._last is not None:
            taken_s = len(slot.data) / opened.format.bytes_per_sample / slot.sample_rate_hz
            away_s = slot.received_s - taken_s - self._last.received_s
            if away_s > 0:  # False for NaN, where no rate is known
                away = round(away_s * slot.sample_rate_hz)
        self._base = self._expected + away
        return away
