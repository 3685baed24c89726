"""The types that travel: frozen dataclasses with arrays inside.

    source --Block--> framer --Windows--> batcher --> engine --logits--> decider
           --Detections--> sinks

Nothing on this path is a Python object per sample or per window; a sink that
wants single records asks `Detections.rows` for them on its own thread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """How one I or Q value is stored.

    Attributes:
        name: The common name, such as "cu8".
        dtype: NumPy type of one component, as it arrives.
        offset: Value of the component at zero signal.
        full_scale: Distance from `offset` that counts as 0 dBFS.
    """

    name: str
    dtype: np.dtype[Any]
    offset: float
    full_scale: float

    @property
    def bytes_per_sample(self) -> int:
        """Bytes of one complex sample."""
        return 2 * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Loss:
    """Samples that are missing before a block, and why.

    Attributes:
        cause: In words for the user.
        samples: How many.
        is_exact: Counted, not estimated from a clock.
        is_wanted: Left out on purpose, as while a tuner settles.
        had_arrived: Dropped in this program for want of time, so it counts as not covered.
    """

    cause: str
    samples: int
    is_exact: bool = True
    is_wanted: bool = False
    had_arrived: bool = False


@dataclass(frozen=True, slots=True)
class GainStage:
    """One stage of a radio's gain.

    Attributes:
        name: As its driver calls it, "" for all stages together.
        low_db: The least that it takes.
        high_db: The most.
        step_db: From one value to the next, 0 for any.
        now_db: As it is set, NaN if that is not known.
    """

    name: str
    low_db: float
    high_db: float
    step_db: float = 0.0
    now_db: float = math.nan


@dataclass(frozen=True, slots=True)
class Gain:
    """How much a radio amplifies, and what it can be told.

    Attributes:
        is_auto: It sets itself.
        has_auto: It can.
        stages: What can be set; all together first, then each, if there are several.
    """

    is_auto: bool
    has_auto: bool
    stages: tuple[GainStage, ...] = ()

    @property
    def text(self) -> str:
        """As --gain takes it."""
        if self.is_auto or not self.stages:
            return "auto"
        named = [f"{stage.name}={stage.now_db:g}" for stage in self.stages if stage.name]
        return ",".join(named) or f"{self.stages[0].now_db:g}"


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples as the source delivered them.

    Attributes:
        iq: I and Q in the native format, shape (n, 2), dtype `format.dtype`.
        format: How to read `iq`.
        start_sample: Absolute index of the first sample; a jump is a gap.
        segment: Changes where continuity ends without a loss: a retune, a new
            capture, the joint of a loop.
        sample_rate_hz: Samples per second, NaN if unknown.
        center_hz: Tuned frequency, NaN if unknown.
        epoch_s: UNIX time of sample index 0 on this segment's clock, NaN if
            unknown: sample k was taken at epoch_s + k / sample_rate_hz.
        received_s: `time.monotonic()` when the block arrived.
        losses: What the jump of `start_sample` before this block consists of, as far as it
            is known.
    """

    iq: NDArray[Any]
    format: SampleFormat
    start_sample: int
    segment: int
    sample_rate_hz: float
    center_hz: float
    epoch_s: float
    received_s: float
    losses: tuple[Loss, ...] = ()

    @property
    def stretch(self) -> tuple[Any, ...]:
        """What all blocks of a stretch without a break share, None for what is unknown."""
        numbers = (self.sample_rate_hz, self.center_hz, self.epoch_s)
        return self.segment, self.format, *map(_known, numbers)


