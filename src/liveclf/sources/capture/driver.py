"""The seam between a radio or server and the capture process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from liveclf.records import Gain, SampleFormat

Data = bytes | bytearray | memoryview | NDArray[Any]


@dataclass(frozen=True)
class Opened:
    """What a driver found and set, read back from it.

    Attributes:
        name: How messages call it, such as "RTL-SDR 00000001 (R820T)".
        format: How the bytes are stored that it will deliver.
        sample_rate_hz: The real one, NaN if it does not say.
        center_hz: The real one, NaN if it does not say.
        notes: What else was set, and findings worth a line to the user, each a sentence.
        has_clock: Samples come at the sample rate, as from a radio: a deficit against the
            clock is a loss. False where the sender may pause.
        tells_losses: It says exactly how many samples were lost, so nothing is estimated
            from the clock.
        settle_s: After a retune so much is not fit for use.
        stall_s: Without a sample for so long it is taken for gone, and opened again; None
            if silence is no fault.
        can_tune: `Driver.tune` does not always refuse.
        gain: As it is set, None if `Driver.set_gain` always refuses.
    """

    name: str
    format: SampleFormat
    sample_rate_hz: float
    center_hz: float
    notes: tuple[str, ...] = ()
    has_clock: bool = True
    tells_losses: bool = False
    settle_s: float = 0.05
    stall_s: float | None = 2.0
    can_tune: bool = True
    gain: Gain | None = None


class Tape(Protocol):
    """Where a driver writes its samples; never blocks."""

    def write(self, data: Data, *, lost: int = 0, estimated: int = 0) -> None:
        """Append samples; the bytes are copied at once.

        Args:
            data: Bytes in the format that was announced; a rest that is no whole sample is
                kept for the next call, unless samples were lost before it.
            lost: Samples that the device says are missing just before these.
            estimated: Samples missing just before these as far as can be guessed.
        """
        ...

    def overflow(self) -> None:
        """Note that the device lost samples here and does not say how many.

        The clock tells, once it is certain; until then the stream is marked as broken here,
        so that no window bridges the hole.
        """
        ...

    def retune(self, sample_rate_hz: float, center_hz: float) -> None:
        """Say that the samples from here on have another rate or centre."""
        ...

    def clock(self, first_s: float) -> None:
        """Say when the next sample was taken, in UNIX time; else the host's clock tells.

        Only before the first sample, or behind `retune`: a stretch has one clock.
        """
        ...

    def tell(self, sentence: str) -> None:
        """Say something that is worth a line to the user."""
        ...


@dataclass(frozen=True)
class Found:
    """A device that is there.

    Attributes:
        device: What to give as --device to get this one.
        name: What it calls itself.
        facts: What is known of it: serial, tuner, ranges of rate, frequency and gain.
    """

    device: str
    name: str
    facts: dict[str, str]


class Driver(Protocol):
    """A radio or a server, opened. Runs in the capture process."""

    @property
    def opened(self) -> Opened:
        """What was found and set."""
        ...

    def stream(self, tape: Tape) -> None:
        """Deliver samples until `stop`; returns when the device has gone.

        Raises:
            SourceError: It broke; opened again it may work.
            UsageError, MissingExtraError: It will never work like this.
        """
        ...

    def tune(self, center_hz: float) -> float:
        """Tune while it streams, from another thread.

        Returns:
            The real centre.

        Raises:
            SourceError: It refused.
        """
        ...

    def set_gain(self, gain_db: float | None, stage: str) -> Gain:
        """Set the gain while it streams, from another thread.

        Args:
            gain_db: Within the limits of `opened.gain`; None for automatic.
            stage: One of `opened.gain`.

        Returns:
            The real gain.

        Raises:
            SourceError, UsageError: It refused.
        """
        ...

    def stop(self) -> None:
        """End `stream` soon, from another thread; may be called twice."""
        ...

    def close(self) -> None:
        """Release the device, after `stream` has ended; may hang, the process is then ended."""
        ...
