"""The seams of the program: what a source, an engine and a sink have to offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

from numpy.typing import NDArray

from liveclf.emissions import Emission
from liveclf.records import Block, Detection, FloatArray, Gain, SampleFormat, StreamInfo


class Source(Protocol):
    """Anything that delivers samples."""

    @property
    def info(self) -> StreamInfo:
        """What is known before the first sample."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Yield blocks in stream order until the end.

        Raises:
            SourceError: The stream broke; blocks already yielded stay valid.
        """
        ...

    def close(self) -> None:
        """Release what is held; `blocks` ends soon after. May be called twice."""
        ...


@runtime_checkable
class Playback(Protocol):
    """A source whose pace is set while it runs; from any thread, heeded within a block."""

    @property
    def can_pause(self) -> bool:
        """Whether `pause` stops it."""
        ...

    @property
    def can_hurry(self) -> bool:
        """Whether it has a pace, so that `set_speed` changes it."""
        ...

    @property
    def can_seek(self) -> bool:
        """Whether `seek` goes elsewhere."""
        ...

    @property
    def is_paused(self) -> bool:
        """Whether it waits for `pause(False)`."""
        ...

    @property
    def speed(self) -> float:
        """Of its pace, 1 for that of the recording."""
        ...

    @property
    def position_s(self) -> float:
        """How far into the recording it is, NaN if no rate is known."""
        ...

    @property
    def length_s(self) -> float:
        """Of the recording, NaN if no rate is known."""
        ...

    def pause(self, wanted: bool) -> None:
        """Stop, or go on."""
        ...

    def set_speed(self, speed: float) -> None:
        """Take another pace, above 0."""
        ...

    def seek(self, position_s: float) -> None:
        """Go on elsewhere in the recording."""
        ...


@runtime_checkable
class Tunable(Protocol):
    """A source that can be tuned while it runs; from any thread."""

    @property
    def can_tune(self) -> bool:
        """Whether `tune` does anything."""
        ...

    def tune(self, center_hz: float) -> None:
        """Ask for another centre; what becomes of it is seen in the blocks, or told."""
        ...


@runtime_checkable
class Returning(Protocol):
    """A source that may go, and is looked for until it is back.

    Attributes:
        n_gone: How often it went.
        n_attempts: How often it was tried to open it again.
    """

    n_gone: int
    n_attempts: int

    @property
    def buffer_fill(self) -> float:
        """Share of its buffer that waits to be read, 0 to 1."""
        ...


@runtime_checkable
class Adjustable(Protocol):
    """A source whose gain is set while it runs; from any thread."""

    @property
    def gain(self) -> Gain | None:
        """As it is set, None if it cannot be set."""
        ...

    def set_gain(self, gain_db: float | None, stage: str = "") -> None:
        """Ask for another gain; what becomes of it is seen in `gain`, or told.

        Args:
            gain_db: None for automatic.
            stage: Which of `Gain.stages`.

        Raises:
            UsageError: It has no such gain.
        """
        ...


class Engine(Protocol):
    """Anything that runs a trained network."""

    @property
    def name(self) -> str:
        """How messages call it, such as "onnx int8, 2 threads"."""
        ...

    @property
    def batch_size(self) -> int:
        """Most windows per call; fewer are padded inside to a fixed shape."""
        ...

    def predict(self, x: FloatArray) -> FloatArray:
        """Run the network.

        Args:
            x: Windows, shape (n <= batch_size, 2, window) float32, unit mean power.

        Returns:
            Logits, shape (n, n_classes) float32.
        """
        ...


@runtime_checkable
class BackgroundEngine(Engine, Protocol):
    """An engine that works while its caller prepares the next batch."""

    def submit(self, x: NDArray[Any]) -> Callable[[], FloatArray]:
        """Begin to run the network.

        Args:
            x: As `predict` takes them; for a `DeviceEngine` also native ones of an accepted
                format. Not to be changed until the logits are there.

        Returns:
            What waits for the logits.
        """
        ...


@runtime_checkable
class DeviceEngine(BackgroundEngine, Protocol):
    """An engine on a device of its own, to which fewer bytes go if it normalises."""

    def accept(self, fmt: SampleFormat) -> bool:
        """Return whether windows of this format are taken as they are, (n, window, 2).

        They are then read with the offset of `fmt` and normalised on the device.
        """
        ...


class Report(Protocol):
    """What outputs are told at one time: `Detections` of windows, or `Emissions`."""

    def __len__(self) -> int:
        """Return the number of records."""
        ...

    def rows(self) -> Iterator[Detection | Emission]:
        """Yield the records one by one."""
        ...


ReportT = TypeVar("ReportT", bound=Report, contravariant=True)


class Sink(Protocol[ReportT]):
    """Anything that takes reports, of either kind or of one; each runs on its own thread."""

    def write(self, report: ReportT, /) -> None:
        """Take one batch, in stream order.

        Raises:
            SinkError: It could not be written.
        """
        ...

    def close(self, summary: dict[str, Any]) -> None:
        """Write what is held back and release everything.

        Args:
            summary: The figures of the whole run, plain numbers and strings.
        """
        ...


class Stage(Protocol):
    """A step on the sample stream: state only, no I/O and no clock."""

    def push(self, block: Block) -> Iterator[Block]:
        """Take one block and yield what is ready."""
        ...

    def flush(self) -> Iterator[Block]:
        """Yield what is left at the end of the stream."""
        ...
