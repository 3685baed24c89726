"""What `liveclf bench` finds; as JSON, these are its keys."""

from __future__ import annotations

import msgspec

FORMAT = 1


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on.

    Attributes:
        processor: As the system calls it.
        cores: That this process may use.
        load: Programs that wanted a core in the minute before, None where unknown. Much
            above 0, and the figures are not those of the machine alone.
        system: Operating system.
        python: Version.
    """

    processor: str
    cores: int
    load: float | None
    system: str
    python: str


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """The median of some rounds.

    Attributes:
        windows_per_s: Median.
        spread: Half the distance from the slowest round to the fastest, over the median.
        rounds: How many.
        cpu_us_per_window: Time of all cores together; that of the clock is
            1e6 / windows_per_s.
    """

    windows_per_s: float
    spread: float
    rounds: int
    cpu_us_per_window: float


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One step alone, on data that lies ready.

    Attributes:
        name: Of the step.
        speed: Of it alone.
        samples_per_s: The same in samples.
        us_per_window: The same as time.
        share: Of the time of the loop, that is of all steps but the outputs. An output has a
            thread of its own: its share is beside these.
        bytes_per_sample: What it takes in and gives out, for each sample of the stream.
    """

    name: str
    speed: Speed
    samples_per_s: float
    us_per_window: float
    share: float
    bytes_per_sample: float


class CopyLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How far the making of windows is from a copy of these.

    Attributes:
        speed: Of np.copyto of the windows to where windows lay before.
        samples_per_s: The same in samples.
        ratio: Speed of the framer over it, median of the rounds.
        ratio_new: Speed of the framer over that of a copy into new memory, which it has to
            take as well, since its windows are kept behind it.
    """

    speed: Speed
    samples_per_s: float
    ratio: float
    ratio_new: float


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """The whole path into one output.

    Attributes:
        output: Its kind.
        speed: From the samples to the last record written.
        samples_per_s: The same in samples.
        ratio: Over the bare engine, median of the rounds: both alternate.
    """

    output: str
    speed: Speed
    samples_per_s: float
    ratio: float


class EndToEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The whole path beside the bare engine.

    Attributes:
        engine: The engine alone, in the same rounds.
        outputs: The whole path into each output.
    """

    engine: Speed
    outputs: list[Output]


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a stream of some rate.

    Attributes:
        rate_hz: Its sample rate.
        share: Of its windows that can be classified.
    """

    rate_hz: float
    share: float


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How late records are, from the last sample of the window to the record written.

    Attributes:
        rate_hz: At which samples came.
        policy: How windows are put into batches, in words.
        windows: Records measured.
        coverage: Of the windows that came, None where there was none.
        p50_ms: Median.
        p99_ms: One in a hundred is later.
        max_ms: The latest.
        cores: Time of all cores together, over that of the clock.
    """

    rate_hz: float
    policy: str
    windows: int
    coverage: float | None
    p50_ms: float
    p99_ms: float
    max_ms: float
    cores: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything; a part that was not reached before the user ended it is null.

    Attributes:
        format: Version of this layout.
        liveclf: Version of the program.
        machine: What was measured on.
        model: Name of the bundle.
        engine: What ran it.
        precision: Of its weights.
        batch: Most windows per call.
        samples: Name of their format.
        part_s: How long each part was measured.
        interrupted: Ended by the user, so not all rounds are there.
        stages: Each step alone.
        copy_limit: The first of these beside a plain copy.
        end_to_end: The whole.
        sustained_hz: Largest sample rate of which every window is classified.
        coverage: At some rates.
        latency: At one rate.
    """

    format: int = FORMAT
    liveclf: str
    machine: Machine
    model: str
    engine: str
    precision: str
    batch: int
    samples: str
    part_s: float
    interrupted: bool
    stages: list[Stage] | None
    copy_limit: CopyLimit | None
    end_to_end: EndToEnd | None
    sustained_hz: float | None
    coverage: list[Coverage] | None
    latency: Latency | None
