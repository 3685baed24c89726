"""Signals found in the band, and what is told of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

State = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Emission:
    """What is known of one emission, as it is written to an output.

    A long one is told while it lasts, and again when it has ended: a later record with the
    same stream and id replaces the earlier ones.

    Attributes:
        id: Number of the emission in its stream, from 1.
        state: "open" while it lasts, "closed" when it has ended.
        time: ISO 8601 UTC of the first sample, None where no clock is known.
        elapsed_s: Seconds from sample 0 to the first sample, None where no rate is known.
        sample: Absolute index of the first sample.
        n_samples: From the first sample to the last that was seen of it.
        duration_s: The same in seconds, None where no rate is known.
        center_hz: Middle of the occupied band, None where the radio's centre is unknown.
        offset_hz: The same from the radio's centre, None where no rate is known.
        bandwidth_hz: Occupied bandwidth, None where no rate is known.
        snr_db: Power over noise power, both inside the occupied band.
        power_dbfs: Mean power while it was there, dB full scale.
        label: Most probable class, or "unknown".
        family: Family of the most probable family sum, or "unknown".
        probability: Of the most probable class, over all windows.
        family_probability: Of the most probable family.
        top: The most probable classes and their probabilities, best first.
        symbol_rate_hz: Estimate, None where there is no line of it or no meaning in it.
        n_windows: How many the label rests on.
        note: Why it was not classified, or could not be brought to the rate that the network
            wants; None where there is nothing to say.
        latency_s: From the arrival of the last sample seen of it to this record.
        truth: Label of the recording's own annotation, None where there is none.
        stream: Number of the stream in its run, from 0.
        source: Name of the recording or device.
    """

    id: int
    state: State
    time: str | None
    elapsed_s: float | None
    sample: int
    n_samples: int
    duration_s: float | None
    center_hz: float | None
    offset_hz: float | None
    bandwidth_hz: float | None
    snr_db: float
    power_dbfs: float
    label: str
    family: str
    probability: float
    family_probability: float
    top: list[tuple[str, float]]
    symbol_rate_hz: float | None
    n_windows: int
    note: str | None
    latency_s: float
    truth: str | None
    stream: int
    source: str


@dataclass(frozen=True, slots=True)
class Heard:
    """How far an emission has been heard: what is known of it before it has a label.

    Attributes:
        id: Number of the emission in its stream, from 1.
        has_ended: Whether this is all of it.
        start_sample: Absolute index of its first sample.
        stop_sample: Behind the last that was heard of it.
        low: Lower edge of its band, cycles per sample, -1/2 to 1/2.
        high: Upper edge.
        snr: Power over noise power inside the band, a ratio.
        power: Mean while it was there, full scale 1.
        symbol_rate: Symbols per sample, None where there is no line of it.
        n_windows: Cut of it so far, for the network.
        note: What kept it from being cut as it should be, None where nothing did.
        sample_rate_hz: Of the stream, NaN if unknown.
        center_hz: Of the stream, NaN if unknown.
        epoch_s: UNIX time of sample 0, NaN if unknown.
        received_s: Monotonic time at which its newest sample arrived.
    """

    id: int
    has_ended: bool
    start_sample: int
    stop_sample: int
    low: float
    high: float
    snr: float
    power: float
    symbol_rate: float | None
    n_windows: int
    note: str | None
    sample_rate_hz: float
    center_hz: float
    epoch_s: float
    received_s: float


@dataclass(frozen=True, slots=True)
class Emissions:
    """What there is to tell at one time.

    Attributes:
        records: In the order of their ends.
        noise: Streams of what turned out to be noise, and is not told.
    """

    records: tuple[Emission, ...] = ()
    noise: tuple[int, ...] = ()

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.records)

    def rows(self) -> Iterator[Emission]:
        """Yield the records one by one."""
        yield from self.records

    def by_stream(self) -> Iterator[tuple[int, Self]]:
        """Yield each stream that is in it, and what is told of it."""
        for k in sorted({record.stream for record in self.records} | set(self.noise)):
            records = tuple(record for record in self.records if record.stream == k)
            yield k, type(self)(records, tuple(n for n in self.noise if n == k))
