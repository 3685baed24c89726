"""What can be set on the sources of a run, and on what it tells, by who watches it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from threading import Lock
from typing import Any

from liveclf.errors import UsageError
from liveclf.live.thresholds import Thresholds
from liveclf.protocols import Adjustable, Playback, Source, Tunable
from liveclf.view.requests import Control, Pause, Seek, SetGain, Speed, Threshold, Tune

_KINDS = {
    Pause: "pause", Speed: "speed", Seek: "position", Tune: "centre", SetGain: "gain",
    Threshold: "threshold",
}  # fmt: skip
_Setting = Pause | Speed | Seek | Tune | SetGain


class Controls:
    """What can be set while it runs; from any thread.

    Attributes:
        changes: How often something was set, by kind.
    """

    def __init__(self, sources: Sequence[Source], thresholds: Thresholds | None = None) -> None:
        """Keep what can be set.

        Args:
            sources: In the order of the streams' numbers.
            thresholds: Of all streams, None if there are none to set.
        """
        self._sources, self._thresholds = tuple(sources), thresholds
        self._lock = Lock()
        self._news: dict[str, tuple[str, int]] = {}  # kind and stream -> last sentence, how many
        self.changes: Counter[str] = Counter()

    def state(self) -> dict[str, Any]:
        """Return what can be set, and how it is set: of each stream, and of the run."""
        limits = self._thresholds
        return {
            "streams": [_state(source) for source in self._sources],
            "thresholds": limits
            and {"min_snr_db": limits.min_snr_db, "min_probability": limits.min_probability},
        }

    def apply(self, request: Control) -> None:
        """Do what is asked.

        Raises:
            UsageError: There is no such stream, or its source cannot.
        """
        if isinstance(request, Threshold):
            self._limit(request)
            return
        if request.stream >= len(self._sources):
            raise UsageError(f"There is no stream {request.stream}.")
        source = self._sources[request.stream]
        said = _set(source, request)
        self._note(request, f"{source.info.name}: {said}.", request.stream)

    def release(self) -> None:
        """Let everything that waits go on, as nobody is there any more to say so."""
        for source in self._sources:
            if isinstance(source, Playback):
                source.pause(False)

    def news(self) -> list[str]:
        """Return what was set since the last call, a sentence for each kind of change."""
        with self._lock:
            news, self._news = self._news, {}
        return [
            f"On the page, {said}" + (f" The last of {n} such changes." if n > 1 else "")
            for said, n in news.values()
        ]

    def _limit(self, request: Threshold) -> None:
        if self._thresholds is None:
            raise UsageError("This run has no thresholds that can be set.")
        said = []
        if request.min_snr_db is not None:
            self._thresholds.min_snr_db = request.min_snr_db
            said.append(f"emissions below {request.min_snr_db:g} dB are left out")
        if request.min_probability is not None:
            self._thresholds.min_probability = request.min_probability
            said.append(f"labels below {request.min_probability:.0%} are unknown")
        if said:
            self._note(request, f"all streams: {', '.join(said)}.")

    def _note(self, request: Control, said: str, stream: int = -1) -> None:
        kind = _KINDS[type(request)]
        key = f"{kind} {stream} {getattr(request, 'stage', '')}"
        with self._lock:
            self.changes[kind] += 1
            _, n = self._news.pop(key, ("", 0))
            self._news[key] = said, n + 1


def _set(source: Source, request: _Setting) -> str:
    """Set something on a source; return what, for people.

    Raises:
        UsageError: It cannot.
    """
    match request:
        case Pause() if isinstance(source, Playback) and source.can_pause:
            source.pause(request.wanted)
            return "paused" if request.wanted else "goes on"
        case Speed() if isinstance(source, Playback) and source.can_hurry:
            source.set_speed(request.speed)
            return f"at {request.speed:g} times its pace"
        case Seek() if isinstance(source, Playback) and source.can_seek:
            source.seek(request.position_s)
            return f"goes on at {request.position_s:.3f} s"
        case Tune() if isinstance(source, Tunable) and source.can_tune:
            source.tune(request.center_hz)
            return f"asked for {request.center_hz / 1e6:.9g} MHz"
        case SetGain() if isinstance(source, Adjustable):
            source.set_gain(request.gain_db, request.stage)
            if request.gain_db is None:
                return "asked for automatic gain"
            return f"asked for {f'gain {request.stage}'.strip()} {request.gain_db:g} dB"
    raise UsageError(f"{source.info.name} cannot be set like that while it runs.")


def _state(source: Source) -> dict[str, Any]:
    state: dict[str, Any] = {"can_tune": isinstance(source, Tunable) and source.can_tune}
    gain = source.gain if isinstance(source, Adjustable) else None
    state["gain"] = gain and asdict(gain)
    names = ("can_pause", "can_hurry", "can_seek", "is_paused", "speed", "position_s", "length_s")
    if isinstance(source, Playback):
        state |= {name: getattr(source, name) for name in names}
    return state