@dataclass(frozen=True, slots=True)
class Windows:
    """Network inputs and where each came from.

    Attributes:
        x: Normalised: shape (n, 2, window) float32; row 0 is I, row 1 is Q; unit mean
            power per window. For an engine that normalises itself: integers as the
            radio delivers them, shape (n, window, 2).
        stream_id: Of which stream, counted from 0, (n,) int64.
        emission_id: Of which emission of the stream, -1 for the whole band, (n,) int64.
        start_sample: Absolute index of each first sample, (n,) int64.
        gap_before: Samples lost just before the window, (n,) int64.
        power_dbfs: Mean power before normalisation, (n,) float32, dB full scale.
        sample_rate_hz: (n,) float64, NaN if unknown.
        center_hz: (n,) float64, NaN if unknown.
        epoch_s: UNIX time of sample 0, (n,) float64, NaN if unknown.
        received_s: Monotonic time at which the last sample arrived, (n,) float64.
    """

    x: NDArray[Any]
    stream_id: NDArray[np.int64]
    emission_id: NDArray[np.int64]
    start_sample: NDArray[np.int64]
    gap_before: NDArray[np.int64]
    power_dbfs: FloatArray
    sample_rate_hz: NDArray[np.float64]
    center_hz: NDArray[np.float64]
    epoch_s: NDArray[np.float64]
    received_s: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.x)

    @property
    def window_samples(self) -> int:
        """Length of every window."""
        return int(self.x.shape[1 if self.x.dtype.kind in "iu" else 2])

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> Self:
        """Return some of the windows, in order."""
        return type(self)(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join several, in order; one part is returned as it is."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


@dataclass(frozen=True, slots=True)
class Detection:
    """One labelled window, as it is written to an output.

    Attributes:
        time: ISO 8601 UTC of the first sample, None where no clock is known.
        elapsed_s: Seconds from sample 0, None where no rate is known.
        sample: Absolute index of the first sample.
        duration_s: Length of the window, None where no rate is known.
        center_hz: Tuned frequency, None if unknown.
        sample_rate_hz: None if unknown.
        label: Most probable class, or "unknown".
        family: Family of the most probable family sum, or "unknown".
        probability: Of the most probable class.
        family_probability: Of the most probable family.
        top: The most probable classes and their probabilities, best first.
        power_dbfs: Mean power of the window, dB full scale.
        level_db: Power over the running noise floor, None until that is known.
        gap_before: Samples lost just before this window.
        latency_s: From the arrival of the last sample to this record.
        truth: Label of the recording's own annotation, None where there is none.
        stream: Number of the stream in its run, from 0.
        source: Name of the recording or device.
    """

    time: str | None
    elapsed_s: float | None
    sample: int
    duration_s: float | None
    center_hz: float | None
    sample_rate_hz: float | None
    label: str
    family: str
    probability: float
    family_probability: float
    top: list[tuple[str, float]]
    power_dbfs: float
    level_db: float | None
    gap_before: int
    latency_s: float
    truth: str | None
    stream: int
    source: str


@dataclass(frozen=True, slots=True)
class Detections:
    """The decisions on one batch, column by column.

    Attributes:
        stream_id: (n,) int64, index into `stream_names`.
        start_sample: (n,) int64.
        window_samples: Length of every window.
        gap_before: (n,) int64, samples.
        sample_rate_hz: (n,) float64, NaN if unknown.
        center_hz: (n,) float64, NaN if unknown.
        epoch_s: (n,) float64, NaN if unknown.
        power_dbfs: (n,) float32.
        level_db: (n,) float32, NaN until the noise floor is known.
        latency_s: (n,) float64.
        label: (n,) int, index into `class_names`, -1 for unknown.
        family: (n,) int, index into `family_names`, -1 for unknown.
        probability: (n,) float32, of the most probable class.
        family_probability: (n,) float32, of the most probable family.
        top_label: (n, k) int, best first.
        top_probability: (n, k) float32.
        truth: (n,) int, index into `truth_names`, -1 where none is annotated.
        class_names: Names that `label` and `top_label` index.
        family_names: Names that `family` indexes.
        truth_names: Names that `truth` indexes.
        stream_names: Names that `stream_id` indexes.
    """

    stream_id: NDArray[np.int64]
    start_sample: NDArray[np.int64]
    window_samples: int
    gap_before: NDArray[np.int64]
    sample_rate_hz: NDArray[np.float64]
    center_hz: NDArray[np.float64]
    epoch_s: NDArray[np.float64]
    power_dbfs: FloatArray
    level_db: FloatArray
    latency_s: NDArray[np.float64]
    label: NDArray[np.int64]
    family: NDArray[np.int64]
    probability: FloatArray
    family_probability: FloatArray
    top_label: NDArray[np.int64]
    top_probability: FloatArray
    truth: NDArray[np.int64]
    class_names: tuple[str, ...]
    family_names: tuple[str, ...]
    truth_names: tuple[str, ...]
    stream_names: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of windows decided on."""
        return len(self.start_sample)

    def by_stream(self) -> Iterator[tuple[int, Self]]:
        """Yield each stream that is in it and its windows, in order."""
        if len(self.stream_names) == 1:
            yield 0, self
            return
        columns = [f.name for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)]
        for k in np.unique(self.stream_id).tolist():
            rows = self.stream_id == k
            yield k, replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def rows(self) -> Iterator[Detection]:
        """Yield the records one by one, in stream order."""
        # tolist() once a column: some ten times faster than indexing NumPy scalars.
        elapsed_s = self.start_sample / self.sample_rate_hz
        columns = zip(
            (self.epoch_s + elapsed_s).tolist(),
            elapsed_s.tolist(),
            self.start_sample.tolist(),
            (self.window_samples / self.sample_rate_hz).tolist(),
            self.center_hz.tolist(),
            self.sample_rate_hz.tolist(),
            self.label.tolist(),
            self.family.tolist(),
            _rounded(self.probability, 4),
            _rounded(self.family_probability, 4),
            self.top_label.tolist(),
            _rounded(self.top_probability, 4),
            _rounded(self.power_dbfs, 2),
            _rounded(self.level_db, 2),
            self.gap_before.tolist(),
            _rounded(self.latency_s, 6),
            self.truth.tolist(),
            self.stream_id.tolist(),
            strict=True,
        )
        names, families, truths = self.class_names, self.family_names, self.truth_names
        for t, el, k, d, fc, fs, lab, fam, p, fp, tl, tp, pw, lv, gap, lat, tru, st in columns:
            yield Detection(
                time=known_utc(t),
                elapsed_s=_known(el),
                sample=k,
                duration_s=_known(d),
                center_hz=_known(fc),
                sample_rate_hz=_known(fs),
                label=names[lab] if lab >= 0 else "unknown",
                family=families[fam] if fam >= 0 else "unknown",
                probability=p,
                family_probability=fp,
                top=[(names[i], q) for i, q in zip(tl, tp, strict=True)],
                power_dbfs=pw,
                level_db=_known(lv),
                gap_before=gap,
                latency_s=lat,
                truth=truths[tru] if tru >= 0 else None,
                stream=st,
                source=self.stream_names[st],
            )


@dataclass(frozen=True, slots=True)
class Annotation:
    """A stretch of a recording that its own metadata names.

    Attributes:
        start_sample: Absolute index of the first sample.
        stop_sample: Absolute index after the last sample.
        label: What it is said to be.
        lower_hz: Lower edge of its band, absolute; None where it is said of no band.
        upper_hz: Upper edge.
        snr_db: Power over noise power inside the band, None where it is not said.
    """

    start_sample: int
    stop_sample: int
    label: str
    lower_hz: float | None = None
    upper_hz: float | None = None
    snr_db: float | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """A stretch of a recording without a loss or a retune.

    Attributes:
        start: Index of its first sample in the file.
        start_sample: Absolute index of that sample; a jump is a loss.
        sample_rate_hz: NaN if unknown.
        center_hz: NaN if unknown.
        epoch_s: UNIX time of absolute index 0 on its clock, NaN if unknown.
    """

    start: int
    start_sample: int
    sample_rate_hz: float
    center_hz: float
    epoch_s: float


@dataclass(frozen=True, slots=True)
class Dataset:
    """The file whose samples a stream replays, so that an output can point into it.

    Attributes:
        path: The file.
        format: How a sample is stored.
        n_samples: How many there are.
        captures: Its stretches, in order, at least one.
        header_bytes: Before the first sample.
        trailing_bytes: After the last.
        metadata: The SigMF metadata that describe it, None where there are none.
        first_index: Index that those give to the first sample.
        decimation: Samples of the file for one of the stream.
    """

    path: Path
    format: SampleFormat
    n_samples: int
    captures: tuple[Capture, ...]
    header_bytes: int = 0
    trailing_bytes: int = 0
    metadata: Path | None = None
    first_index: int = 0
    decimation: int = 1


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What is known of a stream before its first sample.

    Attributes:
        name: How messages call it.
        format: Name of the sample format.
        sample_rate_hz: NaN if unknown.
        center_hz: Of the first segment, NaN if unknown.
        n_samples: Samples that will come, None if endless or unknown.
        is_live: True for a radio or socket: it will not wait for us.
        annotations: Labels that the recording itself carries.
        notes: Findings worth a line to the user, each a sentence.
        files: What is read, so that no output is written over it.
        dataset: The file that is replayed, None where the stream is not just that: a radio,
            a pipe, an archive, a recording in a loop, several streams.
    """

    name: str
    format: str
    sample_rate_hz: float
    center_hz: float
    n_samples: int | None
    is_live: bool
    annotations: tuple[Annotation, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    dataset: Dataset | None = None


# What ISO 8601 writes with a year of four digits: 0001 to 9999.
_FIRST_S = -62_135_596_800
_END_S = 253_402_300_799  # the last second is left out, as its fraction may round up


def iso_utc(unix_s: float) -> str:
    """Write a UNIX time as ISO 8601 UTC with microseconds, as SigMF does."""
    # The calendar is worked out once a second, not once a record: four times faster.
    second = math.floor(unix_s)
    microsecond = round((unix_s - second) * 1e6)
    if microsecond == 1_000_000:
        second, microsecond = second + 1, 0
    return f"{_calendar(second)}.{microsecond:06d}Z"


def known_utc(unix_s: float) -> str | None:
    """Write a UNIX time as `iso_utc` does; None if unknown, or in no year of four digits."""
    return iso_utc(unix_s) if _FIRST_S <= unix_s < _END_S else None  # NaN is in no range


@lru_cache(maxsize=256)
def _calendar(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()


def _rounded(column: NDArray[Any], digits: int) -> list[Any]:
    rounded: list[Any] = column.astype(np.float64).round(digits).tolist()
    return rounded


def _known(value: float) -> float | None:
    return None if value != value else value  # x != x is the test for NaN
