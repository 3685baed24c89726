"""What `liveclf run` reads, one stream or several: opened, introduced, told together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from liveclf.config import RunSettings, StreamSettings
from liveclf.errors import UsageError
from liveclf.live.pipeline import Cutter, Stream
from liveclf.live.shedding import policy_of
from liveclf.live.stats import Cut, Stats
from liveclf.notes import Note
from liveclf.protocols import Source, Stage
from liveclf.records import StreamInfo

if TYPE_CHECKING:
    from liveclf.model.bundle import BundleInfo

# Each has a thread and a few blocks in memory; an archive is no matter of reading side by side.
MOST_STREAMS = 64
Tell = Callable[[str], None]


def wanted_streams(settings: RunSettings) -> tuple[StreamSettings, ...]:
    """Return the settings of each stream, at least one.

    Raises:
        UsageError: So many cannot be read, or not like this.
    """
    streams = settings.streams
    if len(streams) < 2:
        return streams or (StreamSettings(source=settings.source, radio=settings.radio),)
    if len(streams) > MOST_STREAMS:
        raise UsageError(
            f"{len(streams)} streams are given, and at most {MOST_STREAMS} are read side by side;"
            " give fewer at a time."
        )
    if sum(stream.source.path == "-" for stream in streams) > 1:
        raise UsageError("Standard input, -, is given more than once; it is one stream.")
    if settings.output.save_unknown:
        raise UsageError(
            f"--save-unknown {settings.output.save_unknown} keeps the samples of one stream, and"
            f" {len(streams)} are given; run each with a folder of its own."
        )
    return streams


def open_sources(streams: Sequence[StreamSettings], tell: Tell) -> list[Source]:
    """Open the source of each stream, or none.

    Raises:
        LiveclfError: One cannot be opened; the others are closed.
    """
    from liveclf.sources import open_source

    sources: list[Source] = []
    try:
        for stream in streams:
            sources.append(open_source(stream.source, stream.radio, tell))
    except BaseException:
        for source in sources:
            source.close()
        raise
    return sources


def lay_out(
    source: Source,
    settings: StreamSettings,
    info: BundleInfo,
    framer: Cutter,
    when_slow: str,
) -> tuple[Stream, StreamInfo]:
    """Put together what the samples of a source pass through.

    Args:
        source: Where they come from.
        settings: Of its stream.
        info: Of the network.
        framer: Of the stream.
        when_slow: The setting.

    Returns:
        The stream, and what is known of it as the framer and all behind it see it.

    Raises:
        UsageError: The policy of `when_slow` does not go with the source.
    """
    from liveclf.dsp.decimate import Decimator
    from liveclf.dsp.shift import Shifter

    shifter = Shifter(float(settings.radio.offset_hz))
    decimator = Decimator(settings.source.decimate)
    stages: list[Stage] = [
        *([shifter] if settings.radio.offset_hz else []),
        *([decimator] if settings.source.decimate > 1 else []),
    ]
    can_wait = settings.source.realtime or not source.info.is_live
    policy = policy_of(when_slow, source.info, can_wait=can_wait)
    stream = Stream(source, stages, framer, Stats(info.families), policy)
    return stream, decimator.describe(shifter.describe(source.info))


def all_of(infos: Sequence[StreamInfo]) -> StreamInfo:
    """Return what outputs are told of several streams: what they have in common."""
    if len(infos) == 1:
        return infos[0]
    rates = {info.sample_rate_hz for info in infos}
    centers = {info.center_hz for info in infos}
    return StreamInfo(
        name=f"{len(infos)} streams",
        format=", ".join(dict.fromkeys(info.format for info in infos)),
        sample_rate_hz=rates.pop() if len(rates) == 1 else math.nan,
        center_hz=centers.pop() if len(centers) == 1 else math.nan,
        n_samples=None,
        is_live=any(info.is_live for info in infos),
        files=tuple(file for info in infos for file in info.files),
    )


def introduce(infos: Sequence[StreamInfo], model: str, tell: Tell) -> None:
    """Say what is read, and what does not go without saying."""
    for number, info in enumerate(infos):
        stream = f"stream {number}, " if len(infos) > 1 else ""
        rate = f"{info.sample_rate_hz / 1e6:g} MS/s" if info.sample_rate_hz > 0 else "rate unknown"
        center = f", {info.center_hz / 1e6:g} MHz" if info.center_hz == info.center_hz else ""
        tell(
            Note(f"{stream}{info.name}: {info.format}, {rate}{center}; {model}", "start",
                 stream=number, source=info.name, format=info.format, model=model,
                 sample_rate_hz=info.sample_rate_hz, center_hz=info.center_hz)
        )  # fmt: skip
        if not info.sample_rate_hz > 0:
            tell(
                Note("The sample rate is not known: positions are in samples; give --rate for"
                     " times.", "rate_unknown", "warning", stream=number)
            )  # fmt: skip
        for note in info.notes:
            tell(note)


def figures_of(streams: Sequence[Stream], labelled: str, wall_s: float) -> dict[str, Any]:
    """Return the figures of all streams together, and under "streams" those of each.

    Args:
        streams: In the order of their numbers.
        labelled: What is told of them, "windows" or "emissions".
        wall_s: How long the run took.
    """
    each = [
        {
            "stream": number,
            "labelled": labelled,
            "source": stream.source.info.name,
            "failure": str(stream.failure) if stream.failure else None,
            "when_slow": stream.policy,
        }
        | stream.stats.summary(stream.framer, wall_s)
        for number, stream in enumerate(streams)
    ]
    whole = Stats.together([stream.stats for stream in streams])
    cut = Cut.together([stream.framer for stream in streams])
    names = ", ".join(stream.source.info.name for stream in streams)
    policies = ", ".join(dict.fromkeys(stream.policy for stream in streams))
    about = {"source": names, "when_slow": policies, "labelled": labelled}
    return about | whole.summary(cut, wall_s) | {"streams": each}
