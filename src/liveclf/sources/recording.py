"""A recording, and the source that replays it."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from liveclf.config import SourceSettings
from liveclf.errors import UsageError
from liveclf.records import Annotation, Block, Capture, Dataset, Loss, SampleFormat, StreamInfo
from liveclf.sources.pacing import Pacer, wanted_span


class Samples(Protocol):
    """What holds the samples of a recording."""

    def __len__(self) -> int:
        """Return the number of complex samples."""
        ...

    def __getitem__(self, wanted: slice) -> NDArray[Any]:
        """Return samples, shape (n, 2), in the native format."""
        ...


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples that are all there, and what is known of them.

    Attributes:
        name: How messages call it.
        samples: The samples, sliceable.
        format: How they are stored.
        captures: In order, at least one; the first begins with sample 0; one that begins
            where the next does, or at the end, is empty.
        annotations: Labels that the recording itself carries.
        notes: Findings worth a line to the user, each a sentence.
        files: Where all this lies.
        dataset: The file of the samples, None where they lie in an archive.
    """

    name: str
    samples: Samples
    format: SampleFormat
    captures: tuple[Capture, ...]
    annotations: tuple[Annotation, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    dataset: Dataset | None = None


class ReplaySource:
    """Replays a recording, or a part of it, once or over and over.

    A loop goes from --start to the end of the recording; -n and --duration then limit
    what all passes deliver together. The recording's own annotations are those of its
    first pass: sample indices grow, and no label is at those of a later one. It can be
    paused, and hurried where it keeps time; a loop can be sought in, which ends its pass:
    what is left out of that is told as left out on purpose. A `Playback`.
    """

    def __init__(self, recording: Recording, settings: SourceSettings) -> None:
        """Work out what is to be replayed.

        Args:
            recording: What to replay.
            settings: Which part of it, how often and how fast.

        Raises:
            UsageError: The part asked for is not there, or seconds or real time
                are asked for and no rate is known.
        """
        rate_hz = recording.captures[0].sample_rate_hz
        n_samples = len(recording.samples)
        self._recording = recording
        self._pacer = Pacer(settings, rate_hz)
        start, stop = wanted_span(settings, rate_hz)
        if start >= n_samples:
            raise UsageError(
                f"--start {settings.start_s:g} s is beyond the end of {recording.name},"
                f" which is {n_samples / rate_hz:.6g} s long."
            )
        there = math.inf if settings.loop else n_samples - start
        # By all passes together.
        self._wanted = there if stop is None else min(stop - start, there)
        self._stretches = tuple(_stretches(recording.captures, start, n_samples))
        self._loops, self._sought = settings.loop, math.nan
        self._next, self._stop_sample = start, 0  # in the recording; in the stream
        # A file's name may be no text at all, and records carry it.
        name = recording.name.encode("utf-8", "surrogateescape")
        self.info = StreamInfo(
            name=name.decode("utf-8", "backslashreplace"),
            format=recording.format.name,
            sample_rate_hz=rate_hz,
            center_hz=self._stretches[0][0].center_hz,
            n_samples=None if self._wanted == math.inf else int(self._wanted),
            is_live=settings.realtime,
            annotations=recording.annotations,
            notes=recording.notes,
            files=recording.files,
            dataset=None if settings.loop else recording.dataset,
        )

    def close(self) -> None:
        """End the replay, from any thread."""
        self._pacer.close()

    @property
    def can_pause(self) -> bool:
        """Always."""
        return True

    @property
    def can_hurry(self) -> bool:
        """Whether it keeps time."""
        return self._pacer.keeps_time

    @property
    def can_seek(self) -> bool:
        """Whether it loops: else each sample has the index that the recording gives it."""
        return self._loops and self.length_s > 0

    @property
    def is_paused(self) -> bool:
        """Whether it is."""
        return self._pacer.is_paused

    @property
    def speed(self) -> float:
        """Times the recording's own."""
        return self._pacer.speed

    @property
    def position_s(self) -> float:
        """How far into the recording the next sample is."""
        return self._next / self.info.sample_rate_hz

    @property
    def length_s(self) -> float:
        """Of the recording."""
        return self._stretches[-1][2] / self.info.sample_rate_hz

    def pause(self, wanted: bool) -> None:
        """Stop, or go on; from any thread."""
        self._pacer.is_paused = wanted

    def set_speed(self, speed: float) -> None:
        """Deliver so many times as fast as the recording's rate; from any thread.

        Raises:
            UsageError: It is not above 0.
        """
        if not 0 < speed < math.inf:
            raise UsageError(f"A speed of {speed:g} is none; give one above 0.")
        self._pacer.speed = speed

    def seek(self, position_s: float) -> None:
        """End this pass, and begin the next so far into the recording; from any thread.

        Raises:
            UsageError: It is not there, or the replay does not loop.
        """
        if not self.can_seek or not 0 <= position_s < self.length_s:
            raise UsageError(f"There is nothing to seek at {position_s:g} s of {self.info.name}.")
        self._sought = position_s * self.info.sample_rate_hz

    def blocks(self) -> Iterator[Block]:
        """Yield the samples in order; each capture and each pass is a segment.

        A second pass counts on from where the first ended, so that sample
        indices, and time with them, only ever grow.

        Raises:
            SourceError: The file can no longer be read.
        """
        segment, counted_on, left = 0, 0, self._wanted
        first, last = self._stretches[0], self._stretches[-1]
        pass_samples = _absolute(last[0], last[2]) - _absolute(first[0], first[1])
        begin, losses = first[1], tuple[Loss, ...]()
        while left > 0 and not self._pacer.closed:
            for capture, start, stop in self._stretches:
                if stop <= begin:
                    continue
                start = max(start, begin)
                wanted = range(start, int(min(stop, start + left)))
                left -= yield from self._blocks(capture, wanted, segment, counted_on, losses)
                segment, losses = segment + 1, ()
                if not math.isnan(self._sought):
                    break
            counted_on += pass_samples
            begin, losses = self._found(first[1], counted_on)

    def _found(self, otherwise: int, counted_on: int) -> tuple[int, tuple[Loss, ...]]:
        """Return where the next pass begins, and what is left out before it."""
        sought, self._sought = self._sought, math.nan
        if math.isnan(sought):
            return otherwise, ()
        begin = max(otherwise, int(sought))
        capture = next(c for c, start, stop in reversed(self._stretches) if start <= begin < stop)
        jump = _absolute(capture, begin) + counted_on - self._stop_sample
        return begin, (Loss("sought elsewhere", jump, is_wanted=True),)

    def _blocks(
        self,
        capture: Capture,
        wanted: range,
        segment: int,
        counted_on: int,
        losses: tuple[Loss, ...],
    ) -> Generator[Block, None, int]:
        """Yield samples until something else is sought; return how many."""
        rate_hz = capture.sample_rate_hz
        step = self._pacer.block_samples(rate_hz)
        for start in wanted[::step]:
            if self._pacer.closed or not math.isnan(self._sought):
                return start - wanted.start
            iq = self._recording.samples[start : min(start + step, wanted.stop)]
            block = Block(
                iq=iq,
                format=self._recording.format,
                start_sample=_absolute(capture, start) + counted_on,
                segment=segment,
                sample_rate_hz=rate_hz,
                center_hz=capture.center_hz,
                epoch_s=capture.epoch_s,
                received_s=time.monotonic(),
            )
            if start > wanted.start and self._pacer.would_wait(len(iq), rate_hz):
                yield replace(block, iq=iq[:0])  # no more is waiting
            received_s = self._pacer.wait(len(iq), rate_hz)
            if received_s is None:
                return start - wanted.start
            self._next = start + len(iq)
            self._stop_sample = block.start_sample + len(iq)
            yield replace(block, received_s=received_s, losses=losses)
            losses = ()
        return len(wanted)


def _stretches(
    captures: tuple[Capture, ...], start: int, stop: int
) -> Iterator[tuple[Capture, int, int]]:
    ends = (*(capture.start for capture in captures[1:]), math.inf)
    for capture, end in zip(captures, ends, strict=True):
        first, last = max(start, capture.start), min(stop, end)
        if first < last:
            yield capture, first, int(last)


def _absolute(capture: Capture, index: int) -> int:
    return capture.start_sample + index - capture.start
