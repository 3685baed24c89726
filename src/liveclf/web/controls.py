"""What can be set on the sources of a run, from the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from liveclf.errors import UsageError
from liveclf.protocols import Playback, Source, Tunable
from liveclf.web.requests import Control, Pause, Seek, Speed, Tune


class Controls:
    """The sources, as far as they can be set while they run."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Keep them.

        Args:
            sources: In the order of the streams' numbers.
        """
        self._sources = tuple(sources)

    def state(self) -> list[dict[str, Any]]:
        """Return for each stream what can be set, and how it is set."""
        return [_state(source) for source in self._sources]

    def apply(self, request: Control) -> None:
        """Do what is asked.

        Raises:
            UsageError: There is no such stream, or its source cannot.
        """
        if request.stream >= len(self._sources):
            raise UsageError(f"There is no stream {request.stream}.")
        source = self._sources[request.stream]
        match request:
            case Pause() if isinstance(source, Playback) and source.can_pause:
                source.pause(request.wanted)
            case Speed() if isinstance(source, Playback) and source.can_hurry:
                source.set_speed(request.speed)
            case Seek() if isinstance(source, Playback) and source.can_seek:
                source.seek(request.position_s)
            case Tune() if isinstance(source, Tunable) and source.can_tune:
                source.tune(request.center_hz)
            case _:
                raise UsageError(f"{source.info.name} cannot be set like that while it runs.")

    def release(self) -> None:
        """Let everything that waits go on, as nobody is there any more to say so."""
        for source in self._sources:
            if isinstance(source, Playback):
                source.pause(False)


def _state(source: Source) -> dict[str, Any]:
    state: dict[str, Any] = {"can_tune": isinstance(source, Tunable) and source.can_tune}
    names = ("can_pause", "can_hurry", "can_seek", "is_paused", "speed", "position_s", "length_s")
    if isinstance(source, Playback):
        state |= {name: getattr(source, name) for name in names}
    return state
